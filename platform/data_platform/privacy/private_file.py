"""A file that only its owner may read, changed by several processes at once.

Who changes it holds a lock, writes a new one beside it and renames that: readers see the old content or the new one,
whenever a process dies. What does not belong here: what the content means (`keyring.py`).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OTHERS = 0o077


def read(file: Path) -> tuple[bytes, bool]:
    """The content of a file, and whether its owner alone can reach it.

    Raises:
        OSError: It cannot be read.
    """
    with file.open("rb") as opened:
        return opened.read(), not os.fstat(opened.fileno()).st_mode & _OTHERS


@contextmanager
def changing(file: Path) -> Iterator[None]:
    """Nobody else changes the file inside; makes its folder. The lock goes with its process.

    Raises:
        OSError: The folder cannot be written.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _opened(file.with_name(f"{file.name}.lock"), os.O_RDWR, file)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def replace(file: Path, content: bytes) -> None:
    """Gives the file a new content in one step, and brings it to the disk; inside `changing`.

    Raises:
        OSError: The folder cannot be written; the old content stays.
    """
    beside = file.with_name(f"{file.name}.new")
    beside.unlink(missing_ok=True)  # of a process that died
    with os.fdopen(_opened(beside, os.O_WRONLY | os.O_EXCL, file), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    beside.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _opened(path: Path, flags: int, file: Path) -> int:
    """Makes or opens a file for the owner of another: what root changes, the service can still read."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if os.geteuid() == 0:
        owner = (file if file.exists() else file.parent).stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor
