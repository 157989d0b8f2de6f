"""Bytes to text: which encoding a file is in, and the strict decoding of single records.

The reader works on UTF-8. A file that is all in another encoding goes through `Transcoded`, which turns it into UTF-8
chunk by chunk and can say of any place in the UTF-8 text where it is in the file.
"""

import codecs
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

DECODED_AS_CP1252 = "decoded_as_cp1252"
_BOMS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
_WITHOUT_BOM = (
    (re.compile(rb"(?:[^\x00]\x00){4}"), "utf-16-le"),
    (re.compile(rb"(?:\x00[^\x00]){4}"), "utf-16-be"),
)
_FIRST_HALVES = range(0xD8, 0xDC)
_TRUNCATED = b"\xff"  # stands for one byte of a code unit that the file's end has cut; no UTF-8 text holds it


def detect(head: bytes) -> tuple[str, int]:
    """The encoding that the first bytes of a file tell, and the length of the byte order mark."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return encoding, len(bom)
    for pattern, encoding in _WITHOUT_BOM:
        if pattern.match(head):
            return encoding, 0
    return "utf-8", 0


class RecordCodec(NamedTuple):
    """How to read one record's bytes.

    Attributes:
        codec: what decodes each of its fields.
        repair: what was needed; null for UTF-8.
        undecodable_at: position of the first byte that no encoding knows, or null; the codec is then latin-1, and
            serves only to show the fields.
    """

    codec: str
    repair: str | None = None
    undecodable_at: int | None = None

    def decoded(self, fields: Iterable[bytes]) -> list[str]:
        """The record's fields as text."""
        return [field.decode(self.codec) for field in fields]


def codec_of(raw: bytes, *, only_utf8: bool = False) -> RecordCodec:
    """How to read one record: as UTF-8, else as cp1252, never with a replacement character.

    State agencies export from Windows: a cp1252 apostrophe (0x92) in an otherwise ASCII file has been seen. A record is
    cut into fields before they are decoded: a delimiter beyond ASCII is the same bytes in every record.
    """
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start
    else:
        return RecordCodec("utf-8")
    if not only_utf8:
        try:
            raw.decode("cp1252")
        except UnicodeDecodeError as error:
            at = error.start
        else:
            return RecordCodec("cp1252", DECODED_AS_CP1252)
    return RecordCodec("latin-1", None, at)


def as_utf8(raw: bytes, encoding: str) -> bytes:
    """Whole characters of another encoding in UTF-8; those that are none become what UTF-8 has for surrogates."""
    errors = "surrogateescape" if encoding == "cp1252" else "surrogatepass"
    return raw.decode(encoding, errors).encode("utf-8", "surrogatepass")


class Transcoded:
    """A stream of UTF-16, UTF-32 or cp1252 as UTF-8, byte for byte accountable.

    Half a surrogate pair becomes the three bytes that UTF-8 would have for it, as does a byte that cp1252 does not
    know, and a byte too many at the end becomes 0xFF: none is UTF-8, so that `codec_of` refuses the record it is in.

    Args:
        chunks: the file's bytes behind its byte order mark.
        encoding: the encoding's name.
        start: the file offset of the first of them, and its place in the text.
    """

    def __init__(self, chunks: Iterable[bytes], encoding: str, start: int) -> None:
        self._chunks = chunks
        self._encoding = encoding
        self._is_utf16 = encoding.startswith("utf-16")
        self._unit = {"cp1252": 1, "utf-16": 2, "utf-32": 4}[encoding[:6]]
        # Bytes of the file for each byte of UTF-8: all of a character's are counted at its first byte.
        widths = np.full(256, self._unit, dtype=np.int64)
        widths[0x80:0xC0] = 0
        widths[0xF0:] = 4  # two units of UTF-16, one of UTF-32; cp1252 has nothing so far out
        widths[_TRUNCATED[0]] = 1
        self._widths = widths
        self._pieces: deque[tuple[int, int, bytes]] = deque()
        self._next = (start, start)

    def __iter__(self) -> Iterator[bytes]:
        """The text as UTF-8."""
        rest = b""
        for chunk in self._chunks:
            rest += chunk
            whole = len(rest) - len(rest) % self._unit
            # A pair's first half waits for the second.
            high = whole - (1 if self._encoding == "utf-16-le" else self._unit)
            if self._is_utf16 and whole and rest[high] in _FIRST_HALVES:
                whole -= self._unit
            yield from self._text(rest[:whole])
            rest = rest[whole:]
        whole = len(rest) - len(rest) % self._unit
        yield from self._text(rest[:whole])
        yield from self._piece(_TRUNCATED * (len(rest) - whole))

    def _text(self, raw: bytes) -> Iterator[bytes]:
        if self._encoding.startswith("utf-32"):  # what is no character is taken apart, so that none of it is lost
            points = np.frombuffer(raw, dtype="<u4" if self._encoding.endswith("le") else ">u4")
            if points.size and points.max() > sys.maxunicode:
                for number, point in enumerate(points):
                    one = raw[number * self._unit : (number + 1) * self._unit]
                    yield from self._text(one) if point <= sys.maxunicode else self._piece(_TRUNCATED * self._unit)
                return
        yield from self._piece(as_utf8(raw, self._encoding))

    def _piece(self, text: bytes) -> Iterator[bytes]:
        if text:
            self._pieces.append((*self._next, text))
            size = int(self._widths[np.frombuffer(text, np.uint8)].sum())
            self._next = (self._next[0] + len(text), self._next[1] + size)
            yield text

    def in_file(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """File offsets of places in the UTF-8 text; none may lie before one that was asked for in an earlier call."""
        found = places.copy()  # the byte order mark's places are those of the file
        pieces = self._pieces
        while len(pieces) > 1 and places.size and pieces[1][0] <= places.min():
            pieces.popleft()
        for start, offset, text in pieces:
            mine = (places >= start) & (places <= start + len(text))
            if mine.any():
                sizes = self._widths[np.frombuffer(text, np.uint8)]
                before = np.concatenate([[0], np.cumsum(sizes)])
                found[mine] = offset + before[places[mine] - start]
        return found
