"""The embedded Postgres in moments that a busy machine stretches: between two looks, two steps, two processes."""

import ctypes
import errno
import fcntl
import os
import shutil
import subprocess
import threading
from pathlib import Path

import psutil
import pytest

from data_platform.local import postgres, postgres_process
from data_platform.local.postgres import LocalPostgresError
from platform_tests.local.embedded_postgres import (
    PATIENCE,
    finish,
    first_line,
    kill,
    kill_postmaster,
    postmaster,
    processes_under,
    query,
    start_user,
    text_of,
    until,
)


def test_stop_ends_the_initdb_that_a_killed_starter_left(home: Path) -> None:
    user = start_user(home)
    until(lambda: any(home.glob("data*")))
    kill(user)
    assert postgres.stop(home) is True
    assert processes_under(home) == []


def test_stop_does_not_take_a_folder_for_idle_while_its_server_is_out_of_sight(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    monkeypatch.setattr(postgres_process, "_STOP_SECONDS", 0.2)
    launching = postgres_process.hold(home / "server.lock", fcntl.LOCK_EX)
    try:
        with pytest.raises(LocalPostgresError, match="Another Postgres works in"):
            postgres.stop(home)
    finally:
        postgres_process.drop(launching)
    assert postgres.stop(home) is False


def test_a_postmaster_that_dies_before_its_first_client_is_started_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[int] = []

    def run_and_lose_it_once(folder: Path) -> int:
        port = postgres_process.run(folder)
        if not lost:
            lost.append(postmaster(folder))
            kill_postmaster(folder)
        return port

    monkeypatch.setattr(postgres, "run", run_and_lose_it_once)
    assert query(postgres.ensure(home, ["warehouse"]), "SELECT 1") == [(1,)]
    assert postmaster(home) not in lost


def test_shared_memory_that_outlives_its_server_for_a_moment_is_waited_for(home: Path) -> None:
    """Whoever reads the command line of a dying process keeps its memory until it is done."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
    libc.shmdt.argtypes = [ctypes.c_void_p]
    postgres.ensure(home, ["warehouse"])
    segment = int((home / "data" / "postmaster.pid").read_text().splitlines()[6].split()[1])
    address = libc.shmat(segment, None, 0)
    if address == ctypes.c_void_p(-1).value and ctypes.get_errno() == errno.EACCES:
        pytest.skip("the server runs as nobody, and root may not touch what is another user's")
    assert address != ctypes.c_void_p(-1).value, os.strerror(ctypes.get_errno())
    kill_postmaster(home)
    failures: list[Exception] = []

    def start() -> None:
        try:
            postgres.ensure(home, ["warehouse"])
        except LocalPostgresError as error:
            failures.append(error)

    starter = threading.Thread(target=start)
    starter.start()
    until(lambda: "pre-existing shared memory block" in text_of(home / "log"))
    libc.shmdt(address)
    starter.join(PATIENCE)
    assert failures == []
    assert query(postgres.ensure(home, ["warehouse"]), "SELECT 1") == [(1,)]


def test_a_neighbour_whose_cluster_name_begins_alike_is_left_alone(home: Path, tmp_path: Path) -> None:
    postgres.ensure(home, [])
    own = next(part for part in psutil.Process(postmaster(home)).cmdline() if part.startswith("cluster_name="))
    inode = f"{(home / 'data').stat().st_ino:x}"
    program = tmp_path / "postgres"
    program.write_text("#!/bin/sh\nread _\n")
    program.chmod(0o700)
    with subprocess.Popen([program, own.replace(f"-{inode}", f"-{inode}0")], stdin=subprocess.PIPE) as neighbour:
        until(lambda: psutil.Process(neighbour.pid).name() == "postgres")
        assert postgres.stop(home) is True
        assert neighbour.poll() is None


def test_a_lock_file_that_is_removed_while_it_is_waited_for_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    real, removed = fcntl.flock, []

    def flock(descriptor: int, operation: int) -> None:
        if not removed:
            path.unlink()
            removed.append(descriptor)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    lock = postgres_process.hold(path, fcntl.LOCK_EX)
    with pytest.raises(BlockingIOError):
        postgres_process.hold(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    postgres_process.drop(lock)


def test_a_user_whose_folder_was_reset_does_not_stop_the_server_of_the_new_one(home: Path) -> None:
    postgres.ensure(home, ["warehouse"])
    postgres.stop(home)
    shutil.rmtree(home)
    other = start_user(home, "sys.stdin.read()")
    pid = int(first_line(other))
    postgres.release(home)
    assert postgres_process._lives(pid)
    finish(other)


def test_a_user_whose_folder_was_reset_counts_as_a_user_of_the_new_one(home: Path) -> None:
    postgres.ensure(home, ["warehouse"])
    postgres.stop(home)
    shutil.rmtree(home)
    server = postgres.ensure(home, ["warehouse"])
    other = start_user(home)
    first_line(other)
    finish(other)
    assert query(server, "SELECT 1") == [(1,)]
