"""The output: records, rejects and structure, gathered into batches, and the account of every byte."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl

from data_platform.intake.block import Places, parse
from data_platform.intake.grammar import Grammar

PROVENANCE = pl.Schema(
    {"record_no": pl.Int64, "line": pl.Int64, "byte_from": pl.Int64, "byte_to": pl.Int64, "repair": pl.String}
)
REJECTS = pl.Schema(
    {
        "record_no": pl.Int64,
        "line": pl.Int64,
        "byte_from": pl.Int64,
        "byte_to": pl.Int64,
        "num_records": pl.Int64,
        "reason": pl.String,
        "detail": pl.String,
    }
)
STRUCTURE = pl.Schema(
    {"kind": pl.String, "line": pl.Int64, "byte_from": pl.Int64, "byte_to": pl.Int64, "num_lines": pl.Int64}
)


def field_names(width: int) -> list[str]:
    """The columns that hold a record's fields: `field_1` and on."""
    return [f"field_{number}" for number in range(1, width + 1)]


@dataclass(frozen=True)
class Batch:
    """Neighbouring records, rejects and structure of a file, each in file order.

    Attributes:
        records: columns of `PROVENANCE`, then `field_1` to `field_<width>`. `record_no` counts records and rejects from
            1, `line` is the physical line from 1 where the record starts, `byte_from:byte_to` its span in the file with
            its line end, `repair` null or what had to be done to read it; the fields are text, never null.
        rejects: columns of `REJECTS`. `num_records` is 1, `reason` a stable code, `detail` a sentence without any value
            of the file.
        structure: columns of `STRUCTURE`: the pieces that are neither, by `kind`.
    """

    records: pl.DataFrame
    rejects: pl.DataFrame
    structure: pl.DataFrame


@dataclass
class Account:
    """What has been handed over so far, in records, lines and bytes of the file.

    Attributes:
        num_accepted: records accepted.
        num_rejected: records rejected.
        num_accepted_bytes: their bytes.
        num_rejected_bytes: their bytes.
        lines: for each kind of structure, its lines.
        bytes: for each kind of structure, its bytes.
    """

    num_accepted: int = 0
    num_rejected: int = 0
    num_accepted_bytes: int = 0
    num_rejected_bytes: int = 0
    lines: dict[str, int] = field(default_factory=dict[str, int])
    bytes: dict[str, int] = field(default_factory=dict[str, int])


class _Run(NamedTuple):
    """Plain records one behind the other: their bytes, the first one's number, their lines, borders and fields."""

    data: bytes
    number: int
    lines: Places
    borders: Places
    fields: pl.DataFrame | None


