"""What is published: the current version of a table's days, for readers. Never a half day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from data_platform.contracts.contract import Contract
from data_platform.contracts.outcome import Stored
from data_platform.errors import PermanentError
from data_platform.lake import frames
from data_platform.lake.store import Store
from data_platform.publish.shelves import day_list, select
from data_platform.warehouse.connection import Transaction, Warehouse


class DayNotPublished(PermanentError):
    """A reader asked for a day that nobody has published."""


@dataclass(frozen=True)
class Publication:
    """The current version of one day of a table, or of a whole table.

    Attributes:
        is_final: What it was made of is deleted, so it is never published again.
        evidence: Ids of what it was made of.
    """

    day: date | None
    num_rows: int
    num_rejected: int
    content_hash: str
    object_key: str | None
    num_bytes: int | None
    code_version: str
    published_at: datetime
    confirmed_at: datetime
    is_final: bool
    evidence: frozenset[str]

    @property
    def stored(self) -> Stored | None:
        """Where its rows lie in the lake; None if they do not."""
        if self.object_key is None or self.num_bytes is None:
            return None
        return Stored(self.content_hash, self.object_key, self.num_bytes)


def publications(warehouse: Warehouse, contract: Contract, days: Sequence[date] | None = None) -> list[Publication]:
    """The current publications of a table, of all days or of some, in the order of days."""
    with warehouse.transaction() as transaction:
        return _publications(transaction, contract, days)


def _publications(transaction: Transaction, contract: Contract, days: Sequence[date] | None) -> list[Publication]:
    found = transaction.query(
        "SELECT p.day, p.num_rows, p.num_rejected, p.content_hash, p.object_key, p.num_bytes, p.code_version,"
        " p.published_at, p.confirmed_at, f.day IS NOT NULL AS is_final,"
        " coalesce(string_agg(t.evidence_id, ','), '') AS evidence"
        " FROM ops.current_publications p LEFT JOIN ops.tallies t USING (publication_id)"
        " LEFT JOIN ops.final_days f ON f.table_name = p.table_name AND f.day = p.day"
        " WHERE p.table_name = $1 AND ops.is_among(p.day, $2)"
        " GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 ORDER BY 1",
        contract.table,
        day_list(days),
    )
    evidence = [frozenset(str(joined).split(",")) - {""} for joined in found["evidence"]]
    rows = found.drop("evidence").to_dicts()
    return [Publication(**row, evidence=made_of) for row, made_of in zip(rows, evidence, strict=True)]


def read(warehouse: Warehouse, lake: Store, contract: Contract, days: Sequence[date] | None = None) -> pl.LazyFrame:
    """The rows of a table as they are published now.

    Args:
        warehouse: Holds the books, and the rows of tables kept there.
        lake: Holds the rows of tables kept there.
        contract: Describes the table.
        days: The days wanted, each of which must be published; None for all that are.

    Returns:
        The contract's columns; no rows where nothing is published.

    Raises:
        DayNotPublished: A day asked for has never been published.
    """
    with warehouse.transaction() as transaction:
        found = _publications(transaction, contract, days)
        prove_published(contract, days, found)
        if contract.kept_in == "warehouse":
            return select(transaction, contract, days).lazy()
    keys = [publication.object_key for publication in found if publication.object_key and publication.num_rows]
    return frames.scan(lake, keys) if keys else contract.empty().lazy()


def prove_published(contract: Contract, days: Sequence[date] | None, found: Sequence[Publication]) -> None:
    """Raises unless each of some days is among the publications that were found.

    Raises:
        DayNotPublished: The sentence names the first that is not, and how to fill it.
    """
    if absent := sorted(set(days or ()) - {publication.day for publication in found if publication.day}):
        raise DayNotPublished(_missing(contract, absent))


def count(warehouse: Warehouse, contract: Contract) -> dict[date | None, int]:
    """How many rows a warehouse table holds for each day; under None for a table published whole."""
    names = (contract.schema, contract.name)
    with warehouse.transaction() as transaction:
        if contract.day is None:
            statement = transaction.quoted("SELECT NULL::date AS day, count(*) AS n FROM %I.%I", *names)
        else:
            statement = transaction.quoted(
                "SELECT %I AS day, count(*) AS n FROM %I.%I GROUP BY 1", contract.day, *names
            )
        return dict(transaction.query(statement).iter_rows())


def _missing(contract: Contract, days: Sequence[date]) -> str:
    others = f" and {len(days) - 1} more" if len(days) > 1 else ""
    return (
        f"{contract.name} has not been published for {days[0]}{others}; fill it with"
        f" `data-platform run --assets {contract.name} --days {days[0]}..{days[-1]}`, then run this again."
    )
