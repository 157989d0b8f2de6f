"""Does what is stored agree with the books? The same facts for asset checks and for the command line."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from data_platform.contracts.contract import Contract
from data_platform.lake.store import Store
from data_platform.publish import reading
from data_platform.publish.content_hash import content_hash
from data_platform.publish.reading import Publication
from data_platform.publish.shelves import day_list
from data_platform.warehouse.connection import Warehouse

_ROWS_AT_HAND = 200_000


@dataclass(frozen=True)
class Finding:
    """What a look at one day of a table found.

    Attributes:
        broken_rules: Rules of the contract that stored rows break, with the number of rows.
        num_rows: Rows stored.
        is_as_published: Whether number and hash of the stored rows are those of the publication.
        num_in: Records that came in, over all evidence of the day.
        num_lost: Records of which the books do not say what became of them.
    """

    day: date | None
    broken_rules: dict[str, int]
    num_rows: int
    is_as_published: bool
    num_in: int
    num_lost: int


def verify(warehouse: Warehouse, lake: Store, contract: Contract, days: Sequence[date] | None = None) -> list[Finding]:
    """Reads the stored rows again and compares them with contract, publication, tallies and rejects, day by day.

    Raises:
        DayNotPublished: A day asked for has never been published.
    """
    versions = reading.publications(warehouse, contract, days)
    reading.prove_published(contract, days, versions)
    accounts = _accounts(warehouse, contract, days)
    findings: list[Finding] = []
    for portion in _portions(versions):
        read = [version.day for version in portion if version.day] if contract.day else days
        rows = reading.read(warehouse, lake, contract, read).collect()
        for version in portion:
            stored = rows.filter(pl.col(contract.day) == version.day) if contract.day else rows
            _, failure = contract.rows.filter(stored)
            num_in, num_lost = accounts.get(version.day, (0, version.num_rejected))
            is_as_published = stored.height == version.num_rows and content_hash(stored) == version.content_hash
            findings.append(Finding(version.day, failure.counts(), stored.height, is_as_published, num_in, num_lost))
    return findings


def _portions(versions: Iterable[Publication]) -> Iterator[list[Publication]]:
    """Days that are read together: many small ones, and each large one alone."""
    portion: list[Publication] = []
    for version in versions:
        if portion and sum(other.num_rows for other in portion) + version.num_rows > _ROWS_AT_HAND:
            yield portion
            portion = []
        portion.append(version)
    if portion:
        yield portion


def _accounts(
    warehouse: Warehouse, contract: Contract, days: Sequence[date] | None
) -> dict[date | None, tuple[int, int]]:
    of_days = " WHERE table_name = $1 AND ops.is_among(day, $2) GROUP BY day"
    with warehouse.transaction() as transaction:
        found = transaction.query(
            "SELECT t.day, t.num_in, t.num_in - t.num_used - t.num_duplicate - coalesce(r.num_records, 0) AS num_lost"
            " FROM (SELECT day, sum(num_in)::bigint AS num_in, sum(num_used)::bigint AS num_used,"
            f" sum(num_duplicate)::bigint AS num_duplicate FROM ops.tallies{of_days}) t"
            f" LEFT JOIN (SELECT day, sum(num_records)::bigint AS num_records FROM ops.rejects{of_days}) r"
            " ON r.day IS NOT DISTINCT FROM t.day",
            contract.table,
            day_list(days),
        )
    return {row[0]: (row[1], row[2]) for row in found.iter_rows()}
