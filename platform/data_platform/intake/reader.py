"""Reads delimited text and accounts for every byte of it: `read`.

What belongs here: the public face. What is found by looking at the start is in `opening.py` and `sniff.py`, how a field
looks in `grammar.py`, the walk in `scan.py`, the proof of whole blocks in `block.py`, how far damage reaches in
`damage.py`. What does not: files, products, types of columns (every value stays text).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from data_platform.intake.batches import Account, Batch, BatchBuilder
from data_platform.intake.dialect import Dialect
from data_platform.intake.opening import Header, Opening, header_of, read_opening
from data_platform.intake.scan import Scan


@dataclass(frozen=True)
class Structure:
    """What a file consists of, known when all of it has been read.

    Attributes:
        num_bytes: size of the file.
        num_accepted: records accepted.
        num_rejected: records rejected.
        num_accepted_bytes: bytes of the accepted records.
        num_rejected_bytes: bytes of the rejects.
        lines: for each kind of structure that the file has, its physical lines.
        bytes: for each kind of structure that the file has, its bytes.
    """

    num_bytes: int
    num_accepted: int
    num_rejected: int
    num_accepted_bytes: int
    num_rejected_bytes: int
    lines: Mapping[str, int]
    bytes: Mapping[str, int]

    @property
    def num_records(self) -> int:
        """Accepted and rejected."""
        return self.num_accepted + self.num_rejected


class _Counted:
    """A stream of chunks that knows how many bytes went through it."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.num_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.num_bytes += len(chunk)
            yield chunk


class Reading:
    """A file being read: iterate once over its batches, then ask for `structure`.

    Attributes:
        dialect: how the file is written.
        width: its number of columns.
        header: the names of the columns, or null if the file does not tell any.
    """

    def __init__(
        self, chunks: Iterable[bytes], max_record_bytes: int, block_bytes: int, names: Collection[str]
    ) -> None:
        counted = _Counted(chunks)
        opening = read_opening(counted, max_record_bytes, names)
        in_file = opening.transcoded.in_file if opening.transcoded else None
        builder = BatchBuilder(opening.grammar, in_file, block_bytes)
        self.dialect: Dialect = opening.grammar.dialect
        self.width: int = opening.grammar.width
        self.header: Header | None = header_of(opening.parts, opening.names, in_file)
        self._structure: Structure | None = None
        _declare(opening, builder)
        self._batches = self._read(Scan(opening, max_record_bytes, block_bytes, builder), builder, counted)

    def __iter__(self) -> Iterator[Batch]:
        """The batches not yet handed over; a stream can be read only once."""
        return self._batches

    @property
    def structure(self) -> Structure:
        """What the file consists of.

        Raises:
            RuntimeError: not all batches have been taken yet.
        """
        if self._structure is None:
            raise RuntimeError("the structure of a file is known only after its last batch: iterate to the end first")
        return self._structure

    def _read(self, scan: Scan, builder: BatchBuilder, counted: _Counted) -> Iterator[Batch]:
        while scan.step():
            if builder.is_full:
                yield builder.take()
        if not builder.is_empty:
            yield builder.take()
        self._structure = _balance(counted.num_bytes, builder.account)


def _declare(opening: Opening, builder: BatchBuilder) -> None:
    if opening.bom:
        builder.declare("bom", 1, 0, opening.bom, 0)
    for part in opening.parts:
        builder.declare(part.kind, part.line, part.byte_from, part.byte_to, part.num_lines)


def _balance(num_bytes: int, account: Account) -> Structure:
    """Close the account, which must add up to the file's size."""
    accounted = account.num_accepted_bytes + account.num_rejected_bytes + sum(account.bytes.values())
    if accounted != num_bytes:
        raise AssertionError(f"the reader accounts for {accounted} of {num_bytes} bytes: a fault of the reader itself")
    return Structure(
        num_bytes=num_bytes,
        num_accepted=account.num_accepted,
        num_rejected=account.num_rejected,
        num_accepted_bytes=account.num_accepted_bytes,
        num_rejected_bytes=account.num_rejected_bytes,
        lines=MappingProxyType(account.lines),
        bytes=MappingProxyType(account.bytes),
    )


def read(
    chunks: Iterable[bytes],
    *,
    names: Collection[str] = (),
    max_record_bytes: int = 16 * 2**20,
    block_bytes: int = 4 * 2**20,
) -> Reading:
    """Read any delimited text; how it is written is found by looking at its first 256 KiB. See docs/intake.md.

    A record is accepted when it parses strictly and has as many fields as the table, or when there is exactly one way
    to read it (`repair` says so). Everything else becomes a reject with its place and reason (`unclosed_quote`,
    `text_after_quote`, `wrong_number_of_fields`, `record_too_long`, `undecodable`, `nul_byte`), or is structure (`bom`,
    `preamble`, `header`, `repeated_header`, `blank`, `table`, `footer`). For any bytes, the spans of the three are
    disjoint and add up to the file's size. The result does not depend on how the bytes are cut into chunks.

    Args:
        chunks: the file's bytes in pieces of any size; taken as needed, so memory stays near `max_record_bytes` plus
            a chunk plus some times `block_bytes`.
        names: of columns that the file should have: the first row with all of them is its header. Without them the
            header is found by what it looks like, and a first record of words alone can be taken for a part of it.
        max_record_bytes: a longer record, its line end included, is damage. In UTF-8, whatever the file is in.
        block_bytes: how much is looked at in one go, and handed over in one batch.

    Returns:
        The reading, with its dialect and header already known.

    Raises:
        NotDelimitedText: the file is empty, or no text.
        ValueError: an argument is out of range.
    """
    if max_record_bytes < 1 or block_bytes < 1:
        raise ValueError("max_record_bytes and block_bytes must be at least 1")
    return Reading(chunks, max_record_bytes, block_bytes, names)
