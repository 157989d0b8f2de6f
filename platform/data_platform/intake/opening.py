"""The start of a file: is it text at all, its encoding, its dialect, and what stands above the first record.

What is wrong here concerns the whole file and raises `NotDelimitedText`. Damage after the header is not its business.
"""

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from data_platform.intake.block import Places, RepeatedHeader
from data_platform.intake.cells import is_data, is_year, reads_like_header
from data_platform.intake.encoding import Transcoded, detect
from data_platform.intake.grammar import Grammar
from data_platform.intake.sniff import Row, delimits_in_cp1252, rows_of, sniff
from data_platform.intake.window import Span, Window

SAMPLE_BYTES = 256 * 2**10
_SAMPLE_ROWS = 1_000
_MAX_HEADER_LINES = 5
_TABLE_ROWS = 5  # of the rows that make a table of what might be a preamble
_BODY_ROWS = 3  # of the rows that can tell what columns hold
_FEW_COLUMNS = 2  # with so few, a row with one value says nothing
_BINARY = (
    (re.compile(rb"PK(?:\x03\x04|\x05\x06)(?=.*(?:xl/|\[Content_Types\]))", re.DOTALL), "an Excel workbook (XLSX)"),
    (re.compile(rb"PK(?:\x03\x04|\x05\x06)"), "a ZIP archive"),
    (re.compile(rb"\x1f\x8b"), "a gzip archive"),
    (re.compile(rb"BZh[1-9]1AY&SY"), "a bzip2 archive"),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "a Zstandard archive"),
    (re.compile(rb"\xfd7zXZ\x00"), "an XZ archive"),
    # A text file may have a first column called PAR1; in Parquet a control byte follows.
    (re.compile(rb"PAR1(?:[\x00-\x08\x0e-\x1f]|\Z)"), "a Parquet file"),
    (re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "an old Excel workbook (XLS)"),
    (re.compile(rb"%PDF-"), "a PDF document"),
    (re.compile(rb"\s*<(?:!doctype html|html)\b", re.IGNORECASE), "an HTML page"),
)
# Control characters that text does not have; some of the others delimit or are white space.
_CONTROLS = bytes({*range(0x20)} - {*b"\t\n\v\f\r\x01\x1a\x1b\x1c\x1d\x1e\x1f"})


class NotDelimitedText(ValueError):
    """The file as a whole cannot be read as delimited text.

    Attributes:
        reason: `empty_file` or `not_text`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Header:
    """The names of the columns.

    Attributes:
        names: column names as written; may be empty or occur twice, and may be fewer or more than there are columns.
            Of a header over several lines each name has its parts joined by a space.
        line: physical line where it starts, from 1.
        byte_from: file offset of its first byte.
        byte_to: file offset behind its line end.
        num_lines: physical lines that it takes.
    """

    names: tuple[str, ...]
    line: int
    byte_from: int
    byte_to: int
    num_lines: int


@dataclass(frozen=True)
class Part:
    """A piece of the file's structure: its kind, first physical line, span in the text, and number of lines."""

    kind: str
    line: int
    byte_from: int
    byte_to: int
    num_lines: int = 1


@dataclass(frozen=True)
class Opening:
    """What the start of a file tells.

    Attributes:
        window: the text behind what is told here.
        transcoded: where the text comes from, if it is not the file itself.
        bom: length of the byte order mark.
        grammar: the patterns of its dialect and width.
        names: the column names, or null.
        parts: all there is above the first record, without the byte order mark.
        start: where in the text the first record may begin.
        last_line: span in the text of the last physical line above that is not blank, which the window still holds.
        repeated: the header, where it is one line that can be known again; else null.
    """

    window: Window
    transcoded: Transcoded | None
    bom: int
    grammar: Grammar
    names: tuple[str, ...] | None
    parts: tuple[Part, ...]
    start: int
    last_line: Span | None
    repeated: RepeatedHeader | None


