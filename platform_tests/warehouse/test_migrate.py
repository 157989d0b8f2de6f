"""Migrations: forward only, all or nothing, safe when two start at once."""

import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from data_platform.settings import sql_folder
from data_platform.warehouse.connection import Warehouse, WarehouseUnavailable
from data_platform.warehouse.migrate import MigrationError, migrate

MIGRATIONS = sql_folder() / "migrations"


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)
    return folder


def tables(url: SecretStr) -> set[str]:
    with Warehouse(url).transaction() as transaction:
        return set(
            transaction.query("SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public'")["name"]
        )


def test_all_migrations_are_applied_once_and_in_order(empty_database: SecretStr) -> None:
    names = sorted(path.stem for path in MIGRATIONS.glob("*.sql"))
    assert migrate(empty_database, MIGRATIONS) == names
    assert migrate(empty_database, MIGRATIONS) == []


def test_a_later_file_is_applied_on_top(empty_database: SecretStr, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", **{"0001_a": "CREATE TABLE a (x text DEFAULT '100%');"})
    assert migrate(empty_database, folder) == ["0001_a"]
    write(folder, **{"0002_b": "ALTER TABLE a ADD y int; CREATE TABLE b (x int);"})
    assert migrate(empty_database, folder) == ["0002_b"]
    assert tables(empty_database) == {"a", "b"}


def test_a_migration_that_fails_leaves_nothing_of_any(empty_database: SecretStr, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "m", **{"0001_a": "CREATE TABLE a (x int);", "0002_b": "CREATE TABLE b (x int); SELECT nothing;"}
    )
    with pytest.raises(MigrationError, match="nothing was changed: column"):
        migrate(empty_database, folder)
    assert tables(empty_database) == set()
    write(folder, **{"0002_b": "CREATE TABLE b (x int);"})
    assert migrate(empty_database, folder) == ["0001_a", "0002_b"]


def test_eight_processes_that_start_at_once_apply_each_migration_once(empty_database: SecretStr) -> None:
    applied: list[str] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        applied.extend(migrate(empty_database, MIGRATIONS))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert applied == sorted(path.stem for path in MIGRATIONS.glob("*.sql"))


@pytest.mark.parametrize("name", ["0002_gap", "1_short", "0001-dash", "0001_Upper"])
def test_a_misnamed_file_is_refused_by_name(empty_database: SecretStr, tmp_path: Path, name: str) -> None:
    with pytest.raises(MigrationError, match=rf"{name}\.sql: expected a name such as 0001_what_it_does\.sql"):
        migrate(empty_database, write(tmp_path / "m", **{name: "SELECT 1;"}))


def test_a_warehouse_newer_than_the_files_is_refused(empty_database: SecretStr, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", **{"0001_a": "CREATE TABLE a (x int);", "0002_b": "CREATE TABLE b (x int);"})
    migrate(empty_database, folder)
    (folder / "0002_b.sql").unlink()
    with pytest.raises(MigrationError, match="0002_b, which this version of the platform does not have"):
        migrate(empty_database, folder)


def test_a_warehouse_that_does_not_answer_is_one_sentence_without_the_password() -> None:
    with pytest.raises(
        WarehouseUnavailable, match=r"127\.0\.0\.1:9/warehouse cannot be reached.*WAREHOUSE_URL"
    ) as caught:
        migrate(SecretStr("postgresql://user:hunter2@127.0.0.1:9/warehouse"), MIGRATIONS)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
