"""What the embedded Postgres keeps to itself, what it refuses and how it says so, and the rights it takes."""

import contextlib
import os
import signal
import stat
import subprocess
import threading
from pathlib import Path

import psutil
import psycopg2
import pytest

from data_platform.local import postgres, postgres_process
from data_platform.local.postgres import LocalPostgresError
from platform_tests.local.embedded_postgres import (
    is_one_sentence,
    postmaster,
    processes_under,
    query,
    until,
)
from platform_tests.unprivileged import without_rights

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def test_the_password_is_in_no_repr_log_or_command_line(home: Path) -> None:
    seen: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        last = False
        while not last:
            last = done.is_set()  # and one more look, at the server that runs by then
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    seen.update(process.cmdline())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        server = postgres.ensure(home, ["warehouse"])
    finally:
        done.set()
        watcher.join()
    assert any(str(home / "data") in part for part in seen)
    assert server.password not in " ".join(seen)
    assert server.password not in repr(server)
    assert server.password not in (home / "log").read_text()
    assert stat.S_IMODE((home / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "log").stat().st_mode) == 0o600


def test_no_statement_value_or_row_reaches_the_log_even_when_a_backend_crashes(home: Path) -> None:
    server = postgres.ensure(home, ["warehouse"])
    query(server, "CREATE TABLE people (email text UNIQUE)")
    query(server, "INSERT INTO people VALUES ('a@secret.example')")
    wrong = [
        "INSERT INTO people VALUES ('a@secret.example')",
        "SELECT 'secret'::integer",
        "SELEKT 'secret'",
        "DO $$ BEGIN RAISE WARNING 'secret'; END $$",
        "SELECT pg_terminate_backend(pg_backend_pid()), 'secret'",
    ]
    for statement in wrong:
        with contextlib.suppress(psycopg2.Error):
            query(server, statement)
    with contextlib.closing(psycopg2.connect(server.url("warehouse"))) as victim:
        os.kill(victim.info.backend_pid, signal.SIGSEGV)
        with pytest.raises(psycopg2.OperationalError):
            victim.cursor().execute("SELECT pg_sleep(60), 'secret'")
    until(lambda: "terminated by signal" in (home / "log").read_text())
    assert query(postgres.ensure(home, ["another"]), "SELECT 1", "another") == [(1,)]
    assert "secret" not in (home / "log").read_text()


def test_a_wrong_password_is_refused_and_named_without_being_told(home: Path) -> None:
    server = postgres.ensure(home, ["warehouse"])
    postgres.release(home)
    (home / "password").write_text("guessed-word")
    with pytest.raises(LocalPostgresError, match="password authentication failed") as refused:
        postgres.ensure(home, ["warehouse"])
    assert is_one_sentence(str(refused.value))
    assert str(home / "password") in str(refused.value)
    assert "guessed-word" not in str(refused.value)
    assert processes_under(home) == []
    (home / "password").write_text(server.password)
    assert query(postgres.ensure(home, ["warehouse"]), "SELECT 1") == [(1,)]


def test_a_lost_password_file_is_named(home: Path) -> None:
    postgres.ensure(home, [])
    postgres.release(home)
    (home / "password").unlink()
    with pytest.raises(LocalPostgresError, match="is gone") as refused:
        postgres.ensure(home, [])
    assert is_one_sentence(str(refused.value))


def test_a_start_that_fails_quotes_the_end_of_the_log(home: Path) -> None:
    postgres.ensure(home, [])
    postgres.release(home)
    (home / "data" / "PG_VERSION").write_text("12\n")
    with pytest.raises(LocalPostgresError, match="incompatible with server") as refused:
        postgres.ensure(home, [])
    assert is_one_sentence(str(refused.value))
    assert str(home / "log") in str(refused.value)


def test_a_failed_initdb_is_told_and_removed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_process, "SUPERUSER", "pg_reserved")
    with pytest.raises(LocalPostgresError, match="could not make its data folder") as refused:
        postgres.ensure(home, [])
    assert is_one_sentence(str(refused.value))
    assert str(home) in str(refused.value)
    assert list(home.glob("data*")) == []


@pytest.mark.parametrize("place", ["/proc/no/such", "/dev/null/postgres"])
def test_an_impossible_folder_is_named_in_one_sentence(place: str) -> None:
    with pytest.raises(LocalPostgresError, match=place) as refused:
        postgres.ensure(Path(place), ["warehouse"])
    assert is_one_sentence(str(refused.value))


def test_an_unwritable_folder_is_named_in_one_sentence(open_home: Path) -> None:
    open_home.mkdir(mode=0o555)
    with without_rights(), pytest.raises(LocalPostgresError, match="Permission denied") as refused:
        postgres.ensure(open_home, ["warehouse"])
    assert is_one_sentence(str(refused.value))
    assert list(open_home.iterdir()) == []


def test_an_impossible_database_name_is_refused_and_leaves_no_server(home: Path) -> None:
    with pytest.raises(LocalPostgresError, match="zero-length") as refused:
        postgres.ensure(home, [""])
    assert is_one_sentence(str(refused.value))
    assert processes_under(home) == []


@needs_root
def test_root_without_user_namespaces_gives_the_folder_to_nobody(
    open_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    initdb = [*as_nobody, str(postgres_process._binary("initdb")), "--version"]
    if subprocess.run(initdb, capture_output=True, check=False).returncode != 0:
        pytest.skip("nobody may not read the wheel's binaries: the virtual environment lies in a closed folder")
    works = postgres_process._works
    monkeypatch.setattr(postgres_process, "_works", lambda rights: rights[0] != "unshare" and works(rights))
    for _ in range(2):
        server = postgres.ensure(open_home, ["warehouse"])
        assert query(server, "SELECT 1") == [(1,)]
        assert psutil.Process(postmaster(open_home)).uids().effective == 65534
        postgres.release(open_home)
        assert processes_under(open_home) == []
    assert open_home.stat().st_uid == 65534
    monkeypatch.undo()
    server = postgres.ensure(open_home, ["warehouse"])
    assert query(server, "SELECT 1") == [(1,)]


@needs_root
def test_root_with_neither_way_is_told_to_be_somebody_else(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_process, "_works", lambda _rights: False)
    with pytest.raises(LocalPostgresError, match="refuses to run as root") as refused:
        postgres.ensure(home, [])
    assert is_one_sentence(str(refused.value))


@needs_root
def test_as_root_nothing_changes_hands_where_user_namespaces_are_open(home: Path) -> None:
    postgres.ensure(home, ["warehouse"])
    if home.stat().st_uid != 0:
        pytest.skip("user namespaces are closed here")
    assert {path.lstat().st_uid for path in home.rglob("*")} == {0}
