r"""What a field, a line and a record are, for one dialect and one number of columns.

A quote opens a field only at its very start, is doubled inside it, and must be followed by a delimiter or a line end
where it closes. Elsewhere a quote is text. In a dialect with backslashes, one before a quote, a delimiter or a
backslash makes text of it; before anything else it is text itself.
"""

import re

from data_platform.intake.dialect import Dialect
from data_platform.intake.window import Window

_BLANKS = b" \t\v\f\r"


class _Patterns:
    """The pieces of the patterns, over characters; bytes are written as the characters of the same number."""

    def __init__(self, dialect: Dialect, mark: str) -> None:
        first, rest = re.escape(mark[0]), re.escape(mark[1:])
        quote = re.escape(dialect.quote) if dialect.quote else ""
        self.mark = re.escape(mark)
        self.pair = rf"\\[{quote}{first}\\]" if dialect.backslash else ""
        # A run of text stops at these; what it may go on with behind each of them is `_go_on`.
        self._stops = first + (r"\\" if dialect.backslash else "")
        self._go_on = rf"\\[{quote}{first}\\]?+" if dialect.backslash else rf"{first}(?!{rest})" if rest else ""
        if quote:
            more = rf"(?:{quote}{quote}|\\[{quote}{first}\\]?+)" if dialect.backslash else quote + quote
            text = rf"[^{quote}" + (r"\\]*+" if dialect.backslash else "]*+")
            self.inside = rf"{text}(?:{more}{text})*+"
            self.open = quote + self.inside
            self.not_open = f"(?!{quote})"
        else:
            self.inside, self.open, self.not_open = "", r"(?!)", ""
        self.quote = quote

    def outside(self, also: str = "") -> str:
        """Text without a delimiter; `also` are further characters that it may not hold."""
        run = rf"[^{self._stops}{also}]*+"
        return rf"{run}(?:{self._go_on}{run})*+" if self._go_on else run

    def field(self, also: str = "") -> str:
        """One field; `also` are further characters that it may not hold unless it is quoted."""
        return rf"(?:{self.open}{self.quote}|{self.not_open}{self.outside(also)})"


def _compiled(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode("latin-1"))


