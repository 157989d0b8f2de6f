"""A small table with days, as a contract of the tests' own."""

from dataclasses import replace
from datetime import date

import dataframely as dy
import polars as pl
import pytest

from data_platform.contracts.contract import Contract
from data_platform.warehouse.connection import Warehouse


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
