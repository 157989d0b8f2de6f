"""Publishing a million rows beside the bare writes of the same rows: gate, hash, lock, delete and books included."""

from collections.abc import Callable
from datetime import date
from io import BytesIO

import adbc_driver_postgresql.dbapi as adbc
import dataframely as dy
import polars as pl
import psycopg2
from pydantic import SecretStr

from benchmarks.measure import in_turns, report
from data_platform.contracts.contract import Contract
from data_platform.contracts.outcome import Outcome
from data_platform.local.postgres import Server
from data_platform.publish import protocol
from data_platform.publish.protocol import Provenance
from data_platform.publish.shelves import WarehouseShelf
from data_platform.settings import sql_folder
from data_platform.warehouse.connection import Warehouse
from data_platform.warehouse.migrate import migrate

NUM_ROWS, ROUNDS = 1_000_000, 4
DAY = date(2023, 7, 7)
DDL = """CREATE TABLE {name} (day date NOT NULL, user_id bigint PRIMARY KEY, device text NOT NULL, city text NOT NULL,
    num_logins integer NOT NULL, share double precision NOT NULL, seen_at timestamptz NOT NULL,
    is_new boolean NOT NULL)"""


class Rows(dy.Schema):
    """A row of eight columns of the usual types."""

    day = dy.Date()
    user_id = dy.Int64(primary_key=True, min=0)
    device = dy.String(min_length=1)
    city = dy.String(min_length=1)
    num_logins = dy.Int32(min=0)
    share = dy.Float64(min=0)
    seen_at = dy.Datetime(time_unit="us", time_zone="UTC")
    is_new = dy.Bool()


CONTRACT = Contract(table="public.published", rows=Rows, kept_in="warehouse", day="day")


def rows(seed: int) -> pl.DataFrame:
    """A million rows, others for every seed, so that no publication finds its rows there already."""
    number = pl.int_range(NUM_ROWS, dtype=pl.Int64)
    return pl.select(
        day=pl.lit(DAY),
        user_id=number,
        device=pl.format("device-{}", number % 5),
        city=pl.format("city-{}", number.hash(seed=seed) % 1000),
        num_logins=(number.hash(seed=seed) % 100).cast(pl.Int32),
        share=(number % 1000) / 7.0,
        seen_at=pl.lit(DAY).cast(pl.Datetime("us", "UTC")) + pl.duration(seconds=number),
        is_new=number % 2 == 0,
    )


def main(server: Server, database: str) -> None:
    """Measures and prints."""
    url = server.url(database)
    migrate(SecretStr(url), sql_folder() / "migrations")
    warehouse = Warehouse(SecretStr(url))
    seeds = iter(range(10_000))
    for name in ("published", "ingested", "copied"):
        _plain(url, DDL.format(name=name))

    def publish() -> None:
        by = Provenance("v1", "bench", protocol.clock(warehouse))
        protocol.publish(warehouse, WarehouseShelf(), CONTRACT, Outcome(frames.pop()), days=[DAY], by=by)

    def ingest() -> None:
        with adbc.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("DELETE FROM ingested")
            cursor.adbc_ingest("ingested", frames.pop(), mode="append")
            connection.commit()

    def copy() -> None:
        connection = psycopg2.connect(url)
        with connection, connection.cursor() as cursor:
            cursor.execute("DELETE FROM copied")
            for part in frames.pop().iter_slices(100_000):
                text = BytesIO(part.write_csv(include_header=False).encode())
                cursor.copy_expert("COPY copied FROM STDIN (FORMAT csv)", text)
        connection.close()

    def into_nothing(table: str, way: Callable[[], None]) -> Callable[[], None]:
        def emptied() -> None:
            _plain(url, f"TRUNCATE {table}, ops.publications, ops.tallies, ops.rejects")
            way()

        return emptied

    ways = {"publish": publish, "bare ADBC ingest": ingest, "bare COPY csv": copy}
    tables = {"publish": "published", "bare ADBC ingest": "ingested", "bare COPY csv": "copied"}
    first = {name: into_nothing(tables[name], way) for name, way in ways.items()}
    for title, chosen in (("replace a day of as many", ways), ("into an empty table", first)):
        frames = [rows(next(seeds)) for _ in range(len(ways) * (ROUNDS + 1))]
        seconds = in_turns(chosen, rounds=ROUNDS)
        report(f"{NUM_ROWS:,} rows x 8 columns {title}", seconds, base="bare ADBC ingest")


def _plain(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()
