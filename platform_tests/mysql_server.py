"""A real MySQL server for the tests: the one that TEST_MYSQL_URL names, or a MariaDB of our own on a private port.

What does not belong here: tables and rows (the tests).
"""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, unquote, urlsplit

import pymysql
from pydantic import SecretStr

PASSWORD = "hunter2"
"""Stands in every test user's password, so that a message can be searched for it."""

_SECONDS_TO_START = 120.0
_HOST = "127.0.0.1"


class NoMySql(Exception):
    """There is no MySQL server, and none can be started; the message says how to get one."""


@dataclass(frozen=True)
class MySqlServer:
    """A server, and who may do everything there."""

    host: str
    port: int
    administrator: str
    password: str = field(repr=False)

    def connect(self) -> Any:
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.administrator,
            password=self.password,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=10,
        )


@dataclass(frozen=True)
class MySqlDatabase:
    """A database of a test's own.

    Attributes:
        url: For a user who may read all its tables, and nothing else.
        name: Of the database and of that user.
    """

    url: SecretStr
    name: str
    _administrator: Any = field(repr=False)

    @property
    def user(self) -> str:
        """The user, as GRANT and REVOKE name it."""
        return f"'{self.name}'@'%'"

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Runs a statement, with %s for each value, as the administrator, always on one connection; gives its rows."""
        with self._administrator.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())


@contextmanager
def running(folder: Path) -> Iterator[MySqlServer]:
    """A server for as long as the context lasts.

    Args:
        folder: Empty; where its data go, if it is one of our own.

    Raises:
        NoMySql: There is none.
    """
    if url := os.environ.get("TEST_MYSQL_URL"):
        parts = urlsplit(url)
        yield MySqlServer(
            parts.hostname or _HOST, parts.port or 3306, unquote(parts.username or ""), unquote(parts.password or "")
        )
        return
    data, log, port = _install(folder), folder / "log", _free_port()
    # The socket's path is relative to the data folder: it may not be longer than 100 characters.
    command = [
        _binary("mariadbd"), "--no-defaults", f"--datadir={data}", *_as_root(), f"--port={port}",
        f"--bind-address={_HOST}", "--socket=socket", f"--pid-file={folder / 'pid'}", "--skip-name-resolve",
    ]  # fmt: skip
    with log.open("wb") as out, _process(command, stdin=subprocess.DEVNULL, out=out) as process, _guard(process.pid):
        server = MySqlServer(_HOST, port, "root", "")
        _wait_until_ready(server, process, log)
        yield server
    shutil.rmtree(data)


@contextmanager
def fresh_database(server: MySqlServer) -> Iterator[MySqlDatabase]:
    """An empty database that goes with the context, and with everybody who still reads it."""
    # No underscore: in a GRANT it stands for any character.
    name = f"test{secrets.token_hex(6)}"
    password = f"{PASSWORD}/@:%{secrets.token_hex(4)}"
    login = f"{name}:{quote(password, safe='')}"
    with closing(server.connect()) as administrator:
        database = MySqlDatabase(SecretStr(f"mysql://{login}@{server.host}:{server.port}/{name}"), name, administrator)
        database.run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        try:
            database.run(f"USE {name}")
            database.run(f"CREATE USER {database.user} IDENTIFIED BY '{password}'")
            database.run(f"GRANT SELECT ON {name}.* TO {database.user}")
            yield database
        finally:
            _drop(database)


def _drop(database: MySqlDatabase) -> None:
    database.run(f"DROP USER IF EXISTS {database.user}")
    # Whoever still reads a table would make its DROP wait for them.
    for (left,) in database.run(f"SELECT id FROM information_schema.processlist WHERE user = '{database.name}'"):
        try:
            database.run(f"KILL {left}")
        except pymysql.Error:
            continue  # gone by itself
    database.run(f"DROP DATABASE {database.name}")


def _install(folder: Path) -> Path:
    data = folder / "data"
    done = subprocess.run(
        [
            _binary("mariadb-install-db"), "--no-defaults", "--auth-root-authentication-method=normal",
            f"--datadir={data}", *_as_root(),
        ],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise NoMySql(f"mariadb-install-db failed in {folder}: {_last_line(done.stdout + done.stderr)}")
    return data


def _process(command: list[str], *, stdin: int, out: int | IO[bytes]) -> subprocess.Popen[bytes]:
    # In a session of its own Ctrl-C does not reach it: it ends after the tests, not before them.
    return subprocess.Popen(command, stdin=stdin, stdout=out, stderr=out, start_new_session=True)


def _guard(pid: int) -> subprocess.Popen[bytes]:
    """A process that kills another one when its own input ends: on leaving the context, and when we ourselves die."""
    return _process(["/bin/sh", "-c", 'cat; kill -KILL "$0"', str(pid)], stdin=subprocess.PIPE, out=subprocess.DEVNULL)


def _wait_until_ready(server: MySqlServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while True:
        try:
            server.connect().close()
        except pymysql.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise NoMySql(f"mariadbd did not start, see {log}: {_last_line(log.read_text())}") from None
            time.sleep(0.02)
        else:
            return


def _binary(name: str) -> str:
    # Debian's mariadbd is where only root looks.
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
    if found is None:
        raise NoMySql(
            f"There is no {name}: install Debian's `mariadb-server-core mariadb-client-core`, or set"
            " TEST_MYSQL_URL=mysql://root:password@host:port."
        )
    return found


def _as_root() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    failures = [line for line in lines if "ERROR" in line]
    return (failures or lines or ["it said nothing"])[-1].strip()
