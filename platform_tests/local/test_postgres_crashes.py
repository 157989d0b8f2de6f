"""The embedded Postgres after kills: of its starters, its postmaster, its backends."""

import contextlib
import os
import random
import subprocess
import threading
import time
from pathlib import Path

import psutil
import psycopg2
import pytest

from data_platform.local import postgres, postgres_process
from data_platform.local.postgres import LocalPostgresError
from platform_tests.local.embedded_postgres import (
    PATIENCE,
    first_line,
    kill,
    kill_postmaster,
    processes_under,
    query,
    start_user,
    until,
)


def test_committed_rows_survive_a_killed_postmaster_and_the_address_stays(home: Path) -> None:
    server = postgres.ensure(home, ["warehouse"])
    query(server, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
    kill_postmaster(home)
    again = postgres.ensure(home, ["warehouse"])
    assert query(again, "SELECT count(*) FROM kept") == [(1000,)]
    assert again == server


def test_a_backend_that_outlives_its_postmaster_does_not_block_the_next_start(home: Path) -> None:
    busy = """
import psycopg2
connection = psycopg2.connect(server.url("warehouse"))
print(connection.info.backend_pid, flush=True)
connection.cursor().execute("SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b")
"""
    server = postgres.ensure(home, ["warehouse"])
    user = start_user(home, busy)
    first_line(user)
    backend = int(first_line(user))
    counting = f"SELECT state FROM pg_stat_activity WHERE pid = {backend} AND query LIKE 'SELECT count%'"
    until(lambda: query(server, counting) == [("active",)])
    kill_postmaster(home)
    kill(user)
    assert postgres_process._lives(backend)
    again = postgres.ensure(home, ["warehouse"])
    assert not postgres_process._lives(backend)
    assert query(again, "SELECT 1") == [(1,)]


def test_a_postmaster_that_stays_a_zombie_does_not_block_the_next_start(home: Path) -> None:
    postgres.ensure(home, ["warehouse"])
    kill_postmaster(home)
    with subprocess.Popen(["true"]) as zombie:
        until(lambda: not postgres_process._lives(zombie.pid))
        os.kill(zombie.pid, 0)  # answers all the same
        _name_in_pid_file(home, zombie.pid)
        assert query(postgres.ensure(home, ["warehouse"]), "SELECT 1") == [(1,)]


def test_a_pid_file_that_names_an_unrelated_live_process_does_not_block_or_harm_it(home: Path) -> None:
    postgres.ensure(home, ["warehouse"])
    kill_postmaster(home)
    with subprocess.Popen(["sleep", "600"]) as unrelated:
        try:
            _name_in_pid_file(home, unrelated.pid)
            assert postgres.stop(home) in {True, False}  # background processes may still be on their way out
            assert query(postgres.ensure(home, ["warehouse"]), "SELECT 1") == [(1,)]
            assert unrelated.poll() is None
        finally:
            unrelated.kill()


@pytest.mark.parametrize("content", ["", "\n", "not a pid\n", "0\n", "2147483646"])
def test_a_damaged_pid_file_does_not_block_the_next_start(home: Path, content: str) -> None:
    postgres.ensure(home, ["warehouse"])
    postgres.release(home)
    (home / "data" / "postmaster.pid").write_text(content)
    assert query(postgres.ensure(home, ["warehouse"]), "SELECT 1") == [(1,)]


def _name_in_pid_file(folder: Path, pid: int) -> None:
    path = folder / "data" / "postmaster.pid"
    path.write_text("\n".join([str(pid), *path.read_text().splitlines()[1:]]) + "\n")


def test_what_works_out_of_sight_in_the_folder_is_not_started_twice(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.ensure(home, ["warehouse"])
    unseen: list[psutil.Process] = []
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(postgres_process, "_at_work", lambda _data: unseen)
        elsewhere.setattr(postgres_process, "_START_SECONDS", 0.2)
        elsewhere.setattr(postgres_process, "_STOP_SECONDS", 0.2)
        with pytest.raises(LocalPostgresError, match="Another Postgres works in"):
            postgres.ensure(home, ["warehouse"])
    assert query(postgres.ensure(home, ["warehouse"]), "SELECT 1") == [(1,)]


def test_what_an_interrupted_initdb_left_is_removed(home: Path) -> None:
    stale = home / "data.unfinished-0badcafe"
    (stale / "base").mkdir(parents=True)
    (stale / "base" / "PG_VERSION").write_text("18\n")
    (home / "password.unfinished").write_text("half")
    assert query(postgres.ensure(home, ["warehouse"]), "SELECT 1") == [(1,)]
    kept = {"data", "password", "log", "start.lock", "users.lock", "server.lock"}
    assert {path.name for path in home.iterdir()} == kept


@pytest.mark.parametrize("whole_tree", [False, True], ids=["starter_killed", "starter_and_initdb_killed"])
@pytest.mark.parametrize("attempt", range(5))
def test_a_kill_in_the_middle_of_the_first_initdb_leaves_nothing_that_breaks_the_next(
    home: Path, attempt: int, *, whole_tree: bool
) -> None:
    moment = attempt and random.SystemRandom().uniform(0.0, 0.6)
    print(f"killed after {moment} s")
    user = start_user(home, "sys.stdin.read()")
    until(lambda: any(home.glob("data*")))
    time.sleep(moment)
    family = psutil.Process(user.pid).children(recursive=True) if whole_tree else []
    kill(user)
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert query(postgres.ensure(home, ["warehouse"]), "SELECT 1") == [(1,)]
    assert list(home.glob("*unfinished*")) == []
    postgres.release(home)
    assert processes_under(home) == []


def test_a_database_that_a_killed_starters_backend_is_still_creating_is_taken_as_it_comes(home: Path) -> None:
    server = postgres.ensure(home, [])
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CREATE DATABASE%'"
    failures: list[Exception] = []

    def create() -> None:
        try:
            postgres.ensure(home, ["warehouse"])
        except LocalPostgresError as error:
            failures.append(error)

    with contextlib.closing(psycopg2.connect(server.url("postgres"))) as blocker:
        blocker.cursor().execute("LOCK TABLE pg_shdepend IN SHARE MODE")  # stops it between the name and the commit
        orphan = psycopg2.connect(server.url("postgres"), async_=1)
        until(lambda: orphan.poll() == psycopg2.extensions.POLL_OK)
        orphan.cursor().execute('CREATE DATABASE "warehouse"')
        until(lambda: query(server, waiting, "postgres") == [(1,)])
        starter = threading.Thread(target=create)
        starter.start()
        until(lambda: query(server, waiting, "postgres") == [(2,)])
        blocker.rollback()
        starter.join(PATIENCE)
        orphan.close()
    assert failures == []
    assert query(postgres.ensure(home, ["warehouse"]), "SELECT 1") == [(1,)]
