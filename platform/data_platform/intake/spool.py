"""Rows put aside until the turn of their kind comes: on disk, in one file that nobody else can see.

What does not belong here: anything that outlives the process.
"""

import weakref
from collections import Counter
from collections.abc import Hashable
from tempfile import TemporaryFile
from typing import IO, Generic, TypeVar

import polars as pl

Kind = TypeVar("Kind", bound=Hashable)
_ROWS_AT_ONCE = 250_000  # so that what is written of a kind is not tiny where there are many


class Spool(Generic[Kind]):
    """Takes rows in any order and gives all those of a kind, for as long as somebody holds it.

    Args:
        by: The column that says of which kind a row is.
    """

    def __init__(self, by: str) -> None:
        self._by = by
        self._file: IO[bytes] = TemporaryFile()  # noqa: SIM115 (closed with the last look at this)
        self._places: dict[Kind, list[tuple[int, int]]] = {}
        self._num_rows: Counter[Kind] = Counter()
        self._waiting: list[pl.DataFrame] = []
        weakref.finalize(self, self._file.close)

    def put(self, rows: pl.DataFrame) -> None:
        """Adds rows, all with the same columns."""
        self._waiting.append(rows)
        if sum(frame.height for frame in self._waiting) >= _ROWS_AT_ONCE:
            self._write()

    def num_rows(self, kind: Kind) -> int:
        """How many rows of a kind there are."""
        self._write()
        return self._num_rows[kind]

    def take(self, kind: Kind) -> list[pl.DataFrame]:
        """The rows of a kind, in the order in which they came."""
        self._write()
        frames: list[pl.DataFrame] = []
        for begin, end in self._places.get(kind, []):
            self._file.seek(begin)
            frames.append(pl.read_ipc_stream(self._file.read(end - begin)))
        return frames

    def _write(self) -> None:
        for rows in pl.concat(self._waiting).partition_by(self._by) if self._waiting else ():
            kind = rows.item(0, self._by)
            begin = self._file.seek(0, 2)
            rows.write_ipc_stream(self._file)
            self._places.setdefault(kind, []).append((begin, self._file.tell()))
            self._num_rows[kind] += rows.height
        self._waiting.clear()
