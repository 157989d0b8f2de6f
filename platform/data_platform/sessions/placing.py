"""Are events and sessions the same story? Counts that owe nothing to how sessions are made."""

import polars as pl

from data_platform.sessions.parts import KEY


def misplaced(events: pl.DataFrame, sessions: pl.DataFrame) -> tuple[int, int]:
    """Looks for events without a session, and for sessions that count events which are not there.

    Args:
        events: All events of a UTC day: `KEY` and `created_at`.
        sessions: All sessions with a moment of that day: `KEY`, `started_at`, `ended_at` and `num_events`.

    Returns:
        How many events lie in no session; and how many sessions inside the day do not have as many events as they say.
    """
    placed = events.sort("created_at").join_asof(
        sessions.sort("started_at"), left_on="created_at", right_on="started_at", by=KEY, coalesce=False,
        check_sortedness=False,
    )  # fmt: skip
    inside = placed.filter(pl.col("created_at") <= pl.col("ended_at"))
    found = inside.group_by(*KEY, "started_at").agg(pl.len().alias("num_found"))
    day = events.select(pl.col("created_at").dt.date().first()).item()
    whole = sessions.filter((pl.col("started_at").dt.date() == day) & (pl.col("ended_at").dt.date() == day))
    both = whole.join(found, on=[*KEY, "started_at"], how="left")
    wrong = both.filter(pl.col("num_events") != pl.col("num_found").fill_null(0))
    return events.height - inside.height, wrong.height
