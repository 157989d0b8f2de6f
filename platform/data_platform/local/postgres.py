"""An embedded Postgres for a laptop, a test or a demonstration: one server a folder, shared by whoever uses the folder.

`ensure` starts it for the first user, `release` (or the exit of the process) stops it after the last. Belongs here: who
uses the server, its password, its databases. Does not belong here: processes and their rights (see `postgres_process`),
schemas and tables (see `warehouse`). For production there is a real server and `WAREHOUSE_URL`.

A folder holds `data` (the cluster), `password`, `log` (of the last start; `log.1` of the one before) and three lock
files: `start.lock` is held while somebody starts, stops or adds a database; `users.lock` is held shared by every user;
`server.lock` is held by the processes of the server itself.
"""

import atexit
import contextlib
import fcntl
import os
import secrets
import subprocess
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg2
from psycopg2 import sql

from data_platform.local.postgres_process import (
    HOST,
    SUPERUSER,
    LocalPostgresError,
    drop,
    halt,
    hold,
    is_at,
    last_lines,
    run,
)

__all__ = ["LocalPostgresError", "Server", "ensure", "release", "stop"]

_CONNECT_SECONDS = 60.0
# What a client hears while the server restarts itself after one of its backends died, of a postmaster that is killed
# just now, and on a machine without time for either; it is over in seconds.
_PASSING = (
    "the database system is",
    "terminating connection",
    "server closed the connection unexpectedly",
    "Connection refused",
    "Connection reset by peer",
    "timeout expired",
)

_uses: dict[Path, int] = {}
# A forked child is not a user: its own exit must not count as its parent's.
os.register_at_fork(after_in_child=_uses.clear)


@dataclass(frozen=True)
class Server:
    """Where the embedded Postgres listens, and its superuser.

    The port holds until the server stops; the next start may choose another one.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)

    def url(self, database: str) -> str:
        """The libpq address of one database; it contains the password."""
        login = f"{self.user}:{quote(self.password, safe='')}"
        return f"postgresql://{login}@{self.host}:{self.port}/{quote(database, safe='')}"


def ensure(folder: Path, databases: Sequence[str]) -> Server:
    """Make this process a user of the folder's server: start it if it does not run, create the databases it lacks.

    Any number of processes and threads may call this at once; they get the same server. A process is one user, however
    often it calls. A server that crashed is recovered, one whose users were all killed is taken over.

    Args:
        folder: where the server keeps everything; made if missing.
        databases: names of databases that the caller needs; those that exist are left as they are.

    Raises:
        LocalPostgresError: the folder cannot be used, or Postgres cannot run or refuses; nothing new is left running.
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
                undo.callback(_leave, home)
            server = _run_with(home, _password(home), databases)
            undo.pop_all()
            return server


def release(folder: Path) -> None:
    """Give up this process's use of the folder's server, and stop the server if nobody else uses it.

    Does nothing in a process that is no user. Runs by itself when the interpreter exits, but not when it is killed:
    then the server runs on until the next user comes and goes, or `stop`.
    """
    home = folder.resolve()
    if home not in _uses:
        return
    with _explained(home):
        if not home.exists():  # removed under us; Postgres notices within a minute and ends by itself
            drop(_uses.pop(home))
            return
        with _alone(home):
            _leave(home)


def stop(folder: Path) -> bool:
    """Stop whatever Postgres runs in the folder, whoever uses it.

    Returns:
        Whether anything ran.
    """
    home = folder.resolve()
    with _explained(home):
        if not home.exists():
            return False
        with _alone(home):
            return halt(home)


@atexit.register
def _release_all() -> None:
    for home in tuple(_uses):
        release(home)


def _leave(home: Path) -> None:
    """Give up the use; `start.lock` is held, so nobody can begin to use what is stopped here."""
    use = _uses.pop(home, None)
    if use is None:  # another thread of this process was faster
        return
    if not is_at(home / "users.lock", use):  # the folder was removed, and the one in its place has other users
        drop(use)
        return
    try:
        fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        halt(home)
    except BlockingIOError:
        pass  # somebody else still uses the server
    finally:
        fcntl.flock(use, fcntl.LOCK_UN)
        drop(use)


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
        raise LocalPostgresError(
            f"The embedded Postgres cannot use the folder {home} ({error}): make it writable, free some disk, or set "
            "LOCAL_DIR to another folder."
        ) from error


def _password(home: Path) -> str:
    """The superuser's password, made once before the cluster."""
    path = home / "password"
    if path.exists():
        return path.read_text().strip()
    if (home / "data").exists():
        raise LocalPostgresError(
            f"The file {path} with the superuser's password is gone: put it back, or remove {home} to begin with an "
            "empty server."
        )
    draft = home / "password.unfinished"
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(24))
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
    return path.read_text()


def _run_with(home: Path, password: str, databases: Sequence[str]) -> Server:
    """The running server, with the databases; one that is lost on the way is run again."""
    server = Server(HOST, run(home), SUPERUSER, password)
    deadline = time.monotonic() + _CONNECT_SECONDS
    while True:
        try:
            _create(server, databases)
        except psycopg2.Error as error:
            if not any(text in str(error) for text in _PASSING) or time.monotonic() > deadline:
                log = home / "log"
                raise LocalPostgresError(
                    f"The embedded Postgres in {home} refused its user or a database of "
                    f"{', '.join(databases) or 'none'} ({' '.join(str(error).split())}): see whether "
                    f"{home / 'password'} is the one it was made with, and {log}, which ends: "
                    f"{last_lines(log.read_text())}"
                ) from error
        else:
            return server
        time.sleep(0.05)
        server = Server(HOST, run(home), SUPERUSER, password)


def _create(server: Server, databases: Sequence[str]) -> None:
    with contextlib.closing(
        psycopg2.connect(
            host=server.host,
            port=server.port,
            user=server.user,
            password=server.password,
            dbname="postgres",
            connect_timeout=10,
        )
    ) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database")
            there = {name for (name,) in cursor.fetchall()}
            for name in dict.fromkeys(databases):
                if name not in there:
                    # What a killed starter asked for goes on without it, and may be done while we ask for the same.
                    with contextlib.suppress(psycopg2.errors.UniqueViolation, psycopg2.errors.DuplicateDatabase):
                        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
