"""Work that goes on beside the caller's. What does not belong here: what the work is."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


def read_ahead(items: Iterable[Item], *, at_most: int = 2) -> Generator[Item, None, None]:
    """The same items, taken by another thread while the caller is busy with those before.

    What taking one raises is raised here, in its place. A caller that stops early waits for the one under way.

    Args:
        items: Used by that thread alone.
        at_most: So many are taken before they are asked for.
    """
    source = iter(items)
    reader = ThreadPoolExecutor(1, "read-ahead")
    try:
        ahead = deque(reader.submit(next, source, _END) for _ in range(at_most))
        while (item := ahead.popleft().result()) is not _END:
            ahead.append(reader.submit(next, source, _END))
            yield item  # pyright: ignore[reportReturnType]  # all but the end is an item
    finally:
        reader.shutdown(cancel_futures=True)
