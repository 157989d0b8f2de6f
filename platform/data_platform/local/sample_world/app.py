"""The app's database of the sample world, and the snapshots that were taken of it before anybody looked."""

from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import IO

import psycopg2
from pydantic import SecretStr

from data_platform.lake import snapshots
from data_platform.lake.store import Store
from data_platform.local.sample_world import logins

COUNTERS = "monthly_login_aggregates"
_TABLES = """
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


def fill(url: SecretStr, zone: str) -> None:
    """Makes the app's tables in an empty database; one that has any is left alone."""
    with closing(psycopg2.connect(url.get_secret_value())) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(20260901), to_regclass('monthly_login_aggregates')")
        if cursor.fetchone() != ("", None):
            return
        cursor.execute(_TABLES)
        now = datetime.now(UTC)
        rows = [*logins.counters(now, zone), *logins.living(now, zone)]
        monthly = "INSERT INTO monthly_login_aggregates VALUES (%s, %s, %s, %s, %s, %s, %s)"
        cursor.executemany(monthly, [row.fields() for row in rows])
        cursor.executemany("INSERT INTO daily_login_aggregates VALUES (%s, %s, %s, %s, %s)", logins.history(zone))


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
