"""Proof and parse of whole blocks: which of a block's records are plainly right, and their fields, without a loop.

A record is *plain* if it is strictly well formed, has the right number of fields, and nothing about it needs thought:
no NUL, no backslash that may be an escape, UTF-8, not blank, not too long. What is plain is proven so from the places
of delimiters, quotes and line ends; then Polars, which would forgive what is not right, has nothing to forgive.

Whether a line end lies inside quotes depends on the number of quotes between it and the start of a record. Taken over
the block, it can only be even or odd, so there are two ways at most to cut a block into records (`_Cut`): as long as
all is in order it is one of them, and behind a record with a stray quote it may be the other. Each is worked out once.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from data_platform.intake.grammar import Grammar

Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_NONE: Places = np.empty(0, np.int64)
_LF, _CR, _LAST_ASCII = 10, 13, 0x7F
_BOM = b"\xef\xbb\xbf"
# What may stand for a delimiter that has more bytes than Polars takes.
_STAND_INS = (b"\x1f", b"\x1e", b"\x1d", b"\x1c", b"\x02", b"\x03")


class Parsed(NamedTuple):
    """Records of a block: their fields, their ends, and the lines they start on with the one behind them, from 0."""

    fields: pl.DataFrame
    ends: Places
    lines: Places


class RepeatedHeader(NamedTuple):
    """The content of a header that is one line, by which it is known again, and its first name."""

    content: bytes
    first_name: str


@dataclass(frozen=True)
class _Cut:
    """One way to cut a block into records.

    Attributes:
        ends: where each record ends, behind its line end.
        not_plain: the numbers of those that are not plain, with the number of records at the end.
    """

    ends: Places
    not_plain: Places


class Block:
    """A piece of a file that starts where a record starts and ends behind a line end.

    Args:
        data: its bytes.
        grammar: the patterns of its file.
        max_record_bytes: a longer record is not plain.
        repeated: the line that is a repeated header, if there can be one.
    """

    def __init__(self, data: bytes, grammar: Grammar, max_record_bytes: int, repeated: RepeatedHeader | None) -> None:
        self.data = data
        self._grammar = grammar
        self._limit = max_record_bytes
        self._repeated = repeated
        self._bytes = np.frombuffer(data, np.uint8)
        quote = grammar.quote
        self._has_quotes = quote is not None and quote in data
        self._cuts: dict[int, _Cut] = {}

    @cached_property
    def line_ends(self) -> Places:
        """The places behind all physical line ends."""
        at = self._bytes == _LF
        if self._grammar.dialect.lone_cr:
            alone = self._bytes == _CR
            alone[:-1] &= self._bytes[1:] != _LF
            at |= alone
        return np.flatnonzero(at) + 1

    @cached_property
    def _marks(self) -> Places:
        """Where delimiters start."""
        return self._places_of(self._grammar.mark)

    @cached_property
    def _is_quote(self) -> Flags:
        return self._bytes == (self._grammar.quote or b"\0")[0]

    @cached_property
    def _quotes(self) -> Places:
        """Where quotes are."""
        return np.flatnonzero(self._is_quote) if self._has_quotes else _NONE

    @cached_property
    def _odd_marks(self) -> Places:
        """For each delimiter, 1 if the number of quotes before it in the block is odd."""
        return np.searchsorted(self._quotes, self._marks) & 1

    @cached_property
    def _odd_line_ends(self) -> Places:
        """The same for each line end."""
        return np.searchsorted(self._quotes, self.line_ends) & 1

    @cached_property
    def _suspicious(self) -> Places:
        """Places that a plain record does not have."""
        found = [self._places_of(odd_one) for odd_one in self._odd_ones]
        if len(self._grammar.mark) > 1:  # of delimiters that overlap, only the first is one
            found.append(self._marks[:-1][np.diff(self._marks) < len(self._grammar.mark)])
        if self._repeated and self._repeated.content in self.data:
            places = self._places_of(self._repeated.content)
            found.append(places[np.isin(places, self.line_ends) | (places == 0)])
        if b"\r" in self.data and not self._grammar.dialect.lone_cr:  # Polars may take it for half a line end
            followed = np.append(self._bytes[1:] == _LF, False)
            found.append(np.flatnonzero((self._bytes == _CR) & ~followed))
        if not self.data.isascii():
            found.append(self._not_utf8())
        return np.concatenate(found) if found else _NONE

    @property
    def _odd_ones(self) -> list[bytes]:
        # Polars takes a byte order mark off the start of what it is given.
        known = [b"\0", _BOM] + ([b"\\"] if self._grammar.dialect.backslash else [])
        return [odd_one for odd_one in known if odd_one in self.data]

    def _places_of(self, text: bytes) -> Places:
        at = self._bytes == text[0]
        for place, byte in enumerate(text[1:], start=1):
            at[:-place] &= self._bytes[place:] == byte
            at[-place:] = False
        return np.flatnonzero(at)

    def _not_utf8(self) -> Places:
        """The start of each line that is not UTF-8."""
        try:
            self.data.decode()
        except UnicodeDecodeError:
            starts = np.concatenate([[0], self.line_ends])
            beyond_ascii = np.flatnonzero(self._bytes > _LAST_ASCII)
            lines = np.unique(np.searchsorted(self.line_ends, beyond_ascii, side="right"))
            return np.array([starts[line] for line in lines if not self._is_utf8(*starts[line : line + 2])], np.int64)
        return _NONE

    def _is_utf8(self, start: int, end: int) -> bool:
        try:
            self.data[start:end].decode()
        except UnicodeDecodeError:
            return False
        return True

    def parse_if_plain(self, names: list[str]) -> Parsed | None:
        """All records' fields, ends and first lines, if adding up shows that all are plain; null says nothing.

        Polars refuses a record with too many fields, and what is not UTF-8. Of one with too few it makes up the missing
        ones: then the fields, the delimiters, line ends and quotes that must be are more bytes than the block has.
        """
        grammar, data = self._grammar, self.data
        dialect = grammar.dialect
        if (
            not data
            or len(grammar.mark) > 1
            or dialect.lone_cr
            or len(data) > self._limit
            or b"\0" in data
            or data.startswith(_BOM)
            or (dialect.backslash and b"\\" in data)
            or (self._has_quotes and not self._has_good_quotes())
        ):
            return None
        try:
            fields = _read_csv(data, dialect.delimiter, dialect.quote if self._has_quotes else None, names)
        except (pl.exceptions.ComputeError, pl.exceptions.SchemaError):
            return None
        sizes = fields.select(pl.sum_horizontal(pl.all().str.len_bytes())).to_series().to_numpy().astype(np.int64)
        left_out = self._left_out_quotes
        num_cr = len(data) - int(sizes.sum()) - fields.height * grammar.width - len(left_out)
        # A CR that was taken off could hide a field that was made up, unless one was taken off every line.
        if num_cr != fields.height and (num_cr or b"\r" in data):
            return None
        if (grammar.width == 1 and not sizes.all()) or self._may_repeat_header(fields[names[0]]):
            return None
        ends = np.cumsum(sizes + (grammar.width + (1 if num_cr else 0)))
        # These ends are counted without the quotes that are left out; so are their own places here.
        ends += np.searchsorted(left_out - np.arange(len(left_out)), ends)
        if not self._has_quotes or data.count(b"\n") == fields.height:
            return Parsed(fields, ends, np.arange(fields.height + 1))
        return Parsed(fields, ends, np.append(0, np.searchsorted(self.line_ends, ends, side="right")))

    def _has_good_quotes(self) -> bool:
        """Whether every quote opens a field at its start, closes one at its end, or is one of two inside one."""
        data = self._bytes
        if len(self._quotes) % 2 or (b"\r" in self.data and self.data.count(b"\r") != self.data.count(b"\r\n")):
            return False
        quote, mark = data[self._quotes[0]], self._grammar.mark[0]
        before = data[self._quotes[0::2] - 1]  # before the block's first byte stands, in effect, its last: a line end
        after = data[self._quotes[1::2] + 1]
        return bool(
            ((before == mark) | (before == _LF) | (before == quote)).all()
            and ((after == mark) | (after == _LF) | (after == quote) | (after == _CR)).all()
        )

    @cached_property
    def _left_out_quotes(self) -> Places:
        """The quotes that are no part of a value, if all are well placed: all but the first of two inside a field."""
        quotes = self._quotes
        is_first_of_two = np.zeros(len(quotes), np.bool_)
        is_first_of_two[1:-1:2] = np.diff(quotes)[1::2] == 1
        return quotes[~is_first_of_two]

    def _may_repeat_header(self, first_fields: pl.Series) -> bool:
        return self._repeated is not None and (first_fields == self._repeated.first_name).any()

    def run(self, start: int) -> Places:
        """The ends of the plain records that follow one another from `start` on, which is the start of a record."""
        odd = int(np.searchsorted(self._quotes, start)) & 1 if self._has_quotes else 0
        cut = self._cuts.get(odd)
        if cut is None:
            cut = self._cuts[odd] = self._cut(odd)
        first = int(np.searchsorted(cut.ends, start, side="right"))
        return cut.ends[first : int(cut.not_plain[np.searchsorted(cut.not_plain, first)])]

    def _cut(self, odd: int) -> _Cut:
        grammar = self._grammar
        ends, marks = self.line_ends, self._marks
        if self._has_quotes:
            ends, marks = ends[self._odd_line_ends == odd], marks[self._odd_marks == odd]
        num_fields = np.diff(np.searchsorted(marks, ends), prepend=0) + 1
        sizes = np.diff(ends, prepend=0)
        plain = (num_fields == grammar.width) & (sizes <= self._limit)
        if grammar.width == 1:  # an empty line is no record
            content = sizes - 1 - (self._bytes[np.maximum(ends - 2, 0)] == _CR) * (self._bytes[ends - 1] == _LF)
            plain &= content > 0
        wrong = [self._suspicious]
        if self._has_quotes:
            wrong.append(self._misplaced_quotes(odd))
            if grammar.dialect.lone_cr:  # their line ends are rewritten, so none may lie inside quotes
                wrong.append(self.line_ends[self._odd_line_ends != odd] - 1)
        records = np.searchsorted(ends, np.concatenate(wrong), side="right")
        plain[records[records < len(ends)]] = False
        if self._has_quotes:
            plain[self._before_doubt(odd, ends, plain)] = False
        return _Cut(ends, np.append(np.flatnonzero(~plain), len(ends)))

    @cached_property
    def _may_open(self) -> Flags:
        """For each byte whether a quote there may open a field, or be the second of a doubled one."""
        found = np.ones(len(self._bytes), np.bool_)
        found[1:] = self._is_quote[:-1] | (self._bytes[:-1] == _LF)
        if self._grammar.dialect.lone_cr:
            found[1:] |= self._bytes[:-1] == _CR
        behind = self._marks + len(self._grammar.mark)
        found[behind[behind < len(found)]] = True
        return found

    @cached_property
    def _may_close(self) -> Flags:
        """For each byte whether a quote there may close a field, or be the first of a doubled one."""
        found = np.ones(len(self._bytes), np.bool_)
        found[:-1] = self._is_quote[1:] | (self._bytes[1:] == _LF)
        if self._grammar.dialect.lone_cr:
            found[:-1] |= self._bytes[1:] == _CR
        elif b"\r\n" in self.data:
            found[:-2] |= (self._bytes[1:-1] == _CR) & (self._bytes[2:] == _LF)
        found[self._marks[self._marks > 0] - 1] = True
        return found

    def _before_doubt(self, odd: int, ends: Places, plain: Flags) -> Places:
        """The records before one that is not plain, or before the block's end, with a closing quote that may open."""
        closing = self._quotes[1 - odd :: 2]
        records = np.searchsorted(ends, closing[self._may_open[closing]], side="right")
        records = records[records < len(ends)]
        return records[~np.append(plain[1:], False)[records]]

    def _misplaced_quotes(self, odd: int) -> Places:
        """Quotes that neither open a field at its start, nor close one at its end, nor are doubled inside one."""
        opening, closing = self._quotes[odd::2], self._quotes[1 - odd :: 2]
        return np.concatenate([opening[~self._may_open[opening]], closing[~self._may_close[closing]]])


