"""Delivered files as the leads product sees them."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from data_platform.leads import sources
from data_platform.local.sample_world.leads import Delivery

NEVER_HELD = tuple(source.model_copy(update={"max_reject_share": 1.0}) for source in sources.every())
"""The house's sources, for files of one bad record: what becomes of it, without the threshold."""


@dataclass(frozen=True)
class File:
    name: str
    day: date
    content: bytes

    @property
    def evidence_id(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def num_bytes(self) -> int:
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        yield self.content


def as_file(delivery: Delivery) -> File:
    return File(delivery.file_name, delivery.day, delivery.content)
