"""Well-made files of every dialect, each with its known truth: which bytes are what, and which values they hold.

A file is drawn from any `random.Random`: a seeded one gives hundreds a second, Hypothesis' own one shrinks.
"""

from dataclasses import dataclass, replace
from random import Random

from hypothesis import strategies as st

from platform_tests.intake.sample_values import COLUMNS, FOOTERS, LINES, NAMES, PREAMBLES, VALUES, a_number

DELIMITERS = (",", ";", "\t", "|", " ", ":", "^", ", ", "||")
LINE_ENDS = ("\n", "\r\n", "\r", "mixed")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-16-le-bom", "utf-16-be-bom", "cp1252", "stray cp1252")
MARKS = {"utf-8-sig": b"\xef\xbb\xbf", "utf-16-le-bom": b"\xff\xfe", "utf-16-be-bom": b"\xfe\xff"}
CODECS = {
    "utf-8-sig": "utf-8",
    "utf-16-le-bom": "utf-16-le",
    "utf-16-be-bom": "utf-16-be",
    "cp1252": "utf-8",
    "stray cp1252": "utf-8",
}


@dataclass(frozen=True)
class Way:
    """How a file is written."""

    delimiter: str = ","
    quote: str | None = '"'
    backslash: bool = False
    always_quoted: bool = False
    line_end: str = "\n"
    encoding: str = "utf-8"
    has_header: bool = True
    header_breaks: bool = False
    has_preamble: bool = False
    has_blanks: bool = False
    repeats_header: bool = False
    breaks_in_values: bool = False
    below: str = ""
    ends_with_line_end: bool = True

    @property
    def codec(self) -> str:
        return CODECS.get(self.encoding, self.encoding)

    @property
    def unit(self) -> int:
        """Bytes that a local mutation of the file must keep together."""
        return 2 if self.codec.startswith("utf-16") else 1


