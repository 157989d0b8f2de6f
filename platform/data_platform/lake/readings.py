"""What was read of a file, kept for a while so that whoever needs it next need not read the file again.

Nothing hangs on a reading: where there is none, the file is read again. What does not belong here: what its rows mean.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from uuid import uuid4

import polars as pl

from data_platform.lake import frames
from data_platform.lake.store import Entry, Store

_FOLDER, _END = "readings", "end-"
_FOUND, _KEPT = timedelta(days=1), timedelta(days=2)  # apart, so that nobody still reads what is removed
_ROWS_AT_ONCE = 500_000
_ROWS_PER_GROUP = 2**15  # so many are read at the least to have those of a day


class Writer:
    """Keeps the rows of one file, batch by batch, so that those of a day are found without a look at the others.

    Every attempt has a folder of its own: what one that broke off has left is never taken for a part of another.

    Args:
        lake: Where to.
        name: All that the rows depend on: the file, and the code that reads it.
    """

    def __init__(self, lake: Store, name: str) -> None:
        self._lake = lake
        self._folder = f"{_FOLDER}/{name}/{uuid4().hex}"
        self._waiting: list[pl.DataFrame] = []
        self._keys: list[str] = []
        self._num_bytes = 0

    def put(self, rows: pl.DataFrame) -> None:
        """Adds rows, all with the same columns, `day` among them."""
        self._waiting.append(rows)
        if sum(waiting.height for waiting in self._waiting) >= _ROWS_AT_ONCE:
            self._write()

    def end(self) -> list[str]:
        """All rows were put; only now others find them.

        Returns:
            The Parquet objects that hold them; none if there are none.
        """
        self._write()
        self._lake.create(f"{self._folder}/{_END}{self._num_bytes}", b"")
        return self._keys

    def _write(self) -> None:
        if any(waiting.height for waiting in self._waiting):
            self._keys.append(f"{self._folder}/{len(self._keys):05}.parquet")
            rows = pl.concat(self._waiting).sort("day", maintain_order=True)
            self._num_bytes += frames.write(self._lake, self._keys[-1], rows, rows_per_group=_ROWS_PER_GROUP)
        self._waiting.clear()


def find(lake: Store, name: str, now: datetime | None = None) -> list[str] | None:
    """The Parquet objects with the rows that were kept under a name in the last day; None where one is missing."""
    since = (now or datetime.now(UTC)) - _FOUND
    for entries in _attempts(lake, name):
        parts = [entry for entry in entries if entry.name.endswith(".parquet")]
        end = f"{_END}{sum(entry.num_bytes for entry in parts)}"
        if any(entry.name == end and entry.modified_at >= since for entry in entries):
            return [entry.key for entry in parts]
    return None


def remove_old(lake: Store, now: datetime | None = None) -> None:
    """Removes what was kept more than two days ago."""
    before = (now or datetime.now(UTC)) - _KEPT
    for entries in _attempts(lake, ""):
        if all(entry.modified_at < before for entry in entries):
            for entry in entries:
                lake.delete(entry.key)


def _attempts(lake: Store, name: str) -> Iterable[list[Entry]]:
    entries = lake.list(f"{_FOLDER}/{name}".rstrip("/"))
    return [list(of_one) for _, of_one in groupby(entries, key=lambda entry: entry.key.rsplit("/", 1)[0])]