def parse(pieces: list[bytes], num_records: int, grammar: Grammar, names: list[str]) -> pl.DataFrame:
    """The fields of plain records, as text.

    Args:
        pieces: the records' bytes.
        num_records: how many they are.
        grammar: the patterns of their file.
        names: what to call the columns.
    """
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    mark, quote = grammar.mark, grammar.dialect.quote
    stand_in = None
    if len(mark) > 1:
        stand_in = next((byte for byte in _STAND_INS if byte not in data), None)
        if stand_in is None:
            return _parse_slowly(data, grammar, names)
        data = data.replace(mark, stand_in)
    if grammar.dialect.lone_cr:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    has_quotes = quote is not None and quote.encode() in data
    fields = _read_csv(data, (stand_in or mark).decode(), quote if has_quotes else None, names)
    if fields.height != num_records:
        raise AssertionError(f"{num_records} records were proven plain, and {fields.height} were parsed")
    if stand_in and has_quotes:
        fields = fields.with_columns(pl.all().str.replace_all(stand_in.decode(), mark.decode(), literal=True))
    return fields


def _read_csv(data: bytes, separator: str, quote: str | None, names: list[str]) -> pl.DataFrame:
    return pl.read_csv(
        data,
        has_header=False,
        schema=dict.fromkeys(names, pl.String),
        separator=separator,
        quote_char=quote,
        empty_string_is_null=False,
    )


def _parse_slowly(data: bytes, grammar: Grammar, names: list[str]) -> pl.DataFrame:
    rows: list[list[str]] = []
    at = 0
    while at < len(data):
        found = grammar.any_record(data, at)
        values = grammar.split(data[at : found[0]]) if found else None
        if found is None or values is None:
            raise AssertionError(f"a record was proven plain, and cannot be parsed at byte {at} of its block")
        rows.append([value.decode() for value in values])
        at = found[1]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
