"""The reader's oracle: plain Python over the whole file, byte by byte. Slow on purpose; remembers nothing.

It is told what the reader found by looking at the start of a file, and says everything below. Where the file is all in
another encoding, it works on the text's UTF-8 form and counts its way back to the file's own bytes. Which text is a
number, date or time is a definition, not a computation: it takes the reader's own.
"""

from bisect import bisect_left
from dataclasses import dataclass, field, replace

from data_platform.intake.cells import is_typed

Span = tuple[int, int]
Line = tuple[int, int, int]
LF, CR, BACKSLASH = b"\n", b"\r", b"\\"
WHITE_SPACE = b" \t\v\f\r"
MOST_TOKENS, MOST_TOKENS_TOO_MANY, MOST_FOOTER_LINES, MOST_TABLE_START_LINES = 4096, 64, 50, 20


@dataclass(frozen=True)
class Found:
    """What the reader found by looking: the dialect, the width, and where the table begins."""

    delimiter: str
    width: int
    quote: str | None = '"'
    backslash: bool = False
    lone_cr: bool = False
    encoding: str = "utf-8"
    names: tuple[str, ...] | None = None
    bom: Span | None = None
    preamble: Span | None = None
    header: Span | None = None

    @property
    def body(self) -> int:
        """Where the first record may start."""
        return max(span[1] for span in (self.bom, self.preamble, self.header, (0, 0)) if span)


