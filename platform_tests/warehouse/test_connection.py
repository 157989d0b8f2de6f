"""A transaction: plain SQL and binary COPY together, all or nothing, errors in one sentence."""

from contextlib import closing
from datetime import UTC, date, datetime

import polars as pl
import psycopg2
import pytest
from pydantic import SecretStr

from data_platform.warehouse.connection import Warehouse, WarehouseRefused, WarehouseUnavailable


def test_types_survive_the_way_in_and_out(warehouse: Warehouse) -> None:
    frame = pl.DataFrame(
        {
            "text": ["a", "", None],
            "small": pl.Series([1, -1, None], dtype=pl.Int32),
            "big": [2**62, -1, None],
            "real": [0.1, float("inf"), None],
            "flag": [True, False, None],
            "day": [date(2020, 2, 29), date(1986, 1, 1), None],
            "at": pl.Series(
                [datetime(2023, 3, 12, 7, 30, 0, 123456, tzinfo=UTC), None, None], dtype=pl.Datetime("us", "UTC")
            ),
        }
    )
    with warehouse.transaction() as transaction:
        transaction.run(
            'CREATE TABLE t (text text, small int, big bigint, real double precision, flag bool, "day" date,'
            " at timestamptz)"
        )
        transaction.copy_in("public", "t", frame)
        assert transaction.query("SELECT * FROM t").equals(frame)


def test_an_error_inside_leaves_nothing(warehouse: Warehouse) -> None:
    with pytest.raises(KeyError), warehouse.transaction() as transaction:
        transaction.run("CREATE TABLE t (x int)")
        raise KeyError
    with pytest.raises(WarehouseRefused, match='relation "t" does not exist'), warehouse.transaction() as transaction:
        transaction.query("SELECT * FROM t")


def test_identifiers_are_quoted_by_the_server_and_values_are_parameters(warehouse: Warehouse) -> None:
    with warehouse.transaction() as transaction:
        assert (
            transaction.quoted("SELECT %I FROM %I", 'a"; DROP TABLE t; --', "Order")
            == 'SELECT "a""; DROP TABLE t; --" FROM "Order"'
        )
        assert transaction.query("SELECT $1 AS x", "'; DROP TABLE t; --").item() == "'; DROP TABLE t; --"


def test_a_wrong_password_is_one_sentence_without_it(warehouse: Warehouse) -> None:
    wrong = SecretStr(f"postgresql://platform:hunter2@{warehouse.address}")
    with (
        pytest.raises(WarehouseRefused, match="password authentication failed.*check WAREHOUSE_URL") as caught,
        Warehouse(wrong).transaction(),
    ):
        pass
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there_is_one_sentence_without_the_password() -> None:
    with (
        pytest.raises(WarehouseUnavailable, match=r"127\.0\.0\.1:9/db cannot be reached") as caught,
        Warehouse(SecretStr("postgresql://user:hunter2@127.0.0.1:9/db")).transaction(),
    ):
        pass
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_error_does_not_quote_the_values_of_a_row(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseRefused) as caught, warehouse.transaction() as transaction:
        transaction.run("CREATE TABLE t (mail text PRIMARY KEY)")
        transaction.copy_in("public", "t", pl.DataFrame({"mail": ["jane@example.org", "jane@example.org"]}))
    assert "duplicate key" in str(caught.value)
    assert "jane" not in str(caught.value)


def test_a_connection_cut_in_the_middle_is_transient_and_leaves_nothing(warehouse: Warehouse) -> None:
    with warehouse.transaction() as transaction:
        transaction.run("CREATE TABLE t (x int)")
    with pytest.raises(WarehouseUnavailable, match="nothing was changed"), warehouse.transaction() as transaction:
        transaction.run("INSERT INTO t VALUES (1)")
        connection = psycopg2.connect(warehouse.url.get_secret_value())
        connection.cursor().execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        connection.close()
        transaction.run("INSERT INTO t VALUES (2)")
    with warehouse.transaction() as transaction:
        assert transaction.query("SELECT count(*) AS n FROM t").item() == 0


def test_a_password_is_in_no_representation(warehouse: Warehouse) -> None:
    secret = warehouse.url.get_secret_value().split(":")[2].split("@")[0]
    assert secret not in repr(warehouse) + str(warehouse) + warehouse.address


def test_a_connection_that_was_cut_while_nobody_used_it_is_replaced(warehouse: Warehouse) -> None:
    with warehouse.transaction() as transaction:
        [(first,)] = transaction.query("SELECT pg_backend_pid()").rows()
    with warehouse.transaction() as transaction:
        assert transaction.query("SELECT pg_backend_pid()").rows() == [(first,)]
    with closing(psycopg2.connect(warehouse.url.get_secret_value())) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", (first,))
    with warehouse.transaction() as transaction:
        assert transaction.query("SELECT pg_backend_pid()").rows() != [(first,)]
