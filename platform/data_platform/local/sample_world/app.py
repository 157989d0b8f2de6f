"""The app's database of the sample world, and the snapshots that were taken of it before anybody looked.

Not here: who its users are and what they did (`lessons`, `logins`).
"""

from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import IO

import psycopg2
from psycopg2 import extensions
from pydantic import SecretStr

from data_platform.lake import snapshots
from data_platform.lake.store import Store
from data_platform.local.sample_world import lessons, logins

COUNTERS = "monthly_login_aggregates"
USERS = "users"
_LOGIN_TABLES = """
CREATE TABLE monthly_login_aggregates (
    user_type varchar NOT NULL, user_id int NOT NULL, year int NOT NULL, month varchar NOT NULL,
    num_logins int NOT NULL, device varchar NOT NULL, d_last_accessed bigint NOT NULL,
    PRIMARY KEY (user_id, year, month, device)
);
CREATE TABLE daily_login_aggregates (
    date date NOT NULL, user_type varchar NOT NULL, user_id int NOT NULL, num_logins int NOT NULL,
    device varchar NOT NULL, PRIMARY KEY (date, user_id, device)
);
"""
_USERS_TABLE = """
CREATE TABLE users (
    user_id serial PRIMARY KEY, user_name varchar(255) NOT NULL, active_status varchar(10) NOT NULL
);
"""
_NEXT_USER = "SELECT setval(pg_get_serial_sequence('users', 'user_id'), max(user_id)) FROM users"


def fill(url: SecretStr, zone: str) -> None:
    """Makes the tables of logins and of users where they are missing; what is there is left alone.

    An older version of the sample had logins only, and its database lives on.
    """
    with closing(psycopg2.connect(url.get_secret_value())) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(20260901)")
        if not _has(cursor, COUNTERS):
            _fill_logins(cursor, zone)
        if not _has(cursor, USERS):
            _fill_users(cursor)


def _has(cursor: extensions.cursor, table: str) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table,))
    return cursor.fetchone() == (True,)


def _fill_logins(cursor: extensions.cursor, zone: str) -> None:
    cursor.execute(_LOGIN_TABLES)
    now = datetime.now(UTC)
    rows = [*logins.counters(now, zone), *logins.living(now, zone)]
    monthly = "INSERT INTO monthly_login_aggregates VALUES (%s, %s, %s, %s, %s, %s, %s)"
    cursor.executemany(monthly, [row.fields() for row in rows])
    cursor.executemany("INSERT INTO daily_login_aggregates VALUES (%s, %s, %s, %s, %s)", logins.history(zone))


def _fill_users(cursor: extensions.cursor) -> None:
    cursor.execute(_USERS_TABLE)
    cursor.executemany("INSERT INTO users VALUES (%s, %s, %s)", lessons.users())
    cursor.execute(_NEXT_USER)


def take_snapshots(lake: Store, zone: str) -> None:
    """Puts the sample's snapshots where those of the platform lie, unless its last one or a later one is there.

    They are taken in the order of days, so that an interrupted taking goes on.
    """
    if any(day >= logins.LAST_DAY for day in snapshots.days(lake, COUNTERS)):
        return

    def copy(content: bytes, read_at: datetime, file: IO[bytes]) -> datetime:
        file.write(content)
        return read_at

    for day, read_at, content in logins.snapshots(zone):
        snapshots.take(lake, COUNTERS, day, partial(copy, content, read_at))