@dataclass(frozen=True)
class Piece:
    """Neighbouring lines that are one thing; of a record with its values."""

    kind: str
    text: str
    values: tuple[str, ...] = ()
    byte_from: int = 0
    byte_to: int = 0
    repair: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether no line end keeps it from what may be put behind it."""
        return not self.text.endswith(("\r", "\n"))


@dataclass(frozen=True)
class GoodFile:
    """A file and all that is true of it."""

    data: bytes
    way: Way
    width: int
    pieces: tuple[Piece, ...]

    def of_kind(self, *kinds: str) -> list[Piece]:
        return [piece for piece in self.pieces if piece.kind in kinds]

    @property
    def names(self) -> tuple[str, ...] | None:
        return next((piece.values for piece in self.of_kind("header")), None)

    @property
    def records(self) -> list[Piece]:
        return self.of_kind("record")

    @property
    def has_quotes(self) -> bool:
        """Whether any record needs the quote to be known."""
        return any(self.way.quote and self.way.quote in piece.text for piece in self.of_kind("record", "header"))

    @property
    def has_escapes(self) -> bool:
        return self.way.backslash and any("\\" in piece.text for piece in self.of_kind("record", "header"))


def good_way(random: Random) -> Way:
    """Any way to write a file that its reader can tell from the others."""
    quote = random.choice(('"', '"', '"', '"', "'", None))
    has_header = random.random() < 0.85
    return Way(
        delimiter=random.choice(DELIMITERS),
        quote=quote,
        backslash=quote is not None and random.random() < 0.15,
        always_quoted=quote is not None and random.random() < 0.2,
        line_end=random.choice(LINE_ENDS),
        encoding=random.choice(ENCODINGS),
        has_header=has_header,
        header_breaks=quote is not None and random.random() < 0.05,
        has_preamble=random.random() < 0.15,
        has_blanks=random.random() < 0.2,
        repeats_header=random.random() < 0.05,
        breaks_in_values=quote is not None and random.random() < 0.3,
        below=random.choice(("", "", "", "footer", "footer below a blank", "table", "table between")),
        ends_with_line_end=random.random() < 0.75,
    )


class _Writer:
    """Writes one file."""

    def __init__(self, random: Random, way: Way, width: int) -> None:
        self.random, self.way, self.width = random, way, width
        self.pieces: list[Piece] = []
        others = [name for name in COLUMNS if name not in VALUES]
        columns = [random.choice(VALUES), *(random.choice(COLUMNS) for _ in range(width - 1))]
        if width > 2 and not any(column in others for column in columns):
            columns[1] = random.choice(others)
        random.shuffle(columns)
        self.columns = columns

    def line_end(self) -> str:
        return self.random.choice(("\n", "\r\n")) if self.way.line_end == "mixed" else self.way.line_end

    def plain(self, text: str) -> str:
        """The text without anything that has a meaning in the file."""
        for mark in (*self.way.delimiter, '"', "'", "\\", "\r", "\n"):
            text = text.replace(mark, "." if mark not in ".\r\n" else "-")
        return text

    def value(self, column: int) -> str:
        random = self.random
        if random.random() < 0.05:
            value = ""
        elif self.way.breaks_in_values and self.columns[column] not in VALUES and random.random() < 0.3:
            value = random.choice(LINES).replace("{}", self.line_end())
        else:
            value = self.columns[column](random)
        value = self.plain(value) if self.way.quote is None else value
        if self.way.codec == "utf-8" and self.way.encoding == "stray cp1252" and random.random() < 0.9:
            value = value.encode("ascii", "ignore").decode()
        return value

    def cell(self, value: str) -> str:
        quote = self.way.quote
        if quote is None:
            return value
        escaped = value.replace(quote, quote * 2)
        if self.way.backslash:
            escaped = value.replace("\\", "\\\\").replace(quote, "\\" + quote)
        marks = (*self.way.delimiter, quote, "\r", "\n")
        if self.way.always_quoted or any(mark in value for mark in marks):
            return quote + escaped + quote
        return escaped

    def add(self, kind: str, text: str, values: tuple[str, ...] = ()) -> None:
        self.pieces.append(Piece(kind, text + self.line_end(), values))

    def add_row(self, kind: str, values: tuple[str, ...]) -> None:
        text = self.way.delimiter.join(map(self.cell, values))
        # A line without anything in it would be blank.
        self.add(kind, text or (self.way.quote or "x") * 2, values if text or self.way.quote else ("xx",))

    def add_record(self, *, in_one_line: bool = False) -> None:
        values = tuple(self.value(column) for column in range(self.width))
        if in_one_line:
            values = tuple(value.replace("\r", " ").replace("\n", " ") for value in values[:-1])
            values = (*values, self.plain(a_number(self.random)))
        self.add_row("record", values)

    def add_header(self) -> tuple[str, ...]:
        names: list[str] = self.random.sample(NAMES, self.width)
        if self.way.quote is None:
            names = [self.plain(name) for name in names]
        if self.way.header_breaks:
            at = self.random.randrange(self.width)
            names[at] = "Name" + self.line_end() + names[at]
        self.add_row("header", tuple(names))
        return tuple(names)

    def add_blank(self) -> None:
        white = " " if self.way.delimiter != " " and self.width > 1 and self.random.random() < 0.3 else ""
        self.add("blank", white)

    def add_footer(self) -> None:
        for text in self.random.sample(FOOTERS, self.random.randrange(1, 4)):
            self.add("footer", self.plain(text))

    def add_table(self) -> None:
        width = self.random.choice([width for width in range(2, 9) if width != self.width])
        names = [self.plain(name) for name in self.random.sample(NAMES, width)]
        rows = [[self.plain(a_number(self.random)) for _ in names] for _ in range(self.random.randrange(2, 6))]
        self.add("table", self.line_end().join(self.way.delimiter.join(row) for row in (names, *rows)))

    def add_below(self) -> None:
        if "blank" in self.way.below or "table" in self.way.below:
            self.add_blank()
        if "footer" in self.way.below:
            self.add_footer()
        if "table" in self.way.below:
            self.add_table()
        if "between" in self.way.below:
            for _ in range(3):
                self.add_record(in_one_line=True)

    def write(self, num_records: int) -> list[Piece]:
        if self.way.has_preamble:
            for text in self.random.sample(PREAMBLES, self.random.randrange(1, 4)):
                self.add("preamble", self.plain(text))
            if self.random.random() < 0.5:
                self.add("preamble", "")
        names = self.add_header() if self.way.has_header else None
        for number in range(num_records):
            if self.way.has_blanks and self.random.random() < 0.1:
                self.add_blank()
            if self.way.repeats_header and names and number == num_records // 2:
                self.add_row("repeated_header", names)
            self.add_record()
        self.add_below()
        return self.pieces


def possible(way: Way, width: int) -> Way:
    """The way without what the specification would read otherwise."""
    if width == 1:
        # No delimiter to find, so none may be anywhere; nothing can have fewer fields.
        way = replace(way, delimiter=",", has_preamble=False, below="", has_blanks=False, repeats_header=False)
    if way.header_breaks or not way.has_header:
        way = replace(way, repeats_header=False, header_breaks=way.header_breaks and way.has_header)
    if way.below == "footer" or way.has_blanks:
        way = replace(way, ends_with_line_end=True)  # the last footer line may be a cut record
    return way


def good_file(random: Random, way: Way | None = None, *, num_records: int | None = None, width: int = 0) -> GoodFile:
    """A file with its truth; what is not given is drawn."""
    width = width or random.choice((2, 3, 3, 4, 4, 5, 6, 7, 8))
    way = possible(way or good_way(random), width)
    pieces = _Writer(random, way, width).write(random.randrange(5, 20) if num_records is None else num_records)
    if pieces and not way.ends_with_line_end:
        pieces[-1] = replace(pieces[-1], text=pieces[-1].text.rstrip("\r\n"))
    mark = MARKS.get(way.encoding, b"")
    placed = [Piece("bom", "", byte_to=len(mark))] if mark else []
    data = bytearray(mark)
    for piece in pieces:
        encoded = piece.text.encode("cp1252" if "cp1252" in way.encoding else way.codec)
        repair = "decoded_as_cp1252" if "cp1252" in way.encoding and not is_utf8(encoded) else None
        placed.append(replace(piece, byte_from=len(data), byte_to=len(data) + len(encoded), repair=repair))
        data += encoded
    return GoodFile(bytes(data), way, width, tuple(placed))


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@st.composite
def good_files(draw: st.DrawFn) -> GoodFile:
    """Small good files."""
    return good_file(draw(st.randoms(use_true_random=False)), num_records=draw(st.integers(0, 8)))


def among_good_rows(*lines: str, line_end: str = "\n") -> bytes:
    """A file of three columns with the lines between ten good records; the first of them is line 7."""
    above = ["name,age,city", "Ann,31,Reno", "Bob,42,Elko", "Cid,53,Ely", 'Dot,64,"Reno, NV"', "Eve,75,Elko"]
    below = ["Flo,36,Ely", "Gus,47,Reno", "Hal,58,Elko", "Ida,69,Ely", "Jon,70,Reno"]
    return line_end.join([*above, *lines, *below, ""]).encode()
