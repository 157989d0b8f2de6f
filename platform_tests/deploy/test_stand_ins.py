"""The stand-ins of the app's and the lessons database: filled by the file's own task; the platform may only read."""

from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg2
import pymysql
import pytest

from platform_tests.deploy import stack as production
from platform_tests.deploy.stack import ProductionStack
from platform_tests.mysql_server import MySqlServer


def test_the_sample_world_is_put_in_once_and_the_platform_may_read_it_and_no_more(
    tmp_path: Path, mysql_server: MySqlServer
) -> None:
    with production.unstarted(tmp_path, mysql_server) as stack:
        stack.start("sample")
        before = counts(stack)
        assert all(count > 0 for count in before)
        stack.start("sample")
        assert counts(stack) == before
        refuse_to_write(stack)


def counts(stack: ProductionStack) -> tuple[int, int, int]:
    with closing(psycopg2.connect(stack.secret("app_database_url"))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM monthly_login_aggregates)")
        ((users, counters),) = cursor.fetchall()
    with closing(lessons(stack)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM lesson_completion")
        ((completions,),) = cursor.fetchall()
    return users, counters, completions


def refuse_to_write(stack: ProductionStack) -> None:
    with closing(psycopg2.connect(stack.secret("app_database_url"))) as connection, connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
        connection.commit()
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM users")
    with closing(lessons(stack)) as connection, connection.cursor() as cursor:
        with pytest.raises(pymysql.err.OperationalError, match="denied"):
            cursor.execute("DELETE FROM lesson_completion")
        cursor.execute("SHOW DATABASES")
        own = {"information_schema", "performance_schema", "test"}  # of the server; the last is MariaDB's for everybody
        assert {name for (name,) in cursor.fetchall()} - own == {"lessons"}


def lessons(stack: ProductionStack) -> "pymysql.connections.Connection[pymysql.cursors.Cursor]":
    parts = urlsplit(stack.secret("lessons_database_url"))
    return pymysql.connect(
        host=parts.hostname or "", port=parts.port or 3306, user=parts.username or "",
        password=unquote(parts.password or ""), database=parts.path.strip("/"),
    )  # fmt: skip
