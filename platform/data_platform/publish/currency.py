"""Which days of a table no longer agree with what they are made of, or with what is stored."""

from collections.abc import Iterable
from datetime import date

from data_platform.contracts.contract import Contract
from data_platform.lake.store import Store
from data_platform.publish import reading
from data_platform.publish.arrivals import Arrivals, Delivery
from data_platform.publish.reading import Publication
from data_platform.warehouse.connection import Warehouse


def days_behind_arrivals(warehouse: Warehouse, contract: Contract, arrivals: Arrivals) -> dict[date, frozenset[str]]:
    """Days whose published rows are made of other evidence than what counts as delivered on them.

    Returns:
        For each such day the evidence that it should be made of; empty for a day whose deliveries turned out to belong
        to another day.
    """
    return days_behind_deliveries(warehouse, contract, arrivals.deliveries())


def days_behind_deliveries(
    warehouse: Warehouse, contract: Contract, deliveries: Iterable[Delivery]
) -> dict[date, frozenset[str]]:
    """The same for deliveries that are known: those of every landing folder that the table is made of."""
    delivered: dict[date, set[str]] = {}
    for delivery in deliveries:
        delivered.setdefault(delivery.day, set()).add(delivery.evidence_id)
    published = {v.day: v.evidence for v in reading.publications(warehouse, contract) if v.day}
    nothing: frozenset[str] = frozenset()
    wanted = {day: frozenset(delivered.get(day, nothing)) for day in delivered.keys() | published.keys()}
    return {day: evidence for day, evidence in sorted(wanted.items()) if evidence != published.get(day, nothing)}


def is_behind(own: Publication | None, code_version: str | None, parents: Iterable[Publication]) -> bool:
    """Whether a day, or a whole table, was made by other code, or before one of its inputs was last published."""
    if own is None:
        return True
    if own.is_final:
        return False
    if own.code_version != code_version:
        return True
    return any(parent.published_at > own.confirmed_at for parent in parents)


def days_not_stored(warehouse: Warehouse, lake: Store, contract: Contract) -> set[date | None]:
    """Days of which not as many rows, or bytes, are stored as the books say; None stands for a whole table.

    A quick look: it sees what was emptied, dropped or cut, and leaves it to the checks to see what was edited.
    """
    versions = reading.publications(warehouse, contract)
    if contract.kept_in == "lake":
        return {v.day for v in versions if v.object_key and lake.size(v.object_key) != v.num_bytes}
    stored = reading.count(warehouse, contract)
    return {version.day for version in versions if stored.get(version.day, 0) != version.num_rows}
