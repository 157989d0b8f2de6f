"""Whether all ways found the same sessions. What a session is, the tests of the product say, with an oracle."""

from pathlib import Path

import polars as pl

from benchmarks.sessions.contenders import COLUMNS
from data_platform.publish.content_hash import content_hash


def found(folder: Path) -> dict[str, str | int]:
    """How many sessions and events the files of a folder hold, and a hash of the sessions that no order changes."""
    times = pl.col("started_at", "ended_at", "looked_at", "ride_started_at")
    sessions = (
        pl.scan_parquet(folder / "*.parquet")
        .select(COLUMNS)
        .with_columns(
            times.dt.replace_time_zone(None).cast(pl.Datetime("us")).to_physical(),
            pl.col("num_events").cast(pl.Int64),
            pl.col("plain_booked").cast(pl.Boolean),
        )
        .collect()
    )
    return {
        "num_sessions": sessions.height,
        "num_events": int(sessions["num_events"].sum()),
        "hash": content_hash(sessions),
    }
