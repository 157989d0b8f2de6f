"""One day of daily logins for a million users, from the app's table to the published rows, beside two others.

The usual script: fetch all counters into pandas, merge with yesterday's, write rows with `execute_values`. And the
floor that no platform can undercut: reading the same rows and copying the same result, and nothing else.
"""

import tempfile
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Any, cast

import adbc_driver_postgresql.dbapi as adbc
import pandas as pd
import polars as pl
import psycopg2
from psycopg2.extras import execute_values
from pydantic import SecretStr

from benchmarks.measure import report
from data_platform.contracts import daily_logins, monthly_snapshots
from data_platform.contracts.outcome import Outcome
from data_platform.defs.logins.app import counters_of
from data_platform.lake import snapshots
from data_platform.lake.store import Store
from data_platform.local.postgres import Server
from data_platform.logins import rules
from data_platform.logins.daily import Sources, Taken, logins
from data_platform.logins.days import DAY, ended_day, month_of, start_of
from data_platform.logins.snapshots import COUNTERS
from data_platform.publish import protocol, reading
from data_platform.publish.shelves import LakeShelf, WarehouseShelf
from data_platform.settings import Settings, sql_folder
from data_platform.stack import Stack
from data_platform.warehouse.connection import Warehouse
from data_platform.warehouse.foreign import ForeignDatabase
from data_platform.warehouse.migrate import migrate

NUM_USERS, ROUNDS = 1_000_000, 3
ZONE = "UTC"
_SCRIPT_TABLES = """
CREATE TABLE monthly_login_aggregates (user_type varchar NOT NULL, user_id int NOT NULL, year int NOT NULL,
    month varchar NOT NULL, num_logins int NOT NULL, device varchar NOT NULL, d_last_accessed bigint NOT NULL,
    PRIMARY KEY (user_id, year, month, device));
CREATE TABLE script_snapshots (LIKE monthly_login_aggregates, day date NOT NULL);
CREATE TABLE script_logins (day date, user_type varchar, user_id int, num_logins int, device varchar,
    PRIMARY KEY (day, user_id, device));
CREATE TABLE bare_logins (LIKE logins.daily_logins INCLUDING ALL);
"""


def counters(day: date, num_users: int = NUM_USERS) -> pl.DataFrame:
    """The counter table as it stands when a day has ended: two of three users logged in on it, some after midnight."""
    user, age = pl.int_range(num_users, dtype=pl.Int64), day.day
    per_day = user.hash(seed=1) % 3
    last = pl.lit(int(start_of(day, ZONE).timestamp())) + (user.hash(seed=2) % 86_400).cast(pl.Int64)
    return pl.select(
        user_type=pl.when(user % 7 == 0).then(pl.lit("teacher")).otherwise(pl.lit("parent")),
        user_id=user,
        year=pl.lit(day.year),
        month=pl.lit(f"{day:%m}"),
        num_logins=(per_day * age).cast(pl.Int64),
        device=pl.when(user % 3 == 0).then(pl.lit("ios")).otherwise(pl.lit("android")),
        d_last_accessed=last,
    )


def put_snapshot(lake: Store, day: date, frame: pl.DataFrame) -> None:
    """Makes a frame the snapshot of a day, read seven minutes after its end."""

    def copy(file: IO[bytes]) -> datetime:
        frame.write_csv(file)
        return start_of(day + DAY, ZONE) + timedelta(minutes=7)

    snapshots.take(lake, COUNTERS, day, copy)


def main(server: Server, database: str) -> None:
    """Measures and prints."""
    url = server.url(database)
    migrate(SecretStr(url), sql_folder() / "migrations")
    day = ended_day(datetime.now(UTC), ZONE)
    _run(url, _SCRIPT_TABLES)
    with adbc.connect(url) as connection, connection.cursor() as cursor:
        today = counters(day).with_columns(pl.col("user_id", "year", "num_logins").cast(pl.Int32))
        cursor.adbc_ingest("monthly_login_aggregates", today, mode="append")
        connection.commit()
    seconds: dict[str, list[float]] = {"this platform": [], "usual script": [], "bare read and COPY": []}
    result: pl.DataFrame | None = None
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            stack = _stack(url, Path(folder))
            _begin_anew(stack, url, day)
            began = time.perf_counter()
            _one_day(stack, day)
            seconds["this platform"].append(time.perf_counter() - began)
            result = reading.read(stack.warehouse, stack.lake, daily_logins.CONTRACT, [day]).collect()
        began = time.perf_counter()
        _usual_script(url, day)
        seconds["usual script"].append(time.perf_counter() - began)
        began = time.perf_counter()
        _bare(url, result)
        seconds["bare read and COPY"].append(time.perf_counter() - began)
    report(f"A day of daily logins, {NUM_USERS:,} users", seconds, base="bare read and COPY")


