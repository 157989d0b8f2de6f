"""What the tests do to an embedded Postgres: use it from processes of their own, look at it, kill it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg2

from data_platform.local import postgres, postgres_process

PLATFORM = Path(__file__).parents[2] / "platform"
PATIENCE = 60.0

_users: list[subprocess.Popen[str]] = []


def processes_under(folder: Path) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def kill_postmaster(folder: Path) -> None:
    pid = postmaster(folder)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not postgres_process._lives(pid))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def text_of(path: Path) -> str:
    """What a file says; nothing while it is not there."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def query(server: postgres.Server, statement: str, database: str = "warehouse") -> list[tuple[object, ...]]:
    with contextlib.closing(psycopg2.connect(server.url(database))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def start_user(folder: Path, then: str = "") -> subprocess.Popen[str]:
    """Another process that uses the folder, prints the postmaster's pid, and goes on with `then`."""
    script = f"""
import os, sys, time
from pathlib import Path
from data_platform.local import postgres
folder = Path({str(folder)!r})
server = postgres.ensure(folder, ["warehouse"])
print((folder / "data" / "postmaster.pid").read_text().splitlines()[0], flush=True)
{then}
"""
    user = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": str(PLATFORM)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _users.append(user)
    return user


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finish(process: subprocess.Popen[str]) -> str:
    """Close the process's input, wait for its end, and return what else it printed."""
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    return out.strip()


def kill(process: subprocess.Popen[str]) -> None:
    with process:
        process.kill()


def is_one_sentence(message: str) -> bool:
    return "\n" not in message and len(message) < 1000


def kill_users() -> None:
    """Kill every process that `start_user` started."""
    while _users:
        kill(_users.pop())
