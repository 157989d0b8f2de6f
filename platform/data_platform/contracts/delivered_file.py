"""What a product knows of a file that was delivered. What does not belong here: where it is kept."""

from collections.abc import Iterator
from datetime import date
from typing import Protocol


class DeliveredFile(Protocol):
    """A file as it was delivered: evidence, the day, its name and its bytes."""

    @property
    def evidence_id(self) -> str: ...  # noqa: D102
    @property
    def day(self) -> date: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def num_bytes(self) -> int: ...  # noqa: D102
    def chunks(self) -> Iterator[bytes]: ...  # noqa: D102
