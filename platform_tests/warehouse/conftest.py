"""The databases of somebody else that tests read."""

import secrets
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from data_platform.local import postgres as embedded
from platform_tests.mysql_server import PASSWORD, MySqlDatabase
from platform_tests.warehouse.foreign_servers import Foreign


@pytest.fixture(scope="session")
def postgres_url(postgres_server: embedded.Server) -> str:
    """One database for all tests, since each is slow to make: a test has a schema and a user in it."""
    with closing(psycopg2.connect(postgres_server.url("postgres"))) as administrator:
        administrator.autocommit = True
        administrator.cursor().execute("CREATE DATABASE streams")
    return postgres_server.url("streams")


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Foreign]:
    name = f"reader_{secrets.token_hex(6)}"
    with closing(psycopg2.connect(postgres_url)) as administrator:
        administrator.autocommit = True

        def run(statement: str, *values: object) -> list[tuple[Any, ...]]:
            with administrator.cursor() as cursor:
                cursor.execute(statement, values or None)
                return cursor.fetchall() if cursor.description else []

        run(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}/@:'")
        run(f"CREATE SCHEMA {name}")
        run(f"GRANT USAGE ON SCHEMA {name} TO {name}")
        run(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {name} GRANT SELECT ON TABLES TO {name}")
        # The user's path begins with a schema of the same name by itself.
        run(f"SET search_path = {name}")
        sessions = f"SELECT pid FROM pg_stat_activity WHERE usename = '{name}'"
        yield Foreign(
            "postgres",
            f"postgresql://{name}:{PASSWORD}%2F%40%3A@{postgres_url.rsplit('@', 1)[1]}",
            name,
            run,
            sessions,
            f"{sessions} AND state = 'active'",
        )


@pytest.fixture
def mysql(mysql_database: MySqlDatabase) -> Foreign:
    sessions = f"SELECT id FROM information_schema.processlist WHERE user = '{mysql_database.name}'"
    return Foreign(
        "mysql",
        mysql_database.url.get_secret_value(),
        mysql_database.user,
        mysql_database.run,
        sessions,
        f"{sessions} AND command <> 'Sleep'",
    )


@pytest.fixture(params=["postgres", "mysql"])
def foreign(request: pytest.FixtureRequest) -> Foreign:
    """The same test on either."""
    return request.getfixturevalue(request.param)
