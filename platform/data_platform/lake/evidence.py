"""Evidence: what arrived, kept once under the SHA-256 of its content and never edited.

What does not belong here: the manifest of what is kept (`publish/arrivals.py`).
"""

import hashlib
from collections.abc import Iterable, Iterator

from data_platform.errors import PermanentError, TransientError
from data_platform.lake.store import Store


class ChangedWhileRead(TransientError):
    """An object changed between two reads of it."""


class EvidenceDamaged(PermanentError):
    """A piece of evidence no longer has the content that its name says."""


def key_of(evidence_id: str) -> str:
    """The key of a piece of evidence in the lake; two characters of fan-out keep folders listable."""
    return f"evidence/{evidence_id[:2]}/{evidence_id}"


def fingerprint(chunks: Iterable[bytes]) -> tuple[str, int]:
    """SHA-256 of a content, in hex, and its size in bytes."""
    digest, num_bytes = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        num_bytes += len(chunk)
    return digest.hexdigest(), num_bytes


def keep(lake: Store, evidence_id: str, chunks: Iterable[bytes], *, num_bytes: int, called: str) -> bool:
    """Stores a content under the fingerprint that it is said to have, never over a whole one.

    Args:
        lake: Where evidence is kept.
        evidence_id: SHA-256 of the content, from an earlier read.
        chunks: The content.
        num_bytes: Its size; an object of another size under that key is the rest of a crash, and is replaced.
        called: Its name, for the error.

    Returns:
        Whether it was new.

    Raises:
        ChangedWhileRead: The content is no longer that of the fingerprint; nothing was kept.
    """
    key = key_of(evidence_id)
    size = lake.size(key)
    if size == num_bytes:
        return False
    wrong = ChangedWhileRead(f"{called} changed while it was read; nothing of it was kept, start the run again.")
    return lake.create(key, _proven(chunks, evidence_id, wrong), replace=size is not None)


def read(lake: Store, evidence_id: str) -> Iterator[bytes]:
    """The bytes of a piece of evidence, in chunks; proven to be what arrived when the last one is read.

    Raises:
        EvidenceDamaged: They are not.
        NoSuchObject: There is none.
    """
    key = key_of(evidence_id)
    damaged = EvidenceDamaged(
        f"{lake.location(key)} is not the content that arrived; put the file back from a backup, or drop it again."
    )
    return _proven(lake.read(key), evidence_id, damaged)


def span(chunks: Iterable[bytes], byte_from: int, byte_to: int) -> Iterator[bytes]:
    """The bytes of a content from one place to another, in chunks.

    All of it is read, whatever the span: a part alone would prove nothing.
    """
    start = 0
    for chunk in chunks:
        part = chunk[max(byte_from - start, 0) : max(byte_to - start, 0)]
        start += len(chunk)
        if part:
            yield part


def _proven(chunks: Iterable[bytes], evidence_id: str, wrong: Exception) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != evidence_id:
        raise wrong
