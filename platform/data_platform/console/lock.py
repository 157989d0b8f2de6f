"""A lock file that dies with its process, and a note in it for those who come later."""

import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Lock:
    """An exclusive lock on a file; the operating system gives it back when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, *, within: float = 0.0) -> bool:
        """Takes the lock if it is free, or becomes free within some seconds."""
        deadline = time.monotonic() + within
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.1)
            else:
                return True

    def note(self) -> dict[str, Any]:
        """What the holder, or the last one, wrote."""
        text = os.pread(self._descriptor, 4096, 0).decode()
        return json.loads(text) if text else {}

    def write(self, note: dict[str, Any]) -> None:
        """Leaves a note."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(note).encode(), 0)

    def release(self) -> None:
        """Gives the lock back."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
