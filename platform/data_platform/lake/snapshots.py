"""Snapshots of foreign tables: a table as it stood when a day had ended, kept as evidence, one a day, for ever.

Which evidence is the snapshot of a day stands in a small object that is created once and never overwritten, so that
the lake alone is enough to rebuild every table made of them. What does not belong here: what the rows mean.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from tempfile import TemporaryFile
from typing import IO, Protocol

from data_platform.lake import evidence
from data_platform.lake.store import Store

_CHUNK_BYTES = 8 * 2**20


class Copy(Protocol):
    """Writes the bytes of a snapshot into a file, and says when they were read, by the database's clock."""

    def __call__(self, file: IO[bytes], /) -> datetime: ...  # noqa: D102


@dataclass(frozen=True)
class Snapshot:
    """A foreign table as it stood at an instant.

    Attributes:
        read_at: When its transaction began, by the foreign database's clock (UTC).
    """

    table: str
    evidence_id: str
    num_bytes: int
    read_at: datetime


def days(lake: Store, table: str) -> list[date]:
    """Days of which a snapshot was taken, in order; one listing."""
    names = [entry.name for entry in lake.list(_folder(table))]
    return sorted(date.fromisoformat(name.removesuffix(".json")) for name in names)


def find(lake: Store, table: str, day: date) -> Snapshot | None:
    """The snapshot of a day, or None where none was taken."""
    key = _key(table, day)
    if lake.size(key) is None:
        return None
    facts = json.loads(b"".join(lake.read(key)))
    return Snapshot(table, facts["evidence_id"], facts["num_bytes"], datetime.fromisoformat(facts["read_at"]))


def take(lake: Store, table: str, day: date, copy: Copy) -> Snapshot:
    """Keeps what `copy` reads as the snapshot of a day, unless there is one: the first stays, whoever else comes.

    Nothing is kept of a copy that fails.
    """
    kept = keep(lake, table, copy)
    facts = {"evidence_id": kept.evidence_id, "num_bytes": kept.num_bytes, "read_at": kept.read_at.isoformat()}
    lake.create(_key(table, day), json.dumps(facts, indent=1).encode())
    return find(lake, table, day) or Snapshot(table, kept.evidence_id, kept.num_bytes, kept.read_at)


def keep(lake: Store, table: str, copy: Copy) -> Snapshot:
    """Keeps what `copy` reads as evidence, as the snapshot of no day.

    The bytes go through a temporary file without a name, so that memory stays small.
    """
    with TemporaryFile() as file:
        return keep_file(lake, table, file, copy(file))


def keep_file(lake: Store, table: str, file: IO[bytes], read_at: datetime) -> Snapshot:
    """Keeps a copy that is there already as evidence, as the snapshot of no day."""
    evidence_id, num_bytes = evidence.fingerprint(_chunks(file))
    evidence.keep(lake, evidence_id, _chunks(file), num_bytes=num_bytes, called=f"the copy of {table}")
    return Snapshot(table, evidence_id, num_bytes, read_at)


def delete(lake: Store, table: str, days_to_delete: Iterable[date]) -> None:
    """Removes the snapshots of some days, their evidence first unless another day's is the very same."""
    going = set(days_to_delete)
    kept = {found.evidence_id for day in days(lake, table) if day not in going and (found := find(lake, table, day))}
    for day in sorted(going):
        if (found := find(lake, table, day)) and found.evidence_id not in kept:
            lake.delete(evidence.key_of(found.evidence_id))
        lake.delete(_key(table, day))


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    return iter(lambda: file.read(_CHUNK_BYTES), b"")


def _folder(table: str) -> str:
    return f"snapshots/{table}"


def _key(table: str, day: date) -> str:
    return f"{_folder(table)}/{day}.json"
