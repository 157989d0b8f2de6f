"""Damage to files, one edit at a time, so that it is known which bytes of the good file it did not touch."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st

from platform_tests.intake.good_files import GoodFile

SCRAPS = (b'"', b'""', b'","', b"'", b",", b";", b"\t", b"|", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"\0", b"\\", b"a")
ODD_SCRAPS = (b"\x92", b"\x81", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\xff\xfe", b"x" * 50, b"1,2,3\n")
LINE_ENDS = (b"\n", b"\r\n", b"\r")


@dataclass(frozen=True)
class Edit:
    """`old[at:to]` becomes `new`."""

    kind: str
    at: int
    to: int
    new: bytes

    def apply(self, data: bytes) -> bytes:
        return data[: self.at] + self.new + data[self.to :]

    def touches(self, byte_from: int, byte_to: int) -> bool:
        """Whether a span of the good file is changed, cut, or put behind what was not its neighbour before."""
        return byte_from <= self.to and self.at < byte_to

    def is_local(self, unit: int) -> bool:
        """Whether what is behind the edit still reads as before: in UTF-16, whole units only."""
        return self.at % unit == self.to % unit == len(self.new) % unit == 0

    def moved(self, place: int) -> int:
        """Where a place of the good file that the edit did not touch is now."""
        return place if place <= self.at else place + len(self.new) - (self.to - self.at)


def _place(random: Random, data: bytes) -> int:
    return random.randrange(len(data) + 1)


def _slice(random: Random, data: bytes) -> tuple[int, int]:
    at = _place(random, data)
    return at, min(len(data), at + random.randrange(1, random.choice((4, 40, 400))))


def flip(random: Random, data: bytes) -> Edit:
    at = random.randrange(len(data))
    return Edit("flip", at, at + 1, bytes([data[at] ^ (1 << random.randrange(8))]))


def overwrite(random: Random, data: bytes) -> Edit:
    at = random.randrange(len(data))
    return Edit("overwrite", at, at + 1, bytes([random.randrange(256)]))


def cut_start(random: Random, data: bytes) -> Edit:
    return Edit("cut start", 0, _place(random, data), b"")


def cut_end(random: Random, data: bytes) -> Edit:
    return Edit("cut end", _place(random, data), len(data), b"")


def cut_middle(random: Random, data: bytes) -> Edit:
    return Edit("cut middle", *_slice(random, data), b"")


def insert(random: Random, data: bytes) -> Edit:
    at = _place(random, data)
    return Edit("insert", at, at, random.choice(SCRAPS))


def insert_odd(random: Random, data: bytes) -> Edit:
    at = _place(random, data)
    return Edit("insert odd", at, at, random.choice((*ODD_SCRAPS, random.randbytes(random.randrange(1, 20)))))


def duplicate(random: Random, data: bytes) -> Edit:
    at, to = _slice(random, data)
    return Edit("duplicate", to, to, data[at:to])


def encode_anew(random: Random, data: bytes) -> Edit:
    """What becomes of text that was read in one encoding and written in another."""
    at, to = _slice(random, data)
    read, written = random.choice(
        (("latin-1", "utf-8"), ("utf-8", "cp1252"), ("utf-8", "utf-16-le"), ("cp1252", "utf-8"))
    )
    return Edit("encode anew", at, to, data[at:to].decode(read, "ignore").encode(written, "ignore"))


def change_line_ends(random: Random, data: bytes) -> Edit:
    at, to = _slice(random, data)
    old, new = random.sample(LINE_ENDS, 2)
    return Edit("change line ends", at, to, data[at:to].replace(old, new))


def drop_line_end(random: Random, data: bytes) -> Edit:
    at = max(data.rfind(b"\n", 0, _place(random, data)), data.rfind(b"\r", 0, _place(random, data)), 0)
    return Edit("drop line end", at, at + 1, b"")


MUTATIONS: tuple[Callable[[Random, bytes], Edit], ...] = (
    *(flip, overwrite, cut_start, cut_end, cut_middle, insert, insert, insert_odd, duplicate, encode_anew),
    *(change_line_ends, drop_line_end),
)


def mutation(random: Random, data: bytes) -> Edit:
    """One edit of any kind to a file with at least one byte."""
    return random.choice(MUTATIONS)(random, data)


def local_mutation(random: Random, file: GoodFile) -> Edit:
    """One edit that leaves what is behind it as readable as before; half of the time below the header."""
    while True:
        edit = mutation(random, file.data)
        if edit.is_local(file.way.unit):
            return edit
        if file.way.unit > 1 and edit.kind.startswith("insert"):
            return Edit(edit.kind, edit.at & ~1, edit.at & ~1, edit.new.decode("latin-1").encode(file.way.codec))


def damaged(random: Random, data: bytes, num_edits: int) -> bytes:
    """A file after some edits."""
    for _ in range(num_edits):
        if data:
            data = mutation(random, data).apply(data)
    return data


@st.composite
def damaged_files(draw: st.DrawFn, files: st.SearchStrategy[GoodFile]) -> bytes:
    """Files with up to four edits."""
    return damaged(draw(st.randoms(use_true_random=False)), draw(files).data, draw(st.integers(0, 4)))
