"""Finds out how a file is written by trying: every dialect that may be is tried on the file's first lines.

The dialect wins under which the most lines have the same number of fields, and the fields look like values.
"""

import codecs
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from data_platform.intake.cells import is_data, plausibility
from data_platform.intake.dialect import Dialect
from data_platform.intake.encoding import as_utf8, codec_of
from data_platform.intake.grammar import Grammar

_SCORED_ROWS = 300
_SCORED_BYTES = 64 * 2**10
_SCORED_FIELDS = 3_000
# In order of preference. What prose has too has to prove itself: see `_earns_it`.
_STRONG = (",", "\t", ";", "|", "\x1f", "\x01", "\x1e", "^", "~", "§", "¦", "¬")
_WEAK = (" ", ":", "#", "&", "*", "!")
_SINGLE_COLUMN_SCORE = 0.1
# So many fields that a quote opens, and none that one closes, make quotes text.
_STRAY_QUOTES = 5


@dataclass(frozen=True)
class Row:
    """A record of the sample, or a line of it whose quoting is broken (then it has no fields).

    Attributes:
        start: offset of its first byte in the sample.
        content_to: offset behind its last byte that is no line end.
        end: offset behind its line end.
        raw: its fields as they are written.
        fields: its fields as they are meant.
    """

    start: int
    content_to: int
    end: int
    raw: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def is_blank(self) -> bool:
        """Whether nothing but white space stands in the line."""
        return len(self.raw) == 1 and not self.raw[0].strip(" \t\v\f\r")


def rows_of(sample: bytes, grammar: Grammar, *, is_whole: bool, max_rows: int) -> list[Row]:
    """The sample's records, however many fields they have; without a last one that may go on behind the sample."""
    rows: list[Row] = []
    at = 0
    while at < len(sample) and len(rows) < max_rows:
        row = _row_at(sample, at, grammar)
        if row.end == len(sample) and not is_whole:
            break
        rows.append(row)
        at = row.end
    return rows


def _row_at(sample: bytes, at: int, grammar: Grammar) -> Row:
    found = grammar.any_record(sample, at)
    if found is not None:
        content = sample[at : found[0]]
        raw = grammar.split_raw(content)
        if raw is not None:
            codec = codec_of(content)
            return Row(at, *found, tuple(codec.decoded(raw)), tuple(codec.decoded(map(grammar.value, raw))))
    line_end = grammar.line_end.search(sample, at)
    return Row(at, *(line_end.span() if line_end else (len(sample), len(sample))))


def delimits_in_cp1252(sample: bytes, *, is_whole: bool) -> bool:
    """Whether the delimiter of a sample without a sign of its encoding is beyond ASCII, and written in cp1252.

    Then the file is in cp1252. With any other delimiter, each record may be in its own encoding.
    """
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        in_cp1252 = sniff(as_utf8(sample, "cp1252"), "cp1252", is_whole=is_whole).delimiter
        return not in_cp1252.isascii() and sniff(sample, "utf-8", is_whole=is_whole).delimiter.isascii()
    return False


def sniff(sample: bytes, encoding: str, *, is_whole: bool) -> Dialect:
    """The dialect that explains the sample best.

    Args:
        sample: the first bytes of the text, as UTF-8 (or whatever single-byte encoding it is in).
        encoding: what the dialect is to say of the encoding.
        is_whole: whether the file ends with the sample.
    """
    text = sample.decode(errors="replace")
    ends = (False, True) if re.search("\r(?!\n)", text) else (False,)
    best, best_score = Dialect(encoding, lone_cr=ends[-1] and "\n" not in text), _SINGLE_COLUMN_SCORE
    for lone_cr in ends:
        for candidate in _candidates(text, replace(best, lone_cr=lone_cr)):
            score = _score(sample[:_SCORED_BYTES], candidate, is_whole=is_whole and len(sample) <= _SCORED_BYTES)
            if score > best_score + 1e-9:
                best, best_score = candidate, score
    return best


def _candidates(text: str, base: Dialect) -> Iterator[Dialect]:
    single = [mark for mark in _STRONG + _WEAK if mark in text]
    double = [twice for mark in single if mark != " " for twice in (mark + " ", mark + mark) if twice in text]
    for delimiter in sorted(single + double, key=lambda mark: mark[0] in _WEAK):
        mark = re.escape(delimiter)
        quotes: list[str | None] = ['"']
        quoted, other = (
            re.compile(
                rf"(?:^|{mark}){quote}(?:[^{quote}]|{quote * 2}|\\{quote})*{quote}(?={mark}|\r|\n|\Z)", re.MULTILINE
            )
            for quote in "\"'"
        )
        if other.search(text):
            quotes.append("'")
        if not quoted.search(text) and len(re.findall(rf"(?:^|{mark})\"", text, re.MULTILINE)) >= _STRAY_QUOTES:
            quotes.append(None)
        for quote in quotes:
            yield replace(base, delimiter=delimiter, quote=quote, backslash=False)
            if quote and len(delimiter) == 1 and delimiter.isascii() and "\\" + quote in text:
                yield replace(base, delimiter=delimiter, quote=quote, backslash=True)


def _score(sample: bytes, dialect: Dialect, *, is_whole: bool) -> float:
    """From 0 to 1: the share of lines of the commonest width, times how much their fields look like values."""
    rows = rows_of(sample, Grammar(dialect, 1), is_whole=is_whole, max_rows=_SCORED_ROWS)
    filled = [row for row in rows if not row.is_blank]
    widths = Counter(len(row.fields) for row in filled if len(row.fields) > 1)
    if not widths:
        return 0.0
    width, num_rows = widths.most_common(1)[0]
    table = [row for row in filled if len(row.fields) == width]
    is_weak = dialect.delimiter[0] in _WEAK
    if is_weak and not _earns_it(table, len(filled), dialect):
        return 0.0
    scored = table[: max(1, _SCORED_FIELDS // width)]
    likeness = sum(_likeness(row, dialect.quote) for row in scored) / len(scored)
    # A column without a value, or even a name, is none: one delimiter was taken for two.
    num_empty = sum(not any(map(str.strip, column)) for column in zip(*(row.raw for row in scored), strict=True))
    likeness *= 1 - num_empty / width
    # Each further width among the lines speaks against the dialect a little, as do lines whose quoting is broken.
    variety = len(widths) + any(not row.fields for row in filled)
    # More columns and more rows are less likely to be by chance.
    size = (1 - 1 / (width + 1)) * (1 - 1 / (num_rows + 1))
    score = num_rows / len(filled) * likeness * size / (1 + 0.02 * variety)
    return score * 0.7 if is_weak else score


def _likeness(row: Row, quote: str | None) -> float:
    """The mean plausibility of a record's fields; what stands in quotes is taken as meant."""
    fields = row.raw
    return sum(1.0 if quote and field[:1] == quote else plausibility(field) for field in fields) / len(fields)


def _earns_it(table: Sequence[Row], num_lines: int, dialect: Dialect) -> bool:
    """Whether a delimiter that prose has too makes a table.

    Nearly all lines agree, one column at least is data or quoted, and the lines are not data as a whole, as times are.
    """
    records = [row.raw for row in table[1:] or table]
    if len(table) < 0.8 * num_lines or sum(is_data(dialect.delimiter.join(row)) for row in records) > len(records) / 2:
        return False

    def tells(field: str) -> bool:
        return is_data(field) or (dialect.quote is not None and field[:1] == dialect.quote)

    return any(sum(map(tells, column)) >= 0.8 * len(column) for column in zip(*records, strict=True))
