"""The embedded Postgres as its users share it: started once, found by all, stopped by the last."""

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from data_platform.local import postgres, postgres_process
from platform_tests.local.embedded_postgres import (
    PATIENCE,
    finish,
    first_line,
    kill,
    postmaster,
    processes_under,
    query,
    start_user,
    text_of,
    until,
)


def test_it_starts_and_answers_sql_in_each_database(home: Path) -> None:
    server = postgres.ensure(home, ["warehouse", "app with a space"])
    assert query(server, "SELECT current_user::text, 6 * 7") == [("platform", 42)]
    assert query(server, "SELECT current_database()", "app with a space") == [("app with a space",)]


def test_the_cluster_is_utf8_checksummed_durable_and_on_loopback_only(home: Path) -> None:
    server = postgres.ensure(home, ["warehouse"])
    names = [
        "server_encoding",
        "data_checksums",
        "fsync",
        "listen_addresses",
        "unix_socket_directories",
        "dynamic_shared_memory_type",
    ]
    values = [query(server, f"SHOW {name}")[0][0] for name in names]
    assert values == ["UTF8", "on", "on", "127.0.0.1", "", "mmap"]
    assert str(query(server, "SHOW server_version")[0][0]).startswith("18.")


def test_a_second_call_in_one_process_gives_the_same_server_and_adds_databases(home: Path) -> None:
    first = postgres.ensure(home, ["warehouse"])
    second = postgres.ensure(home, ["warehouse", "app"])
    assert first == second
    assert query(second, "SELECT 1", "app") == [(1,)]


def test_eight_processes_that_start_at_once_share_one_server(home: Path) -> None:
    users = [start_user(home, "sys.stdin.read()") for _ in range(8)]
    pids = {first_line(user) for user in users}
    assert pids == {str(postmaster(home))}
    assert [finish(user) for user in users] == [""] * 8
    assert processes_under(home) == []


def test_the_last_users_exit_stops_the_server_and_the_data_is_there_again(home: Path) -> None:
    server = postgres.ensure(home, ["warehouse"])
    query(server, "CREATE TABLE kept AS SELECT 7 AS number")
    other = start_user(home, "sys.stdin.read()")
    first_line(other)
    postgres.release(home)
    assert query(server, "SELECT number FROM kept") == [(7,)]
    finish(other)
    assert processes_under(home) == []
    assert query(postgres.ensure(home, ["warehouse"]), "SELECT number FROM kept") == [(7,)]


def test_users_that_come_and_go_in_a_crowd_always_find_a_server(home: Path) -> None:
    look = """
import psycopg2
for _ in range(4):
    server = postgres.ensure(folder, ["warehouse"])
    psycopg2.connect(server.url("warehouse")).close()
    postgres.release(folder)
"""
    users = [start_user(home, look) for _ in range(6)]
    for user in users:
        first_line(user)
        finish(user)
    assert processes_under(home) == []