def read_opening(chunks: Iterable[bytes], max_record_bytes: int, names: Collection[str] = ()) -> Opening:
    """Read up to the first record.

    Args:
        chunks: the file's bytes.
        max_record_bytes: as `read` takes it.
        names: the first row that has all of them is the header, whatever else would look like one.

    Raises:
        NotDelimitedText: the file is empty, or no text.
    """
    stream = iter(chunks)
    head = _head(stream)
    _refuse_binary(head)
    encoding, bom = detect(head)
    if encoding == "utf-8" and not bom and delimits_in_cp1252(head[:SAMPLE_BYTES], is_whole=len(head) < SAMPLE_BYTES):
        encoding = "cp1252"
    text: Iterable[bytes] = itertools.chain([head[bom:]], stream)
    transcoded = Transcoded(text, encoding, bom) if encoding != "utf-8" else None
    window = Window(transcoded or text, start=bom)
    window.fill(SAMPLE_BYTES)
    sample = bytes(window.data[:SAMPLE_BYTES])
    if not re.search(rb"[\r\n]", sample.strip()):
        window.fill(max_record_bytes)
        sample = bytes(window.data[:max_record_bytes])
    if window.ended and not sample.strip():
        raise NotDelimitedText("empty_file", "expected a header or records, found a file without any")
    is_whole = window.ended and len(sample) == len(window.data)
    dialect = sniff(sample, encoding, is_whole=is_whole)
    rows = rows_of(sample, Grammar(dialect, 1), is_whole=is_whole, max_rows=_SAMPLE_ROWS)
    table = _Table(rows, names)
    grammar = Grammar(dialect, table.width)
    parts = tuple(_parts(sample, table, grammar, window.base))
    header = rows[table.header_from : table.records_from]
    repeated = None
    if len(header) == 1 and table.width > 1 and parts[-1].num_lines == 1:
        repeated = RepeatedHeader(sample[header[0].start : header[0].content_to], header[0].fields[0])
    start = parts[-1].byte_to if parts else window.base
    last_line = _last_line(window, grammar, parts)
    window.drop((last_line[0] if last_line else start) - window.base)
    return Opening(window, transcoded, bom, grammar, table.names, parts, start, last_line, repeated)


def _head(stream: Iterator[bytes]) -> bytes:
    head = b""
    for chunk in stream:
        head += chunk
        if len(head) >= SAMPLE_BYTES:
            break
    return head


