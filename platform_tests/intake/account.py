"""What the reader says of a file, in the oracle's shape, and what must be true of it for any bytes whatever."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from data_platform.intake import Batch, Dialect, Header, NotDelimitedText, Reading, read
from platform_tests.oracles.csv_reader import Found, Said, read_below

BLOCK_BYTES = 64


def in_chunks(data: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """The file in pieces of the sizes, over and over."""
    at, turn = 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        yield data[at : at + size]
        at, turn = at + size, turn + 1


@dataclass(frozen=True)
class Account:
    """Everything the reader says of a file."""

    data: bytes
    dialect: Dialect
    header: Header | None
    width: int
    said: Said
    reading: Reading
    details: tuple[str, ...] = ()

    @property
    def found(self) -> Found:
        """What the oracle has to be told."""
        spans = {
            kind: [(start, end) for name, _, start, end, _ in self.said.structure if name == kind]
            for kind in ("bom", "preamble", "header")
        }
        spans["preamble"] = [span for span in spans["preamble"] if span[0] <= self.top]
        return Found(
            self.dialect.delimiter,
            self.width,
            self.dialect.quote,
            self.dialect.backslash,
            self.dialect.lone_cr,
            self.dialect.encoding,
            self.header.names if self.header else None,
            *((found[0][0], found[-1][1]) if found else None for found in spans.values()),
        )

    @property
    def top(self) -> int:
        """Where what was found by looking ends."""
        above = [end for kind, _, _, end, _ in self.said.structure if kind in {"bom", "preamble", "header"}]
        return max(above, default=0)

    @property
    def spans(self) -> list[tuple[int, int]]:
        return sorted(
            [record[2:4] for record in self.said.records]
            + [reject[2:4] for reject in self.said.rejects]
            + [row[2:4] for row in self.said.structure]
        )

    @property
    def values(self) -> list[list[str]]:
        return [record[4] for record in self.said.records]

    @property
    def reasons(self) -> list[tuple[int, str]]:
        """Line and reason of each reject."""
        return [(reject[1], reject[4]) for reject in self.said.rejects]

    @property
    def kinds(self) -> list[tuple[int, str]]:
        """Line and kind of all structure."""
        return [(row[1], row[0]) for row in self.said.structure]

    def text_of(self, rows: Sequence[tuple[Any, ...]]) -> list[bytes]:
        return [self.data[row[2] : row[3]] for row in rows]


def records_of(batches: Sequence[Batch], width: int) -> list[tuple[Any, ...]]:
    columns = [f"field_{number}" for number in range(1, width + 1)]
    return [
        (*place, list(values), repair)
        for batch in batches
        for place, values, repair in zip(
            batch.records.select("record_no", "line", "byte_from", "byte_to").rows(),
            batch.records.select(columns).rows(),
            batch.records["repair"].to_list(),
            strict=True,
        )
    ]


def rows_of(frames: Sequence[pl.DataFrame], *columns: str) -> list[tuple[Any, ...]]:
    return [row for frame in frames for row in frame.select(columns).rows()]


def account_of(data: bytes, sizes: Sequence[int] = (1 << 20,), **options: Any) -> Account:
    """Read a whole file.

    Raises:
        NotDelimitedText: the file is empty or no text.
    """
    reading = read(in_chunks(data, sizes), **options)
    batches = list(reading)
    rejects = [batch.rejects for batch in batches]
    said = Said(
        records_of(batches, reading.width),
        rows_of(rejects, "record_no", "line", "byte_from", "byte_to", "reason"),
        rows_of([batch.structure for batch in batches], "kind", "line", "byte_from", "byte_to", "num_lines"),
    )
    details = tuple(row[0] for row in rows_of(rejects, "detail"))
    return Account(data, reading.dialect, reading.header, reading.width, said, reading, details)


def account_or_none(data: bytes, sizes: Sequence[int] = (1 << 20,), **options: Any) -> Account | None:
    """As `account_of`, but nothing for what is not delimited text."""
    try:
        return account_of(data, sizes, **options)
    except NotDelimitedText:
        return None


def assert_adds_up(account: Account) -> None:
    """Spans are disjoint, in order, and all of the file; the counts equal the rows."""
    at = 0
    for start, end in account.spans:
        assert start == at < end, f"the spans have a gap or overlap at byte {min(start, at)}"
        at = end
    assert at == len(account.data), f"the spans end at byte {at} of {len(account.data)}"
    said = account.said
    for rows in (said.records, said.rejects, said.structure):
        assert [row[2] for row in rows] == sorted(row[2] for row in rows), "rows are not in the file's order"
    numbers = sorted(row[0] for row in (*said.records, *said.rejects))
    assert numbers == list(range(1, len(numbers) + 1)), "records and rejects are not counted from 1 without a gap"
    counts = account.reading.structure
    assert counts.num_bytes == len(account.data)
    assert (counts.num_accepted, counts.num_accepted_bytes) == (len(said.records), num_bytes(said.records))
    assert (counts.num_rejected, counts.num_rejected_bytes) == (len(said.rejects), num_bytes(said.rejects))
    kinds = {row[0] for row in said.structure}
    rows = {kind: [row for row in said.structure if row[0] == kind] for kind in kinds}
    assert dict(counts.bytes) == {kind: num_bytes(rows[kind]) for kind in kinds}
    assert dict(counts.lines) == {kind: sum(row[4] for row in rows[kind]) for kind in kinds}


def num_bytes(rows: Sequence[tuple[Any, ...]]) -> int:
    return sum(row[3] - row[2] for row in rows)


def assert_equals_oracle(account: Account, **options: Any) -> None:
    """The reader says of everything below the header what the oracle says."""
    expected = read_below(account.data, account.found, **options)
    top = account.top
    below = [row for row in account.said.structure if row[2] >= top]
    for said, meant in zip(
        (account.said.records, account.said.rejects, below),
        (expected.records, expected.rejects, expected.structure),
        strict=True,
    ):
        more, less = [row for row in said if row not in meant], [row for row in meant if row not in said]
        assert said == meant, f"of {account.data!r} as {account.found}: {more} instead of {less}"


def checked(data: bytes, **options: Any) -> Account:
    """Reads a file at once and in small pieces: the same, adding up, and what the oracle says."""
    account = account_of(data, **options)
    assert_adds_up(account)
    assert_equals_oracle(account, **options)
    for size in (1, 7, 1000):
        pieces = account_of(data, [size], block_bytes=BLOCK_BYTES, **options)
        assert (pieces.said, pieces.dialect, pieces.header) == (account.said, account.dialect, account.header)
    return account
