"""Frames put aside under a name until their turn comes: on disk, in one file that nobody else can see.

What does not belong here: anything that outlives the process.
"""

import weakref
from collections import Counter
from collections.abc import Hashable
from tempfile import TemporaryFile
from typing import IO, Generic, TypeVar

import polars as pl

Name = TypeVar("Name", bound=Hashable)


class Spool(Generic[Name]):
    """Takes frames in any order and gives all those of a name, for as long as somebody holds it."""

    def __init__(self) -> None:
        self._file: IO[bytes] = TemporaryFile()  # noqa: SIM115 (closed with the last look at this)
        self._places: dict[Name, list[tuple[int, int]]] = {}
        self._num_rows: Counter[Name] = Counter()
        weakref.finalize(self, self._file.close)

    def put(self, name: Name, frame: pl.DataFrame) -> None:
        """Adds a frame to those of a name."""
        begin = self._file.seek(0, 2)
        frame.write_ipc_stream(self._file)
        self._places.setdefault(name, []).append((begin, self._file.tell()))
        self._num_rows[name] += frame.height

    def num_rows(self, name: Name) -> int:
        """How many rows the frames of a name have."""
        return self._num_rows[name]

    def take(self, name: Name) -> list[pl.DataFrame]:
        """The frames of a name, in the order in which they came."""
        frames: list[pl.DataFrame] = []
        for begin, end in self._places.get(name, []):
            self._file.seek(begin)
            frames.append(pl.read_ipc_stream(self._file.read(end - begin)))
        return frames