def _stack(url: str, folder: Path) -> Stack:
    lake = Store((folder / "lake").as_uri())
    app = ForeignDatabase(SecretStr(url), "APP_DATABASE_URL")
    landing, reports = Store(f"{lake.uri}/landing"), Store(f"{lake.uri}/reports")
    return Stack(Settings(local_dir=folder), Warehouse(SecretStr(url)), lake, landing, app, reports, None)


def _begin_anew(stack: Stack, url: str, day: date) -> None:
    tables = "logins.daily_logins, ops.publications, ops.tallies, ops.rejects, ops.evidence, ops.arrivals"
    _run(url, f"TRUNCATE {tables}, script_snapshots, script_logins, bare_logins")
    for before in (day - 2 * DAY, day - DAY):
        if month_of(before) == month_of(day):
            frame = counters(before)
            put_snapshot(stack.lake, before, frame)
            _publish(stack, counters_of(stack, before), before)
    columns = "user_type, user_id, year, month, num_logins, device, d_last_accessed"
    _run(
        url,
        f"INSERT INTO script_snapshots ({columns}, day) SELECT {columns}, date '{day - DAY}'"
        " FROM monthly_login_aggregates; CHECKPOINT",
    )


def _publish(stack: Stack, outcome: Outcome, day: date) -> None:
    by = protocol.Provenance("bench", "bench", protocol.clock(stack.warehouse))
    contract = daily_logins.CONTRACT if "status" in outcome.rows.columns else monthly_snapshots.CONTRACT
    shelf = WarehouseShelf() if contract.kept_in == "warehouse" else LakeShelf(stack.lake)
    protocol.publish(stack.warehouse, shelf, contract, outcome, days=[day], by=by)


def _one_day(stack: Stack, day: date) -> None:
    """What the two assets do: read, keep as evidence, publish the snapshot, read it back, derive, publish."""
    _publish(stack, counters_of(stack, day), day)
    published = reading.publications(stack.warehouse, monthly_snapshots.CONTRACT)
    taken = {
        version.day: Taken(next(iter(version.evidence)), has_rejects=False) for version in published if version.day
    }
    rows = reading.read(stack.warehouse, stack.lake, monthly_snapshots.CONTRACT)
    history = pl.LazyFrame(schema={"day": pl.Date, "user_id": pl.Int64, "device": pl.String, "num_logins": pl.Int64})
    sources = Sources(taken, lambda of: rows.filter(pl.col("day") == of).collect(), history, ZONE, rules.load())
    _publish(stack, logins(day, sources), day)


def _usual_script(url: str, day: date) -> None:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        keys = ["user_type", "user_id", "year", "month", "device"]
        columns = [*keys, "num_logins", "d_last_accessed"]
        cursor.execute(
            f"SELECT {', '.join(columns)} FROM monthly_login_aggregates WHERE year = %s AND month = %s",
            (day.year, f"{day:%m}"),
        )
        now = pd.DataFrame(cursor.fetchall(), columns=columns)
        cursor.execute(f"SELECT {', '.join(columns)} FROM script_snapshots WHERE day = %s", (day - DAY,))
        before = pd.DataFrame(cursor.fetchall(), columns=columns)
        both = now.merge(before, on=keys, how="left", suffixes=("", "_before"))
        both["daily"] = (both["num_logins"] - both["num_logins_before"].fillna(0)).clip(lower=0).astype(int)
        snapshot = [(*row, day) for row in now[columns].itertuples(index=False, name=None)]
        execute_values(cursor, f"INSERT INTO script_snapshots ({', '.join(columns)}, day) VALUES %s", snapshot)
        rows = [
            (day, *row) for row in both[["user_type", "user_id", "daily", "device"]].itertuples(index=False, name=None)
        ]
        execute_values(cursor, "INSERT INTO script_logins VALUES %s", rows)


def _bare(url: str, result: pl.DataFrame) -> None:
    with adbc.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT user_type, user_id, year, month, num_logins, device, d_last_accessed FROM monthly_login_aggregates"
        )
        pl.DataFrame(cast("Any", cursor.fetch_arrow()))
        cursor.adbc_ingest("bare_logins", result, mode="append")
        connection.commit()


def _run(url: str, sql: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        for statement in sql.split(";"):
            if statement.strip():
                connection.cursor().execute(statement)
