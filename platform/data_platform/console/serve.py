"""The Dagster UI on this machine: webserver, daemon and code server, one group that leaves no process behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import dagster as dg
import psutil

from data_platform import settings as settings_module
from data_platform.console import home
from data_platform.console.lock import Lock
from data_platform.errors import PermanentError
from data_platform.settings import Settings, project_root
from data_platform.stack import open_stack

_STARTS_WITHIN, _STOPS_WITHIN = 180.0, 30.0  # seconds
_LOCATIONS = """
{ workspaceOrError { ... on Workspace {
    locationEntries { loadStatus locationOrLoadError { ... on PythonError { message } } }
} } }
"""


def up(port: int) -> int:
    """Serves the UI until Ctrl-C, SIGTERM or `down`; a second call says that it is up.

    Returns:
        The exit code.

    Raises:
        PermanentError: The port is taken, or Dagster did not come up.
    """
    settings = settings_module.load()
    lock = _lock(settings)
    if not lock.take():
        print(f"The UI is up already: http://localhost:{lock.note().get('port', port)} (stop it with `make down`).")
        return 0
    with lock, _told_to_stop():
        _stop_group(lock.note())  # what a killed `up` left behind
        lock.write({"port": port, "process": _identity(os.getpid())})
        _refuse_taken_port(port)
        print("Starting Postgres, webserver, daemon and code server ...", flush=True)
        home.prepare(settings)
        home.settle_sample_world(open_stack(settings))
        with dg.DagsterInstance.get() as instance:
            home.fail_orphans(instance, of_the_ui=True)
        with _dagster(settings, port) as process:
            lock.write({"port": port, "process": _identity(os.getpid()), "group": _identity(process.pid)})
            _wait_until_it_answers(process, port, settings)
            print(f"The UI is at http://localhost:{port} - stop it with Ctrl-C or `make down`.", flush=True)
            # Not `wait`: a signal that arrives just before a system call without end is noticed only after it.
            while process.poll() is None:
                time.sleep(0.2)
        raise PermanentError(f"Dagster stopped by itself; read {_log(settings)}.")


def down() -> int:
    """Stops what `up` started, wherever it runs, and waits until it is gone.

    Returns:
        The exit code.
    """
    settings = settings_module.load()
    lock = _lock(settings)
    if lock.take():
        with lock:
            left = _stop_group(lock.note())
            if (settings.local_dir / "postgres").exists():
                home.prepare(settings)  # the last user of the embedded Postgres takes it along when it leaves
        print("Stopped what a killed `make up` had left." if left else "The UI is not up.")
        return 0
    leader = lock.note().get("process", {})
    for process in _living(leader):
        process.send_signal(signal.SIGTERM)
    if not lock.take(within=_STOPS_WITHIN + 10):
        raise PermanentError(f"The UI does not stop; look at process {leader.get('pid')}.")
    lock.release()
    print("The UI is down.")
    return 0


@contextmanager
def _dagster(settings: Settings, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port), "-w", "workspace.yaml"]
    with _log(settings).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=project_root(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    group = _identity(process.pid)
    try:
        yield process
    finally:
        _stop_group({"group": group})
        process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, settings: Settings) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        entries = _locations(port)
        if entries and all(entry["loadStatus"] == "LOADED" for entry in entries):
            loads: list[dict[str, str]] = [entry["locationOrLoadError"] or {} for entry in entries]
            if message := next((load["message"] for load in loads if "message" in load), None):
                raise PermanentError(
                    f"The definitions do not load: {message.strip().splitlines()[-1]}; read {_log(settings)}."
                )
            return
        time.sleep(0.3)
    raise PermanentError(f"Dagster did not come up; read {_log(settings)}.")


def _locations(port: int) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": _LOCATIONS}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)["data"]["workspaceOrError"].get("locationEntries", [])
    except (OSError, urllib.error.URLError, ValueError, KeyError):
        return []  # not yet


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PermanentError(
                f"Port {port} is taken by another program; choose one with `make up PORT={port + 1}`."
            ) from None


@contextmanager
def _told_to_stop() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _identity(pid: int) -> dict[str, Any]:
    """A process and when it started, so that a number used again is not mistaken for it."""
    with suppress(psutil.NoSuchProcess):
        return {"pid": pid, "started": psutil.Process(pid).create_time()}
    return {}


def _living(identity: dict[str, Any]) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess, KeyError):
        process = psutil.Process(identity["pid"])
        if process.create_time() == identity["started"]:
            return [process]
    return []


def _members(note: dict[str, Any]) -> list[psutil.Process]:
    """The living processes of the group in a note: those that started with its leader or after it."""
    group, started = note.get("group", {}).get("pid"), note.get("group", {}).get("started", 0.0)
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            is_member = group and os.getpgid(process.pid) == group and process.create_time() >= started
            if is_member and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _stop_group(note: dict[str, Any]) -> bool:
    """Ends a group of processes, first by asking; returns whether there was one."""
    members = _members(note)
    for number, within in ((signal.SIGTERM, _STOPS_WITHIN), (signal.SIGKILL, 5.0)):
        for process in _members(note):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        deadline = time.monotonic() + within
        # Not by waiting for each: a dead process whose parent does not collect it would look alive.
        while _members(note) and time.monotonic() < deadline:
            time.sleep(0.1)
    return bool(members)


def _log(settings: Settings) -> Path:
    return settings.local_dir.absolute() / "up.log"


def _lock(settings: Settings) -> Lock:
    return Lock(settings.local_dir.absolute() / "up.lock")