class BatchBuilder:
    """Gathers rows until they make a batch, and keeps the account.

    Args:
        grammar: the patterns of the file.
        in_file: turns places in the text into file offsets; null if they are the same.
        batch_bytes: so many bytes of the file make a batch.
    """

    def __init__(self, grammar: Grammar, in_file: Callable[[Places], Places] | None, batch_bytes: int) -> None:
        self._grammar = grammar
        self._batch_bytes = batch_bytes
        self._in_file = in_file
        self.field_names = field_names(grammar.width)
        self._next_number = 1
        self._runs: list[_Run] = []
        self._records: list[tuple[int, int, int, int, str | None]] = []
        self._values: list[str] = []
        self._rejects: list[tuple[int, int, int, int, int, str, str]] = []
        self._structure: list[tuple[str, int, int, int, int]] = []
        self._num_bytes = 0
        self.account = Account()

    @property
    def is_full(self) -> bool:
        """Whether what was gathered makes a batch."""
        return 2 * self._num_bytes >= self._batch_bytes  # a block is nearly as long as a batch

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to hand over."""
        return not (self._runs or self._records or self._rejects or self._structure)

    def accept_run(self, data: bytes, lines: Places, borders: Places, fields: pl.DataFrame | None = None) -> None:
        """Add plain records; `borders` are the first one's start and the ends of all, `fields` null or their fields."""
        self._runs.append(_Run(data, self._next_number, lines, borders, fields))
        self._next_number += len(lines)
        self._num_bytes += len(data)

    def accept(self, line: int, byte_from: int, byte_to: int, values: Sequence[str], repair: str | None) -> None:
        """Add one record."""
        self._records.append((self._next_number, line, byte_from, byte_to, repair))
        self._values += values
        self._next_number += 1
        self._num_bytes += byte_to - byte_from

    def reject(self, line: int, byte_from: int, byte_to: int, reason: str, detail: str) -> None:
        """Add one reject."""
        self._rejects.append((self._next_number, line, byte_from, byte_to, 1, reason, detail))
        self._next_number += 1
        self._num_bytes += byte_to - byte_from

    def declare(self, kind: str, line: int, byte_from: int, byte_to: int, num_lines: int = 1) -> None:
        """Add a piece of structure; pieces without a byte do not count."""
        if byte_to > byte_from:
            self._structure.append((kind, line, byte_from, byte_to, num_lines))
            self._num_bytes += byte_to - byte_from

    def take(self) -> Batch:
        """Hand over the batch and start the next."""
        parsed = [self._plain_records([run], run.fields) for run in self._runs if run.fields is not None]
        plain = self._plain_records([run for run in self._runs if run.fields is None])
        frames = [frame for frame in (*parsed, plain, self._single_records()) if frame.height] or [plain]
        records = pl.concat(frames) if len(frames) > 1 else frames[0]
        if not records["record_no"].is_sorted():
            records = records.sort("record_no")
        rejects = pl.DataFrame(self._rejects, schema=REJECTS, orient="row")
        structure = pl.DataFrame(self._structure, schema=STRUCTURE, orient="row")
        self._runs, self._records, self._values, self._rejects, self._structure = [], [], [], [], []
        self._num_bytes = 0
        batch = Batch(*self._located(records, rejects, structure))
        self._book(batch)
        return batch

    def _plain_records(self, runs: Sequence[_Run], fields: pl.DataFrame | None = None) -> pl.DataFrame:
        if not runs:
            return pl.DataFrame(schema=PROVENANCE | dict.fromkeys(self.field_names, pl.String))
        sizes = [len(run.lines) for run in runs]
        if fields is None:
            fields = parse([run.data for run in runs], sum(sizes), self._grammar, self.field_names)
        return pl.DataFrame(
            {
                "record_no": np.concatenate([np.arange(run.number, run.number + len(run.lines)) for run in runs]),
                "line": np.concatenate([run.lines for run in runs]),
                "byte_from": np.concatenate([run.borders[:-1] for run in runs]),
                "byte_to": np.concatenate([run.borders[1:] for run in runs]),
                "repair": pl.repeat(None, sum(sizes), dtype=pl.String, eager=True),
            }
        ).hstack(fields)

    def _single_records(self) -> pl.DataFrame:
        place = pl.DataFrame(self._records, schema=PROVENANCE, orient="row")
        width = self._grammar.width
        columns = [pl.Series(name, self._values[n::width], pl.String) for n, name in enumerate(self.field_names)]
        return place.hstack(columns)

    def _located(self, *frames: pl.DataFrame) -> list[pl.DataFrame]:
        """The frames with their places in the text turned into file offsets."""
        if self._in_file is None:
            return list(frames)
        columns = [frame[name].to_numpy() for frame in frames for name in ("byte_from", "byte_to")]
        in_file = self._in_file(np.concatenate(columns))
        at = iter(np.split(in_file, np.cumsum([len(column) for column in columns])[:-1]))
        return [
            frame.with_columns(pl.Series(name, next(at), pl.Int64) for name in ("byte_from", "byte_to"))
            for frame in frames
        ]

    def _book(self, batch: Batch) -> None:
        def num_bytes(frame: pl.DataFrame) -> int:
            return int(frame["byte_to"].sum()) - int(frame["byte_from"].sum())

        account = self.account
        account.num_accepted += batch.records.height
        account.num_accepted_bytes += num_bytes(batch.records)
        account.num_rejected += batch.rejects.height
        account.num_rejected_bytes += num_bytes(batch.rejects)
        for (kind,), parts in batch.structure.group_by("kind", maintain_order=True):
            account.lines[str(kind)] = account.lines.get(str(kind), 0) + int(parts["num_lines"].sum())
            account.bytes[str(kind)] = account.bytes.get(str(kind), 0) + num_bytes(parts)
