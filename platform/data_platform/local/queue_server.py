"""An embedded queue of login events: one server a folder that speaks SQS, shared by whoever uses the folder.

`ensure` starts it for the first user; it ends by itself when the last one is gone, however that ended. It holds
messages in memory: they are gone when it stops. For production there is SQS and `LOGIN_QUEUE_URL`. Belongs here: who
uses the server, its start and its end. Does not belong here: the server itself, which imports a lot (see
`queue_process`), and what is done with a queue (see `queues`).

A folder holds `address.json` (of the server that holds `server.lock`), `log` (of the last start) and three lock files:
`start.lock` is held while somebody starts or stops it; `users.lock` is held shared by every user; `server.lock` is held
by the server until it ends.
"""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

import data_platform
from data_platform.errors import PermanentError
from data_platform.local.postgres_process import drop, hold, is_at

CREDENTIALS = ("embedded", "embedded")
"""What requests to the server are signed with; it does not look at them."""

LOGIN_EVENTS = "login-events"
DEAD_LETTERS = "login-events-dead"

_ACCOUNT = "123456789012"  # of everybody, in moto
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_PAUSE = 0.02
# Nothing of ours: it may hold secrets. Without the second one, moto lets any web page read the answers.
_ENVIRONMENT = {"PATH": os.defpath, "MOTO_DISABLE_GLOBAL_CORS": "true"}
# Started through a shell that leaves at once, the server is not our child: it cannot stay behind as our zombie.
_LAUNCH = 'umask 077; log=$1; shift; "$@" </dev/null >"$log" 2>&1 &'

_uses: dict[Path, int] = {}
# A forked child is not a user: its own exit must not count as its parent's.
os.register_at_fork(after_in_child=_uses.clear)


class LocalQueueError(PermanentError):
    """The embedded queue cannot be had; the message says where, why and what to do."""


@dataclass(frozen=True)
class QueueServer:
    """Where the embedded queue listens. The port holds until the server stops."""

    host: str
    port: int

    def queue_url(self, name: str) -> str:
        """The URL of a queue, as SQS's clients want it; requests are to be signed with `CREDENTIALS`."""
        return f"http://{self.host}:{self.port}/{_ACCOUNT}/{name}"


def ensure(folder: Path) -> QueueServer:
    """Make this process a user of the folder's server until it exits, and start the server if it does not run.

    Any number of processes and threads may call this at once; they get the same server. A process is one user, however
    often it calls. The server has a queue `login-events` and a queue of its dead letters.

    Args:
        folder: Where the server keeps its address and its log; made if missing.

    Raises:
        LocalQueueError: The folder cannot be used, or the server does not start.
    """
    home = folder.absolute()
    with _explained(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home = home.resolve()
        with _alone(home), contextlib.ExitStack() as undo:
            if home in _uses and not is_at(home / "users.lock", _uses[home]):
                drop(_uses.pop(home))  # of a folder that was removed, with another one in its place now
            if home not in _uses:
                _uses[home] = hold(home / "users.lock", fcntl.LOCK_SH)
                undo.callback(lambda: drop(_uses.pop(home)))
            server = _running(home)
            undo.pop_all()
            return server


def release(folder: Path) -> None:
    """Give up this process's use of the folder's server, which ends by itself if nobody else uses it.

    Does nothing in a process that is no user. The exit of a process, or its end by a signal, does the same.
    """
    home = folder.resolve()
    if home not in _uses:
        return
    with _explained(home), _alone(home) if home.exists() else contextlib.nullcontext():
        use = _uses.pop(home, None)
        if use is not None:  # no other thread of this process was faster
            drop(use)


def stop(folder: Path) -> bool:
    """Stop the server of a folder, whoever uses it; its messages are gone.

    Returns:
        Whether it ran.

    Raises:
        LocalQueueError: It cannot be ended from here.
    """
    home = folder.resolve()
    with _explained(home):
        if not home.exists():
            return False
        with _alone(home):
            if _is_vacant(home):
                return False
            _end(home)
            return True


@contextlib.contextmanager
def _alone(home: Path) -> Generator[None]:
    lock = hold(home / "start.lock", fcntl.LOCK_EX)
    try:
        yield
    finally:
        drop(lock)


@contextlib.contextmanager
def _explained(home: Path) -> Generator[None]:
    """Tell what the operating system refused as one sentence about the folder."""
    try:
        yield
    except (OSError, psutil.Error, subprocess.SubprocessError) as error:
        raise LocalQueueError(
            f"The embedded queue cannot use the folder {home} ({error}): make it writable, free some disk, or set "
            "LOCAL_DIR to another folder."
        ) from error


def _running(home: Path) -> QueueServer:
    """The server of a folder, started unless it runs; `start.lock` is held."""
    try:
        lock = hold(home / "server.lock", fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass  # it runs, or comes up although who launched it was killed
    else:
        try:
            _launch(home, lock)
        finally:
            drop(lock)  # the server has inherited it
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        # The address is written when connections are taken, and taken away before the next start.
        if (address := _address(home)) is not None:
            return QueueServer(address["host"], address["port"])
        if _is_vacant(home):
            break
        time.sleep(_PAUSE)
    log = home / "log"
    told = log.read_text(errors="replace").splitlines()[-1:] if log.exists() else []
    raise LocalQueueError(
        f"The embedded queue did not start in {home}, see {log} ({told[0] if told else 'empty'}): reinstall the"
        " platform's dependencies, or set LOGIN_QUEUE_URL to a queue of your own."
    )


def _launch(home: Path, lock: int) -> None:
    (home / "address.json").unlink(missing_ok=True)
    packages = str(Path(data_platform.__path__[0]).parent)
    server = [sys.executable, "-P", "-m", "data_platform.local.queue_process", str(home), str(lock)]
    subprocess.run(  # noqa: S603 every part is passed as an argument, none is read by the shell
        ["/bin/sh", "-c", _LAUNCH, "sh", str(home / "log"), *server],
        cwd=home,
        env={**_ENVIRONMENT, "PYTHONPATH": packages},
        stdin=subprocess.DEVNULL,
        check=True,
        pass_fds=(lock,),
        start_new_session=True,
    )


def _is_vacant(home: Path) -> bool:
    """Whether no server runs or comes up in a folder."""
    try:
        drop(hold(home / "server.lock", fcntl.LOCK_EX | fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _address(home: Path) -> dict[str, Any] | None:
    try:
        return json.loads((home / "address.json").read_text())
    except FileNotFoundError:
        return None


def _end(home: Path) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        address = _address(home)
        with contextlib.suppress(psutil.NoSuchProcess):
            # In another container the same number is another process.
            if address and str(home) in (process := psutil.Process(address["pid"])).cmdline():
                process.kill()  # it has nothing to lose but what its end loses anyway
        if _is_vacant(home):
            return
        time.sleep(_PAUSE)
    raise LocalQueueError(
        f"The embedded queue in {home} cannot be ended from here (in another container or under another user?): stop it"
        " there, or set LOCAL_DIR to another folder."
    )