class Grammar:
    """The compiled patterns of one file.

    Args:
        dialect: how the file is written.
        width: number of columns.
    """

    def __init__(self, dialect: Dialect, width: int) -> None:
        mark = dialect.delimiter.encode()
        parts = _Patterns(dialect, mark.decode("latin-1"))
        ends, eol = (r"(?:\r\n?|\n)", r"\r\n") if dialect.lone_cr else (r"\r?\n", r"\n")
        field, bare = parts.field(), parts.field(eol)
        more = f"){{{width - 1}}}+"
        self.dialect = dialect
        self.width = width
        self.mark = mark
        self.quote = dialect.quote.encode() if dialect.quote else None
        # So many bytes must be in sight behind a place for a decision there.
        self.lookahead = 2 + len(mark)
        self.line_end = _compiled(ends)
        self._line_record = _compiled(f"{field}(?:{parts.mark}{field}{more}")
        self._record = _compiled(f"{bare}(?:{parts.mark}{bare}{more}(?:{ends}|\\Z)")
        self._any_record = _compiled(f"{bare}(?:{parts.mark}{bare})*+(?:{ends}|\\Z)")
        self.opening = _compiled(f"((?:{field}{parts.mark})*+){parts.open}")
        self.inside_quotes = _compiled(parts.inside)
        self.outside_quotes = _compiled(parts.outside(eol))
        # A leading delimiter makes every match non-empty, so one pass both splits and proves: see `split`.
        self._field = _compiled(f"{parts.mark}({field})")
        # Pairs and doubled quotes in one pass from the left, for a pair may end in a quote.
        self._pair = _compiled(rf"\\([{parts.quote}{parts.mark}\\])")
        self._pair_in_quotes = _compiled(rf"\\([{parts.quote}{parts.mark}\\])|({parts.quote}){parts.quote}")

    def line(self, window: Window, start: int) -> tuple[int, int] | None:
        """End of the content and end of the physical line that starts at `start`; null if its end is not in sight."""
        data = window.data
        if self.dialect.lone_cr:
            found = self.line_end.search(data, start)
            if found and (found.end() < len(data) or window.ended):  # a CR in sight may be half of a CRLF
                return found.span()
        else:
            end = data.find(b"\n", start) + 1
            if end:
                return self.content_end(data, start, end), end
        return (len(data), len(data)) if window.ended else None

    def content_end(self, data: bytes | bytearray, start: int, end: int) -> int:
        """Where the content of the line or record `start:end` stops and its line end begins."""
        if data.endswith(b"\r\n", start, end):
            return end - 2
        if data.endswith((b"\n", b"\r") if self.dialect.lone_cr else b"\n", start, end):
            return end - 1
        return end

    def last_line(self, data: bytes | bytearray, start: int, end: int) -> int:
        """Where the last physical line of `start:end` begins."""
        content_to = self.content_end(data, start, end)
        found = data.rfind(b"\n", start, content_to) + 1
        if self.dialect.lone_cr:
            found = max(found, data.rfind(b"\r", start, content_to) + 1)
        return max(start, found)

    def num_line_ends(self, data: bytes | bytearray, start: int, end: int) -> int:
        """Number of physical line ends in `start:end`."""
        feeds = data.count(b"\n", start, end)
        if not self.dialect.lone_cr:
            return feeds
        return feeds + data.count(b"\r", start, end) - data.count(b"\r\n", start, end)

    def is_blank(self, content: bytes | bytearray) -> bool:
        """Whether a line holds no record: nothing, or in a file of several columns white space without a delimiter."""
        return not content or (self.width > 1 and not content.strip(_BLANKS) and self.mark not in content)

    def is_sound_line(self, data: bytes | bytearray, start: int, end: int) -> bool:
        """Whether the content `start:end` of one line parses by itself to exactly `width` fields."""
        return end > start and self._line_record.fullmatch(data, start, end) is not None

    def has_quote_as_text(self, content: bytes) -> bool:
        """Whether a line, as far as it parses by itself, has a quote in an unquoted field."""
        quote, at = self.quote, 0
        while quote and (found := self._field.match(self.mark + content, at)):
            if quote in found[1] and not found[1].startswith(quote):
                return True
            at = found.end()
        return False

    def record_end(self, data: bytearray, start: int) -> int | None:
        """End of the record that starts at `start`, if it parses to exactly `width` fields; looks at no more of them.

        A record that reaches the end of `data` is whole only if the file ends there.
        """
        found = self._record.match(data, start)
        return found.end() if found else None

    def any_record(self, data: bytes, start: int) -> tuple[int, int] | None:
        """End of the content and end of the record at `start`, of any width, or null where its quoting is broken."""
        found = self._any_record.match(data, start)
        return (self.content_end(data, start, found.end()), found.end()) if found else None

    def split(self, content: bytes) -> list[bytes] | None:
        """The values of one record's content, or null where its quoting is broken."""
        raw = self.split_raw(content)
        if raw is None or not self._has_marks(content):
            return raw
        return [self.value(field) for field in raw]

    def split_raw(self, content: bytes) -> list[bytes] | None:
        """The fields of one record's content as they are written, or null where its quoting is broken."""
        mark = self.mark
        if not self._has_marks(content):
            return content.split(mark)
        raw = self._field.findall(mark + content)
        # findall steps over what it cannot match: only if nothing was stepped over is the record well formed.
        if sum(map(len, raw)) + len(raw) * len(mark) != len(content) + len(mark):
            return None
        return raw

    def _has_marks(self, content: bytes) -> bool:
        """Whether quotes or escapes may stand in a record."""
        return (self.quote is not None and self.quote in content) or (self.dialect.backslash and b"\\" in content)

    def value(self, field: bytes) -> bytes:
        """What a field of a record says, without its quotes and escapes."""
        quote = self.quote
        quoted = quote is not None and field[:1] == quote
        if quoted:
            field = field[1:-1]
        if self.dialect.backslash and b"\\" in field:
            pair = self._pair_in_quotes if quoted else self._pair
            return pair.sub(lambda found: found[1] or found[2], field)
        return field.replace(quote * 2, quote) if quoted and quote else field
