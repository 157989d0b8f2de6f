"""gzip: the content of a file that came compressed. Any other file is its own content."""

import itertools
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

MAGIC = b"\x1f\x8b"
_GZIP_BITS, _AT_ONCE = 31, 8 * 2**20


class Lost(NamedTuple):
    """What is behind the last whole line of damaged content: its physical line, from 1, and its span in the content."""

    line: int
    byte_from: int
    byte_to: int


@dataclass
class Content:
    """The content of a file, as chunks; iterate once.

    What a compressed file that is cut or damaged still tells is cut back to its last whole line.

    Attributes:
        lost: Once all is read: what was cut off, if the file is damaged; else null.
    """

    chunks: Iterable[bytes]
    lost: Lost | None = None

    def __iter__(self) -> Iterator[bytes]:
        """The content, in order."""
        stream = iter(self.chunks)
        head = b""
        while len(head) < len(MAGIC) and (chunk := next(stream, b"")):
            head += chunk
        if not head.startswith(MAGIC):
            yield head
            yield from stream
            return
        yield from self._whole_lines(_unpacked(head, stream))

    def _whole_lines(self, content: Iterator[bytes]) -> Iterator[bytes]:
        num_bytes, num_lines, rest = 0, 0, b""
        try:
            for chunk in content:
                end = chunk.rfind(b"\n") + 1
                if end:
                    yield rest + chunk[:end]
                    num_bytes, num_lines = num_bytes + len(rest) + end, num_lines + chunk.count(b"\n")
                    rest = chunk[end:]
                else:
                    rest += chunk
        except zlib.error:
            self.lost = Lost(num_lines + 1, num_bytes, num_bytes + len(rest))
            return
        yield rest


def readable(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The content as far as it can be read, a cut last line included: where the spans of its records lie."""
    stream = iter(chunks)
    head = next(stream, b"")
    if not head.startswith(MAGIC):
        yield head
        yield from stream
        return
    try:
        yield from _unpacked(head, stream)
    except zlib.error:
        for _ in stream:  # whoever proves the file wants to see all of it
            pass


def _unpacked(head: bytes, stream: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP_BITS)
    for chunk in itertools.chain([head], stream):
        packed = chunk
        while packed:
            if unpacker.eof:  # a file may hold several, one behind the other, and be padded with zeros
                packed = packed.lstrip(b"\0")
                if not packed:
                    break
                unpacker = zlib.decompressobj(_GZIP_BITS)
            before = unpacker.copy()
            try:
                content = unpacker.decompress(packed, _AT_ONCE)
            except zlib.error:
                # What came before the damage is lost with the call that meets it, so it is made once more, in pieces.
                yield from (before.decompress(packed[n : n + 1]) for n in range(len(packed)))
                raise
            if content:
                yield content
            packed = unpacker.unconsumed_tail or unpacker.unused_data
    if rest := unpacker.flush():
        yield rest
    if not unpacker.eof:
        raise zlib.error("the compressed content ends in the middle")
