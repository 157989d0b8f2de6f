"""A small table with days, as a contract of the tests' own; and what it takes to deliver and to mail reports."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from data_platform.contracts.contract import Contract
from data_platform.lake.store import Store
from data_platform.local import postgres
from data_platform.warehouse.connection import Warehouse
from platform_tests.publish import mail_server
from platform_tests.publish.deliveries import Stand, emptied
from platform_tests.publish.mail_server import MailServer
from platform_tests.publish.offices import Office, office_of
from platform_tests.publish.stands import of_stores


class Readings(dy.Schema):
    """A reading of a meter on a day."""

    day = dy.Date(primary_key=True)
    meter = dy.String(primary_key=True)
    amount = dy.Int64(min=0)


CONTRACT = Contract(table="public.readings", rows=Readings, kept_in="warehouse", day="day")
WHOLE = replace(CONTRACT, table="public.meters", day=None)


def readings(*rows: tuple[str, str, int]) -> pl.DataFrame:
    """Rows of day, meter, amount."""
    return pl.DataFrame(
        [(date.fromisoformat(day), meter, amount) for day, meter, amount in rows],
        schema={"day": pl.Date, "meter": pl.String, "amount": pl.Int64},
        orient="row",
    )


@pytest.fixture
def metered(warehouse: Warehouse) -> Warehouse:
    """A warehouse with the tests' own tables."""
    with warehouse.transaction() as transaction:
        for table in ("readings", "meters"):
            transaction.run(f"CREATE TABLE {table} (day date, meter text, amount bigint, PRIMARY KEY (day, meter))")
    return warehouse


@pytest.fixture
def books(postgres_server: postgres.Server) -> Warehouse:
    """A warehouse without any report."""
    return emptied(postgres_server, "reports")


@pytest.fixture
def stand(books: Warehouse, any_lake: Store, tmp_path: Path) -> Stand:
    """Reports in a folder, and in S3; the evidence beside them."""
    return of_stores(books, any_lake, Store(f"{any_lake.uri}/reports", any_lake.endpoint_url), tmp_path)


@pytest.fixture
def local(books: Warehouse, lake: Store, tmp_path: Path) -> Stand:
    """Reports in a folder, where the store does not matter."""
    return of_stores(books, lake, Store((tmp_path / "reports").as_uri()), tmp_path)


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server.listening() as listening:
        yield listening


@pytest.fixture
def office(books: Warehouse, lake: Store, tmp_path: Path, server: MailServer) -> Office:
    """Reports in a folder, mail by SMTP."""
    reports = Store((tmp_path / "reports").as_uri())
    return office_of(books, lake, reports, tmp_path, server.url("clerk:hunter2"))


@pytest.fixture
def cloud(books: Warehouse, s3_store: Store, tmp_path: Path, server: MailServer) -> Office:
    """Reports in S3, mail by SMTP."""
    reports = Store(f"{s3_store.uri}/reports", s3_store.endpoint_url)
    return office_of(books, s3_store, reports, tmp_path, server.url())