@dataclass
class Said:
    """Everything below the header, in the file's own bytes."""

    records: list[tuple[int, int, int, int, list[str], str | None]] = field(default_factory=list)
    rejects: list[tuple[int, int, int, int, str]] = field(default_factory=list)
    structure: list[tuple[str, int, int, int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Entry:
    """One thing found in the text, over some of its physical lines; `fields` are raw, none if they lead beyond it."""

    kind: str
    first: int
    behind: int
    fields: tuple[bytes, ...] = ()
    values: tuple[str, ...] = ()
    why: str | None = None

    @property
    def is_leftover(self) -> bool:
        is_whole_line = self.behind == self.first + 1 and len(self.fields) > 0
        return self.kind == "reject" and self.why == "wrong_number_of_fields" and is_whole_line


def utf8_form(data: bytes, found: Found) -> tuple[bytes, list[int]]:
    """The text without its byte order mark as UTF-8, and the file offset of each of its bytes and of its end."""
    start = found.bom[1] if found.bom else 0
    if found.encoding == "utf-8":
        return data[start:], list(range(start, len(data) + 1))
    if found.encoding == "cp1252":
        text = [data[at : at + 1].decode("cp1252", "surrogateescape") for at in range(start, len(data))]
        characters = [character.encode("utf-8", "surrogatepass") for character in text]
        places = [at for at, character in enumerate(characters, start) for _ in character]
        return b"".join(characters), [*places, len(data)]
    size, order = int(found.encoding[4:6]) // 8, "big" if found.encoding.endswith("be") else "little"
    text, places, at = b"", [], start
    while at < len(data):
        to = at + size
        point = int.from_bytes(data[at:to], order)
        low = int.from_bytes(data[to : to + 2], order)
        if size == 2 and 0xD800 <= point < 0xDC00 <= low < 0xE000 and to + 2 <= len(data):
            point, to = 0x10000 + (point - 0xD800) * 0x400 + low - 0xDC00, to + 2
        whole = to <= len(data) and point <= 0x10FFFF
        character = chr(point).encode("utf-8", "surrogatepass") if whole else b"\xff"
        text, places, at = text + character, places + [at] * len(character), to
    return text, [*places, len(data)]


class Text:
    """A file's text and how it is to be read."""

    def __init__(self, data: bytes, found: Found, limit: int) -> None:
        self.found, self.limit, self.width = found, limit, found.width
        self.data, self.places = utf8_form(data, found)
        self.mark = found.delimiter.encode()
        self.quote = found.quote.encode() if found.quote else None
        above = self.physical_lines(0, bisect_left(self.places, found.body))
        self.num_lines_above = len(above)
        self.lines = self.physical_lines(bisect_left(self.places, found.body), len(self.data))
        self.doubtful_at_top = self.doubtful_to(above[-1]) if above else None
        header = found.header and self.data[slice(*(bisect_left(self.places, place) for place in found.header))]
        header_lines = Text.physical_lines_of(header, lone_cr=found.lone_cr) if header else []
        self.header = header[: header_lines[0][1]] if header and len(header_lines) == 1 and self.width > 1 else None

    @staticmethod
    def line_end_at(data: bytes, at: int, *, lone_cr: bool) -> int:
        """Length of the line end at a position; 0 if there is none."""
        if data[at : at + 2] == CR + LF:
            return 2
        if data[at : at + 1] == LF:
            return 1
        return 1 if lone_cr and data[at : at + 1] == CR else 0

    @staticmethod
    def physical_lines_of(data: bytes, *, lone_cr: bool, start: int = 0) -> list[Line]:
        """(start, end of content, end) of every line."""
        lines: list[Line] = []
        at = line_start = start
        while at < len(data):
            length = Text.line_end_at(data, at, lone_cr=lone_cr)
            if length:
                lines.append((line_start, at, at + length))
                line_start = at + length
            at += length or 1
        return [*lines, (line_start, at, at)] if line_start < at else lines

    def physical_lines(self, start: int, end: int) -> list[Line]:
        return self.physical_lines_of(self.data[:end], lone_cr=self.found.lone_cr, start=start)

    def parse(self, data: bytes, at: int, *, of_one_line: bool = False) -> tuple[str, int, list[bytes]]:
        """Read one record: ("ended" | "text_after_quote" | "unclosed", offset behind what decided it, fields)."""
        fields: list[bytes] = []
        while True:
            if self.quote and data[at : at + 1] == self.quote:
                value, at, closed = self.parse_quoted(data, at + 1)
                if not closed:
                    return "unclosed", at, fields
            else:
                value, at = self.parse_bare(data, at, of_one_line=of_one_line)
            fields.append(value)
            if at >= len(data):
                return "ended", at, fields
            if not self.delimits(data, at):
                length = 0 if of_one_line else self.line_end_at(data, at, lone_cr=self.found.lone_cr)
                return ("ended", at + length, fields) if length else ("text_after_quote", at + 1, fields)
            at += len(self.mark)

    def parse_quoted(self, data: bytes, at: int) -> tuple[bytes, int, bool]:
        """Value from behind the opening quote, the offset behind the closing one, and whether it closes at all."""
        value = b""
        while at < len(data):
            escaped = self.escaped_at(data, at)
            if escaped:
                value, at = value + escaped, at + 1 + len(escaped)
            elif self.quote and data[at : at + 2] == self.quote * 2:
                value, at = value + self.quote, at + 2
            elif data[at : at + 1] == self.quote:
                return value, at + 1, True
            else:
                value, at = value + data[at : at + 1], at + 1
        return value, at, False

    def parse_bare(self, data: bytes, at: int, *, of_one_line: bool) -> tuple[bytes, int]:
        """Value without quotes, and the offset behind it."""
        value = b""
        while at < len(data) and not self.delimits(data, at):
            if not of_one_line and self.line_end_at(data, at, lone_cr=self.found.lone_cr):
                break
            taken = self.escaped_at(data, at)
            at += 1 + len(taken) if taken else 1
            value += taken or data[at - 1 : at]
        return value, at

    def delimits(self, data: bytes, at: int) -> bool:
        return bool(self.mark) and data[at : at + len(self.mark)] == self.mark

    def escaped_at(self, data: bytes, at: int) -> bytes:
        """What a backslash at a position stands before, if that makes it an escape."""
        if self.found.backslash and data[at : at + 1] == BACKSLASH:
            for what in (self.quote, self.mark, BACKSLASH):
                if what and data[at + 1 : at + 1 + len(what)] == what:
                    return what
        return b""

    def is_blank(self, content: bytes) -> bool:
        if self.width > 1 and not content.strip(WHITE_SPACE):
            return not self.mark or self.mark not in content
        return not content

    def record_of_line(self, line: Line) -> list[bytes] | None:
        """The fields of a line that is a record by itself."""
        content = self.data[line[0] : line[1]]
        outcome, _, fields = self.parse(content, 0, of_one_line=True)
        is_record = outcome == "ended" and len(fields) == self.width and line[2] - line[0] <= self.limit
        return fields if is_record and content else None

    def decode(self, raw: bytes) -> tuple[str, str | None] | None:
        """Encoding of a record and the repair it took, or nothing where no encoding knows it."""
        is_bytes = self.found.encoding == "utf-8"
        for encoding, repair in (("utf-8", None), ("cp1252", "decoded_as_cp1252"))[: 2 if is_bytes else 1]:
            try:
                raw.decode(encoding)
            except UnicodeDecodeError:
                continue
            return encoding, repair
        return None

    def judge(self, index: int) -> tuple[str | None, int, list[bytes]]:
        """Reason for rejecting (or nothing), end and fields of the record that starts at a line."""
        start, _, end = self.lines[index]
        if end - start > self.limit:
            return "record_too_long", end, []
        outcome, to, fields = self.parse(self.data, start)
        if to - start > self.limit:
            return "unclosed_quote", end, []  # only a quote leads past the first line's end
        if outcome == "text_after_quote":
            return "text_after_quote", end, []
        is_right = outcome == "ended" and len(fields) == self.width
        others = [line for line in self.lines[index + 1 :] if line[0] < to]
        doubtful_to = self.doubtful_to(others[-1]) if others and outcome == "ended" else None
        if is_right and doubtful_to is None:
            return None, to, fields
        why = "unclosed_quote" if outcome == "unclosed" or is_right else "wrong_number_of_fields"
        if any(self.record_of_line(line) for line in others):
            return why, end, []  # the last of the fields is made of other records
        return why, doubtful_to or to, fields

    def doubtful_to(self, last_line: Line) -> int | None:
        """Where the record ends that the last line of other ones may begin with the quote that closes these."""
        outcome, to, fields = self.parse(self.data, last_line[0])
        if outcome != "ended" or len(fields) != self.width or to - last_line[0] > self.limit:
            return None
        for line in self.lines:
            if last_line[2] <= line[0] < to:
                if self.has_quote_as_text(self.data[line[0] : line[1]]):
                    return to
                if self.record_of_line(line):
                    return None
        return None

    def has_quote_as_text(self, content: bytes) -> bool:
        """Whether an unquoted field of a line has a quote, before its quoting breaks."""
        at, in_order = 0, True
        while self.quote and in_order:
            start = at
            if content[at : at + 1] == self.quote:
                _, at, in_order = self.parse_quoted(content, at + 1)
            else:
                _, at = self.parse_bare(content, at, of_one_line=True)
                if self.quote in content[start:at]:
                    return True
            in_order = in_order and self.delimits(content, at)
            at += len(self.mark)
        return False

    def is_first(self, index: int) -> bool:
        """Whether nothing but blank lines is above a line."""
        return all(self.is_blank(self.data[line[0] : line[1]]) for line in self.lines[:index])

    def entry(self, index: int) -> Entry:
        """What starts at a line."""
        start, content_to, end = self.lines[index]
        content = self.data[start:content_to]
        if end - start <= self.limit:
            if self.is_blank(content):
                return Entry("blank", index, index + 1)
            if self.doubtful_at_top and self.is_first(index):
                behind = sum(line[0] < self.doubtful_at_top for line in self.lines)
                return Entry("reject", index, behind, why="unclosed_quote")
            if self.header is not None and content == self.header:
                return Entry("repeated_header", index, index + 1)
        why, to, fields = self.judge(index)
        repair = None
        if why == "text_after_quote" and self.parse(self.data, start)[1] <= content_to and not self.found.backslash:
            mended = self.stray_quote_as_text(content)
            if mended:
                why, fields, repair = None, mended, "stray_quote_as_text"
        behind = index + sum(line[0] < to for line in self.lines[index:])
        decoded = self.decode(self.data[start:to])
        if not why and (0 in self.data[start:to] or decoded is None):
            why = "nul_byte" if 0 in self.data[start:to] else "undecodable"
        if why or decoded is None:
            return Entry("reject", index, behind, tuple(fields), why=why)
        values = tuple(value.decode(decoded[0]) for value in fields)
        repairs = ", ".join(filter(None, (decoded[1], repair))) or None
        return Entry("record", index, behind, tuple(fields), values, repairs)

    def stray_quote_as_text(self, content: bytes) -> list[bytes] | None:
        """The only way to cut a line into `width` fields that hold a delimiter only between quotes."""
        tokens = content.split(self.mark) if self.mark else [content]
        if self.quote is None or len(tokens) > min(MOST_TOKENS, self.width + MOST_TOKENS_TOO_MANY):
            return None
        ways = self.ways(tokens)
        if len(ways) != 1:
            return None
        return [
            field[1:-1].replace(self.quote * 2, self.quote) if self.is_quoted(field) else field for field in ways[0]
        ]

    def is_quoted(self, field: bytes) -> bool:
        return len(field) > 1 and field[:1] == field[-1:] == self.quote

    def ways(self, tokens: list[bytes]) -> list[list[bytes]]:
        """Ways to make `width` fields of the tokens, of many two; in none has an unquoted field a quote behind one
        that a quote opens and none closes.
        """
        # By number of last tokens, then of fields, and whether an unquoted one of these has a quote.
        of_last: list[dict[tuple[int, bool], list[list[bytes]]]] = [{(0, False): [[]]}]
        for at in reversed(range(len(tokens))):
            found: dict[tuple[int, bool], list[list[bytes]]] = {}
            for to in range(at + 1, len(tokens) + 1):
                if to > at + 1 and not (tokens[at][:1] == self.quote == tokens[to - 1][-1:]):
                    continue
                field = self.mark.join(tokens[at:to])
                has_quote = bool(self.quote) and self.quote in field and not self.is_quoted(field)
                for (number, later_has_quote), ways in of_last[len(tokens) - to].items():
                    if not (later_has_quote and has_quote and field[:1] == self.quote):
                        key = (number + 1, later_has_quote or has_quote)
                        found[key] = [*found.get(key, []), *([field, *way] for way in ways)][:2]
            of_last.append(found)
        return [way for (number, _), ways in of_last[-1].items() if number == self.width for way in ways]

    def as_text(self, fields: tuple[bytes, ...]) -> list[str]:
        """Fields of a line that may be in no encoding at all."""
        decoded = self.decode(self.mark.join(fields))
        return [value.decode(decoded[0] if decoded else "latin-1") for value in fields]

    def reads_like_a_header(self, fields: tuple[bytes, ...]) -> bool:
        names = self.as_text(fields)
        return len(set(names)) == len(names) and all(name.strip() for name in names) and not self.has_a_value(fields)

    def has_a_value(self, fields: tuple[bytes, ...]) -> bool:
        return any(map(is_typed, self.as_text(fields)))

    def starts_a_table(self, three: list[Entry], *, below_blank: bool) -> bool:
        """Whether three leftovers in succession are the header and first rows of another table."""
        num_fields = len(three[0].fields)
        if num_fields < 2 or any(len(entry.fields) != num_fields for entry in three):
            return False
        if three[-1].behind - three[0].first > MOST_TABLE_START_LINES or not self.reads_like_a_header(three[0].fields):
            return False
        names = set(self.found.names or ())
        has_names = 0 < len(names) <= 2 * len(names & set(self.as_text(three[0].fields)))
        return below_blank or has_names or any(self.has_a_value(entry.fields) for entry in three[1:])

    def table_end(self, first: int) -> int:
        """The line where the records go on below a table, or the number of lines."""
        for at in range(first + 1, len(self.lines) - 2):
            three = [self.record_of_line(line) for line in self.lines[at : at + 3]]
            if all(three) and three[0] and not self.reads_like_a_header(tuple(three[0])):
                return at
        return len(self.lines)

    def entries(self) -> list[Entry]:
        """Everything below the header but the footer."""
        entries: list[Entry] = []
        index = 0
        while index < len(self.lines):
            entries.append(self.entry(index))
            index = entries[-1].behind
            group = last_group(entries)
            three = group[-3:]
            if len(three) == 3:
                at = entries.index(three[0])
                if self.starts_a_table(three, below_blank=at > 0 and entries[at - 1].kind == "blank"):
                    index = self.table_end(three[0].first)
                    entries[at:] = [Entry("table", three[0].first, index)]
        return entries

    def is_note(self, entry: Entry) -> bool:
        """Whether a line says one thing at most, and that in words."""
        return sum(bool(value.strip()) for value in self.as_text(entry.fields)) <= 1 and not self.has_a_value(
            entry.fields
        )

    def with_footer(self, entries: list[Entry]) -> list[Entry]:
        """The last group of the file as its footer, if it says something about the table."""
        group = last_group(entries)
        if not group or len(group) > MOST_FOOTER_LINES:
            return entries
        at = entries.index(group[0])
        is_below_blank = at > 0 and entries[at - 1].kind == "blank"
        ends_with_line_end = self.lines[-1][1] < self.lines[-1][2]
        if not is_below_blank and not ends_with_line_end and group[-1].behind == len(self.lines):
            group = group[:-1]  # it may be a record that was cut
        if all(len(entry.fields) < self.width and (is_below_blank or self.is_note(entry)) for entry in group):
            return [replace(entry, kind="footer") if entry in group else entry for entry in entries]
        return entries


def last_group(entries: list[Entry]) -> list[Entry]:
    """The leftovers at the end with nothing but blank lines between and below them."""
    group: list[Entry] = []
    for entry in reversed(entries):
        if entry.is_leftover:
            group.insert(0, entry)
        elif entry.kind != "blank":
            break
    return group


def read_below(data: bytes, found: Found, *, max_record_bytes: int = 16 * 2**20) -> Said:
    """Read a file the obvious way, from behind what was found at its start."""
    text = Text(data, found, max_record_bytes)
    said = Said()
    for entry in text.with_footer(text.entries()):
        start, end = (text.places[at] for at in (text.lines[entry.first][0], text.lines[entry.behind - 1][2]))
        line = text.num_lines_above + entry.first + 1
        record_no = len(said.records) + len(said.rejects) + 1
        if entry.kind == "record":
            said.records.append((record_no, line, start, end, list(entry.values), entry.why))
        elif entry.kind == "reject":
            said.rejects.append((record_no, line, start, end, str(entry.why)))
        else:
            said.structure.append((entry.kind, line, start, end, entry.behind - entry.first))
    return said