def _refuse_binary(head: bytes) -> None:
    for pattern, kind in _BINARY:
        if pattern.match(head):
            raise NotDelimitedText("not_text", f"expected delimited text, found what looks like {kind}")
    encoding, _ = detect(head)
    num_controls = len(head) - len(head.translate(None, _CONTROLS))
    if encoding == "utf-8" and num_controls > max(8, len(head) // 20):
        raise NotDelimitedText(
            "not_text",
            f"expected delimited text, found {num_controls} control characters in the first {len(head)} bytes",
        )
    if not head:
        raise NotDelimitedText("empty_file", "expected a header or records, found an empty file")


def _parts(sample: bytes, table: "_Table", grammar: Grammar, base: int) -> Iterator[Part]:
    line = 1
    for place, row in enumerate(table.rows[: table.records_from]):
        num_lines = max(1, grammar.num_line_ends(sample, row.start, row.end))
        is_blank = grammar.is_blank(sample[row.start : row.content_to])
        above = "header" if place >= table.header_from else "preamble"
        yield Part("blank" if is_blank else above, line, base + row.start, base + row.end, num_lines)
        line += num_lines


def _last_line(window: Window, grammar: Grammar, parts: Sequence[Part]) -> Span | None:
    part = next((part for part in reversed(parts) if part.kind != "blank"), None)
    if part is None:
        return None
    base = window.base
    return base + grammar.last_line(window.data, part.byte_from - base, part.byte_to - base), part.byte_to


class _Table:
    """Where the first table of a sample begins, how wide it is, and which of its rows are its header.

    Attributes:
        rows: the sample's rows.
        width: number of columns.
        header_from: the header's first row; `records_from` if there is none.
        records_from: the first row that is a record; the number of rows if there is none.
        names: the column names, or null.
    """

    def __init__(self, rows: Sequence[Row], names: Collection[str]) -> None:
        self.rows = rows
        self._filled = [place for place, row in enumerate(rows) if not row.is_blank]
        self.width = self._find_width()
        own = self._own_rows()
        first = own[0] if own else len(rows)
        above = [place for place in self._filled if place < first]
        told = next((place for place in own if names and {*names} <= {*map(str.strip, rows[place].fields)}), None)
        if told is not None:
            self.header_from, self.records_from = told, told + 1
        elif above and not self._is_header(own) and self._nearly_a_header(above[-1], first):
            self.header_from, self.records_from = above[-1], above[-1] + 1
        elif own and self._is_header(own):
            self.header_from, self.records_from = first, self._header_to(own)
        else:
            self.header_from = self.records_from = first
        self.names = self._names()

    def _find_width(self) -> int:
        """The commonest number of fields; but that of a table above it, if that one is long enough to be one."""
        places: dict[int, list[int]] = {}
        for place in self._filled:
            places.setdefault(len(self.rows[place].fields), []).append(place)
        places.pop(0, None)
        if not places:
            return 1
        many = {width: found for width, found in places.items() if width > 1} or places
        width = max(many, key=lambda width: len(many[width]))
        for other, found in many.items():
            is_long = len(found) >= _TABLE_ROWS and 4 * len(found) >= len(many[width])
            if is_long and found[0] < many[width][0] and found[len(found) // 2] < many[width][0]:
                return other
        return width

    def _own_rows(self) -> list[int]:
        """The places of the table's rows, without lines above that are only filled up with delimiters to its width."""
        own = [place for place in self._filled if len(self.rows[place].fields) == self.width]
        if self.width <= _FEW_COLUMNS:
            return own
        usual = [self._num_values(place) for place in own[:20]]
        while len(own) > 1 and self._num_values(own[0]) <= 1 < sorted(usual)[len(usual) // 2]:
            own.pop(0)
        return own

    def _num_values(self, place: int) -> int:
        return sum(1 for field in self.rows[place].fields if field.strip())

    def _body(self, own: Sequence[int]) -> list[tuple[str, ...]]:
        """The rows of the table below its first one, without repetitions of that one."""
        first = self.rows[own[0]].fields
        return [self.rows[place].fields for place in own[1:201] if self.rows[place].fields != first]

    def _is_header(self, own: Sequence[int]) -> bool:
        """Whether the table's first row names its columns.

        What tells is columns of numbers and the like: a name is not of their kind. Where there are none, names are what
        does not occur as values of their columns.
        """
        if not own or not any(map(str.strip, self.rows[own[0]].fields)):
            return False
        fields, body = self.rows[own[0]].fields, self._body(own)
        num_names = num_values = num_words = num_repeated = 0
        for name, column in zip(fields, zip(*body, strict=True), strict=True) if body else ():
            values = [value for value in column if value.strip()]
            if not name.strip() or not values:
                continue
            if 10 * sum(map(is_data, values)) < 9 * len(values):
                num_words += 1
                num_repeated += name in values
            elif not is_data(name) or (is_year(name) and not all(map(is_year, values))):
                num_names += 1
            else:
                num_values += 1
        if num_names or num_values:
            return num_names >= num_values
        return 2 * num_repeated <= num_words

    def _nearly_a_header(self, place: int, first: int) -> bool:
        """Whether the row directly above the table names its columns, though not all or one too many."""
        fields = self.rows[place].fields
        near = abs(len(fields) - self.width) <= max(1, self.width // 4)
        return place == first - 1 and len(fields) > 1 and near and reads_like_header(fields)

    def _header_to(self, own: Sequence[int]) -> int:
        """Behind the header's last row: rows go on it while they have no value in any column of values below."""
        for num_rows in range(1, min(_MAX_HEADER_LINES, len(own) - 1) + 1):
            place = own[num_rows - 1]
            body = [self.rows[later].fields for later in own[num_rows : num_rows + 200]]
            if len(body) < _BODY_ROWS or own[num_rows] != place + 1 or body[0] == self.rows[place].fields:
                return place + 1
            kinds = [10 * sum(map(is_data, column)) >= 9 * len(column) for column in zip(*body[1:], strict=True)]
            following = [field for field, of_values in zip(body[0], kinds, strict=True) if of_values]
            if sum(kinds) <= 1 or not any(map(str.strip, following)) or any(map(is_data, following)):
                return place + 1
        return own[0] + 1

    def _names(self) -> tuple[str, ...] | None:
        rows = [row.fields for row in self.rows[self.header_from : self.records_from] if not row.is_blank]
        if not rows:
            return None
        return tuple(" ".join(part for part in parts if part.strip()) for parts in zip(*rows, strict=True))


def first_line(parts: Sequence[Part]) -> int:
    """The physical line behind the parts."""
    return parts[-1].line + parts[-1].num_lines if parts else 1


def header_of(
    parts: Sequence[Part], names: tuple[str, ...] | None, in_file: Callable[[Places], Places] | None
) -> Header | None:
    """The header that the parts hold, with its offsets in the file."""
    own = [part for part in parts if part.kind == "header"]
    if names is None or not own:
        return None
    span = np.array([own[0].byte_from, own[-1].byte_to])
    byte_from, byte_to = in_file(span) if in_file else span
    return Header(names, own[0].line, int(byte_from), int(byte_to), sum(part.num_lines for part in own))
