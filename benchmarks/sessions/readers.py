"""The ways to read a delivered file: ours, which ends with the days' events published, and the bare reading of it.

Libraries, ours included, are imported where they are used, so that a process has nothing of another in its memory.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

_CHUNK_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Delivered:
    """A file as the platform sees it.

    Attributes:
        path: Where it lies.
        day: Its delivery day.
        lake: Folder of the lake with the days that are known.
    """

    path: Path
    day: date
    lake: Path
    evidence_id: str = "f" * 64

    @property
    def name(self) -> str:
        """Its name."""
        return self.path.name

    @property
    def num_bytes(self) -> int:
        """Its size."""
        return self.path.stat().st_size

    def chunks(self) -> Iterator[bytes]:
        """Its content, in such chunks as the lake's."""
        with self.path.open("rb") as file:
            yield from iter(partial(file.read, _CHUNK_BYTES), b"")


def key_of(day: date) -> str:
    """Where in the lake the known events of a day lie."""
    return f"mobile_events/{day}.parquet"


def ours(file: Delivered) -> dict[str, Any]:
    """The product: its events read, counted and kept by day, each day united with what is known, hashed and stored.

    A day that comes out as it was published is neither hashed nor stored.
    """
    import polars as pl

    from data_platform.contracts.delivered_file import DeliveredFile
    from data_platform.lake import frames, readings
    from data_platform.lake.store import Store
    from data_platform.publish.content_hash import content_hash
    from data_platform.sessions import events

    lake, seconds, num_events = Store(file.lake.as_uri()), dict[str, float](), dict[str, int]()

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        seconds[step] = seconds.get(step, 0) + time.perf_counter() - began

    kept = readings.Writer(lake, file.name)

    def read(given: DeliveredFile) -> Iterator[events.EventBatch]:
        for batch in events.read(given):
            with timed("kept"):
                kept.put(batch.events)
            yield batch

    with timed("delivered"):
        num_of_day = dict(events.delivered([file], read).rows.select("event_day", "num_events").iter_rows())
        keys = kept.end()
    for day, num in num_of_day.items():
        with timed("found"):
            known = [frames.scan(lake, [key_of(day)]).collect()] if lake.size(key_of(day)) else []
            new = frames.scan(lake, keys).filter(pl.col("day") == day).collect()
        with timed("united"):
            num_by_file = {rows.item(0, "evidence_id"): rows.height for rows in known} | {file.evidence_id: num}
            rows = events.united(day, [*known, new], num_by_file).rows
            is_published = bool(known) and rows.equals(known[0])
        num_events[str(day)] = rows.height
        if is_published:
            continue
        with timed("hashed"):
            name = content_hash(rows)
        with timed("stored"):
            frames.write(lake, f"united/{day}/{name}.parquet", rows)
    return {"num_records": sum(num_of_day.values()), "num_events": num_events, "steps": seconds}


def ours_delivered(file: Delivered) -> dict[str, Any]:
    """The product's first reading alone: every record judged, and its day counted."""
    from data_platform.sessions import events

    return {"num_records": events.delivered([file]).rows["num_events"].sum()}


def duckdb(file: Delivered) -> dict[str, Any]:
    """DuckDB reads the same file as text: how many records, and the lengths of all columns, summed."""
    import duckdb

    read = f"read_csv('{file.path}', delim = ';', header = true, all_varchar = true)"
    num_records, *_ = duckdb.execute(f"SELECT count(*), sum(length(COLUMNS(*))) FROM {read}").fetchall()[0]
    return {"num_records": num_records}


READERS: Mapping[str, Callable[[Delivered], dict[str, Any]]] = {
    "ours": ours,
    "ours-delivered": ours_delivered,
    "duckdb": duckdb,
}