def test_threads_of_one_process_are_one_user(home: Path) -> None:
    servers: list[postgres.Server] = []
    threads = [threading.Thread(target=lambda: servers.append(postgres.ensure(home, ["warehouse"]))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(servers) == 6
    assert len(set(servers)) == 1
    postgres.release(home)
    assert processes_under(home) == []


def test_a_killed_user_leaves_a_server_that_the_next_user_takes_over_and_stops(home: Path) -> None:
    user = start_user(home, "time.sleep(600)")
    pid = int(first_line(user))
    kill(user)
    server = postgres.ensure(home, ["warehouse"])
    assert postmaster(home) == pid
    assert query(server, "SELECT 1") == [(1,)]
    postgres.release(home)
    assert processes_under(home) == []


def test_a_forked_child_does_not_count_as_a_user(home: Path) -> None:
    fork = """
child = os.fork()
if child == 0:
    os.close(1)
    os.close(2)
    sys.stdin.read()
    sys.exit(0)
print(child, flush=True)
"""
    user = start_user(home, fork)
    first_line(user)
    child = int(first_line(user))
    assert user.wait(PATIENCE) == 0
    try:
        assert postgres_process._lives(child)
        assert processes_under(home) == []
    finally:
        finish(user)
        until(lambda: not postgres_process._lives(child))


def test_a_forked_childs_exit_leaves_its_parents_server_alone(home: Path) -> None:
    fork = """
child = os.fork()
if child == 0:
    postgres.release(folder)
    sys.exit(0)
os.waitpid(child, 0)
print((folder / "data" / "postmaster.pid").exists(), flush=True)
other = postgres.ensure(folder, [])
print(other == server)
"""
    user = start_user(home, fork)
    first_line(user)
    assert finish(user).split() == ["True", "True"]


def test_a_program_that_a_user_started_does_not_inherit_its_use(home: Path) -> None:
    leave_a_sleeper = """
import subprocess
nothing = subprocess.DEVNULL
sleeper = subprocess.Popen(["sleep", "600"], stdin=nothing, stdout=nothing, stderr=nothing)
print(sleeper.pid, flush=True)
os._exit(0)
"""
    user = start_user(home, leave_a_sleeper)
    first_line(user)
    sleeper = int(first_line(user))
    try:
        finish(user)
        assert processes_under(home) != []
        postgres.ensure(home, [])
        postgres.release(home)
        assert processes_under(home) == []
        assert postgres_process._lives(sleeper)
    finally:
        os.kill(sleeper, signal.SIGKILL)


def test_a_server_that_somebody_started_by_hand_is_used_and_never_doubled(home: Path) -> None:
    postgres.ensure(home, ["warehouse"])
    postgres.release(home)
    by_hand = [*postgres_process._rights(home), str(postgres_process._binary("postgres")), "-D", str(home / "data")]
    options = ["-c", f"port={postgres_process._free_port(0)}", "-c", "unix_socket_directories="]
    with subprocess.Popen([*by_hand, *options], stderr=subprocess.DEVNULL) as server:
        try:
            until(lambda: "ready" in text_of(home / "data" / "postmaster.pid"))
            assert query(postgres.ensure(home, ["warehouse"]), "SELECT 1") == [(1,)]
            assert postmaster(home) == server.pid
        finally:
            server.terminate()


def test_stop_tells_whether_something_ran(home: Path) -> None:
    assert postgres.stop(home) is False
    assert not home.exists()
    postgres.ensure(home, ["warehouse"])
    assert postgres.stop(home) is True
    assert processes_under(home) == []
    assert postgres.stop(home) is False


def test_stop_ends_a_server_that_others_use_and_they_can_have_it_again(home: Path) -> None:
    user = start_user(home, 'sys.stdin.read(); print(postgres.ensure(folder, ["warehouse"]).user)')
    first_line(user)
    assert postgres.stop(home) is True
    assert processes_under(home) == []
    assert finish(user) == "platform"


def test_release_without_a_use_does_nothing(home: Path) -> None:
    postgres.release(home)
    user = start_user(home, "sys.stdin.read()")
    pid = int(first_line(user))
    postgres.release(home)
    assert postgres_process._lives(pid)
    finish(user)


def test_an_interrupt_in_the_starters_terminal_does_not_reach_the_server(home: Path) -> None:
    postgres.ensure(home, ["warehouse"])
    assert os.getsid(postmaster(home)) != os.getsid(0)


def test_the_log_is_of_the_last_start_and_the_one_before_is_kept(home: Path) -> None:
    for _ in range(3):
        postgres.ensure(home, [])
        postgres.release(home)
    assert (home / "log").read_text().count("starting PostgreSQL") == 1
    assert (home / "log.1").read_text().count("starting PostgreSQL") == 1
    assert not (home / "log.2").exists()


def test_a_taken_port_is_given_up_for_another(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from socket import socket

    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        taken_first = iter([taken.getsockname()[1]])
        free_port = postgres_process._free_port
        monkeypatch.setattr(postgres_process, "_free_port", lambda wanted: next(taken_first, None) or free_port(wanted))
        assert query(postgres.ensure(home, ["warehouse"]), "SELECT 1") == [(1,)]
