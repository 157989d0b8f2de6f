"""A delivered file of events, and the days that are known before it comes.

Half of its records are events of known days, known already; half are new, of days that are not. The records of all days
are mixed, and half of the ids are in upper case.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.sessions import samples
from benchmarks.sessions.readers import key_of
from data_platform.lake import frames
from data_platform.lake.store import Store

_KNOWN_DAYS, _DAYS_OF_EACH_HALF = 300, 15
_COLUMNS = {
    "anonymous_id": "anonymous_id",
    "business_zoned": "zone",
    "context_app_version": "app_version",
    "context_device_id": "device_id",
    "context_os_name": "os_name",
    "event_name": "event_name",
    "received_at": "received_at",
    "created_at": "created_at",
}
_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Truth:
    """What a file holds, and what is known afterwards.

    Attributes:
        day: Its delivery day.
        num_records: Its records.
        num_events: For each day that it has events of, how many different events there are then.
    """

    day: str
    num_records: int
    num_events: dict[str, int]


def write(file: Path, lake: Path, num_records: int, num_known: int) -> Truth:
    """Writes a file, and the known days into a lake."""
    per_day = max(1, num_records // (2 * _DAYS_OF_EACH_HALF))
    _, known = next(samples.days(max(1, num_known // _KNOWN_DAYS), 1, seed=2))
    _, new = next(samples.days(per_day, 1, seed=3))
    for number in range(_KNOWN_DAYS):
        rows = samples.moved(known, number)
        frames.write(Store(lake.as_uri()), key_of(rows.item(0, "day")), rows)
    of_days = dict.fromkeys(range(0, _KNOWN_DAYS, _KNOWN_DAYS // _DAYS_OF_EACH_HALF), known)
    of_days |= dict.fromkeys(range(_KNOWN_DAYS, _KNOWN_DAYS + _DAYS_OF_EACH_HALF), new)
    _write_csv(file, of_days, per_day)
    num_events = {
        str(samples.moved(rows.head(1), number).item(0, "day")): rows.height for number, rows in of_days.items()
    }
    return Truth(max(num_events), per_day * len(of_days), num_events)


def _write_csv(path: Path, of_days: Mapping[int, pl.DataFrame], per_day: int) -> None:
    """Every day gives as many records; where it has fewer events, some stand several times in the file."""
    random = np.random.default_rng(4)
    with path.open("wb") as file:
        for start in range(0, per_day, _ROWS_AT_ONCE):
            numbers = np.arange(start, min(start + _ROWS_AT_ONCE, per_day))
            rows = [samples.moved(rows[numbers % rows.height], number) for number, rows in of_days.items()]
            mixed = pl.concat(rows)[random.permutation(len(numbers) * len(of_days))]
            _as_delivered(mixed).write_csv(file, separator=";", include_header=start == 0)


def _as_delivered(rows: pl.DataFrame) -> pl.DataFrame:
    ids = pl.col("anonymous_id", "device_id")
    return rows.with_columns(
        pl.when(pl.int_range(pl.len()) % 2 == 0).then(ids.str.to_uppercase()).otherwise(ids),
        pl.col("received_at", "created_at").dt.to_string("%Y-%m-%dT%H:%M:%S%.3fZ"),
    ).select(pl.col(name).alias(given) for given, name in _COLUMNS.items())
