"""A sliding window over a stream of byte chunks. It knows nothing of lines, quotes or records.

Positions inside `data` move when bytes are dropped; `base` is the offset of `data[0]` in the stream, so
`base + position` never moves.
"""

from collections.abc import Iterable

Span = tuple[int, int]


class Window:
    """The part of the stream that is in memory.

    Attributes:
        data: the bytes held now.
        base: offset of the first of them.
        ended: whether the stream is known to have no byte after `data`.

    Args:
        chunks: the stream.
        start: the offset of its first byte.
    """

    def __init__(self, chunks: Iterable[bytes], start: int = 0) -> None:
        self._chunks = iter(chunks)
        self.data = bytearray()
        self.base = start
        self.ended = False

    def fill(self, size: int) -> None:
        """Pull chunks until `data` holds more than `size` bytes or the stream has ended."""
        while len(self.data) <= size and not self.ended:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.ended = True
            else:
                self.data += chunk

    def drop(self, size: int) -> None:
        """Forget the first `size` bytes."""
        del self.data[:size]
        self.base += size
