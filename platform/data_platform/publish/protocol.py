"""Publish: stage, check against the contract, swap. Rows, rejects, tallies and publication in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import dataframely as dy
import polars as pl
from dataframely.exc import SchemaError

from data_platform.contracts.contract import Contract
from data_platform.contracts.outcome import Outcome, Stored
from data_platform.contracts.rejects import Rejects
from data_platform.contracts.tallies import Tallies
from data_platform.errors import PermanentError, TransientError
from data_platform.publish.content_hash import content_hash
from data_platform.publish.messages import agree, num_appended
from data_platform.publish.retention import refuse_final
from data_platform.publish.shelves import Shelf, Staged, day_list
from data_platform.warehouse.connection import Transaction, Warehouse

Day = date | None
Status = Literal["new", "unchanged", "restored"]

_OF_DAYS = " WHERE table_name = $1 AND ops.is_among(day, $2)"


class Overtaken(TransientError):
    """Another run published first, perhaps from newer inputs; its version stays."""


class ContractBroken(PermanentError):
    """Rows that break their contract were about to be published; the old version stays."""


@dataclass(frozen=True)
class Provenance:
    """Who publishes: the version of code and contract, the run, and when it began to read its inputs.

    Attributes:
        read_at: By the warehouse's clock (`clock`), before the first input was read.
    """

    code_version: str
    run_id: str
    read_at: datetime


@dataclass(frozen=True)
class Published:
    """What a call to `publish` did for one day.

    Attributes:
        status: `new` when rows or books were written, `unchanged` when the same was published before, `restored` when
            it was, but the stored rows were no longer those.
    """

    day: Day
    status: Status
    num_rows: int
    num_rejected: int
    content_hash: str
    object_key: str | None
    num_bytes: int | None


@dataclass(frozen=True)
class _Draft:
    """One day's version, ready to be compared with the current one."""

    day: Day
    rows: pl.DataFrame
    rejects: pl.DataFrame
    tally: pl.DataFrame
    content_hash: str
    account_hash: str
    staged: Staged

    @property
    def num_rejected(self) -> int:
        return int(self.rejects["num_records"].sum())

    def published(self, status: Status) -> Published:
        place = self.staged
        return Published(
            self.day, status, self.rows.height, self.num_rejected, self.content_hash, place.object_key, place.num_bytes
        )


@dataclass(frozen=True)
class _Current:
    """What readers of a day see before the swap."""

    content_hash: str
    account_hash: str
    code_version: str
    run_id: str
    published_at: datetime

    def same_as(self, draft: _Draft, by: Provenance) -> bool:
        mine = (draft.content_hash, draft.account_hash, by.code_version)
        return mine == (self.content_hash, self.account_hash, self.code_version)


def clock(warehouse: Warehouse) -> datetime:
    """The warehouse's time now (UTC): to be read before the inputs are."""
    with warehouse.transaction() as transaction:
        return transaction.query("SELECT clock_timestamp() AS now").item()


def publish(
    warehouse: Warehouse,
    shelf: Shelf,
    contract: Contract,
    outcome: Outcome,
    *,
    days: Sequence[date] | None,
    by: Provenance,
) -> list[Published]:
    """Makes a version of some days, or of a whole table, visible: all of it in one step, or nothing.

    Publishers of the same day wait for one another. A day whose rows, rejects and tallies are the ones already
    published by the same code is not touched, so that a rerun changes nothing; rows that somebody changed behind the
    platform's back are put right.

    Args:
        warehouse: Holds the books, and the rows where the shelf says so.
        shelf: Where rows lie.
        contract: Describes the table.
        outcome: Rows, rejects and tallies of exactly the days given; a day may have none.
        days: The days to replace; None for a table that is published whole.
        by: Code version and run.

    Returns:
        What was done for each day, in the order of days.

    Raises:
        ContractBroken: A row breaks a rule, or belongs to another day; nothing was published.
        DayIsFinal: What a day is made of was deleted; nothing was published.
        Overtaken: Another run published one of the days since this one began to read; nothing was published.
        WarehouseUnavailable: The warehouse went away; nothing was published.
    """
    if days is not None and not days:
        return []
    every: list[Day] = [*sorted(set(days))] if days else [None]
    rows = _gate(contract, contract.rows, outcome.rows)
    rejects = _gate(contract, Rejects, outcome.rejects)
    tally = _gate(contract, Tallies, outcome.tally)
    checked = Outcome(rows, rejects, tally, stored=outcome.stored)
    drafts = _drafts(shelf, contract, every, checked)
    with warehouse.transaction() as transaction:
        _lock(transaction, contract, every)
        if days:
            refuse_final(transaction, contract, every)
        if contract.from_messages:
            _refuse_to_drop(transaction, contract, drafts)
        current = _current(transaction, contract, every)
        new = {d.day: d for d in drafts if d.day not in current or not current[d.day].same_as(d, by)}
        _refuse_to_overtake(contract, [current[day] for day in new if day in current], by)
        moved = [
            draft
            for draft in drafts
            if draft.day not in current
            or current[draft.day].content_hash != draft.content_hash
            or not shelf.holds(transaction, contract, draft.day, draft.content_hash)
        ]
        if moved:
            shelf.swap(transaction, contract, [d.day for d in moved], pl.concat([d.rows for d in moved]))
            if contract.from_messages:
                agree(transaction, contract, [draft.day for draft in moved])
        if new:
            _book(transaction, contract, [*new.values()], by)
        _confirm(transaction, contract, [draft.day for draft in drafts if draft.day not in new], by)
    restored = {draft.day for draft in moved} - new.keys()
    return [
        draft.published("new" if draft.day in new else "restored" if draft.day in restored else "unchanged")
        for draft in drafts
    ]


def _refuse_to_overtake(contract: Contract, current: list[_Current], by: Provenance) -> None:
    # A version that appeared after we began to read may be made of inputs that we have not seen.
    if overtaken := [version for version in current if version.published_at > by.read_at]:
        raise Overtaken(
            f"{contract.table} was published by run {overtaken[0].run_id} while this run was reading its inputs; "
            "that version stays, run this again to publish what both have seen."
        )


def _refuse_to_drop(transaction: Transaction, contract: Contract, drafts: list[_Draft]) -> None:
    # A message that came in after we looked has a row that is not in ours.
    came_in = num_appended(transaction, contract, [draft.day for draft in drafts])
    for draft in drafts:
        known = int(draft.tally["num_in"].sum())
        if draft.day and came_in.get(draft.day, 0) != known:
            raise Overtaken(
                f"{came_in.get(draft.day, 0):,} messages have come in for {contract.table} of {draft.day}, and this run"
                f" saw {known:,}; the rows stay as they are, run it again."
            )


def _gate(contract: Contract, schema: type[dy.Schema], frame: pl.DataFrame) -> pl.DataFrame:
    try:
        good, failure = schema.filter(frame.select(schema.column_names()))
    except (SchemaError, pl.exceptions.ColumnNotFoundError) as error:
        fact = str(error).splitlines()[0]
        raise ContractBroken(
            f"{contract.table} does not have the columns of its contract, nothing was published: {fact}."
        ) from None
    if broken := failure.counts():
        rules = ", ".join(f"{rule} in {count} of {frame.height} rows" for rule, count in sorted(broken.items()))
        what = "" if schema is contract.rows else f" ({schema.__name__.lower()})"
        raise ContractBroken(f"{contract.table}{what} breaks its contract, nothing was published: {rules}.")
    return good


def _drafts(shelf: Shelf, contract: Contract, days: list[Day], outcome: Outcome) -> list[_Draft]:
    rows_of = _by_day(contract, contract.day, days, outcome.rows)
    rejects_of = _by_day(contract, contract.day and "day", days, outcome.rejects)
    tally_of = _by_day(contract, contract.day and "day", days, outcome.tally)
    drafts: list[_Draft] = []
    for day in days:
        held = rows_of.get(day, outcome.rows.clear())
        turned_down = rejects_of.get(day, outcome.rejects.clear())
        account = tally_of.get(day, outcome.tally.clear())
        rows_hash, staged = _staged(shelf, contract, day, held, outcome.stored.get(day) if day else None)
        account_hash = content_hash(pl.concat([turned_down, account], how="diagonal"))
        drafts.append(_Draft(day, held, turned_down, account, rows_hash, account_hash, staged))
    return drafts


def _staged(
    shelf: Shelf, contract: Contract, day: Day, rows: pl.DataFrame, stored: Stored | None
) -> tuple[str, Staged]:
    if stored:
        return stored.content_hash, Staged(stored.object_key, stored.num_bytes)
    rows_hash = content_hash(rows)
    return rows_hash, shelf.stage(contract, day, rows, rows_hash)


def _by_day(contract: Contract, column: str | None, days: list[Day], frame: pl.DataFrame) -> Mapping[Day, pl.DataFrame]:
    if column is None:
        return {None: frame}
    parts: dict[Day, pl.DataFrame] = {
        part.get_column(column)[0]: part for part in frame.partition_by(column, maintain_order=True)
    }
    if strangers := sorted(str(day) for day in set(parts) - set(days)):
        raise ContractBroken(
            f"{contract.table} has rows of {', '.join(strangers[:3])}, which is not a day being published;"
            " nothing was published."
        )
    return parts


def _lock(transaction: Transaction, contract: Contract, days: list[Day]) -> None:
    # Whoever replaces the whole table shuts out all others; publishers of days share the table and lock their days.
    if days == [None]:
        transaction.query("SELECT pg_advisory_xact_lock(hashtext($1), 0)::text", contract.table)
        return
    transaction.query("SELECT pg_advisory_xact_lock_shared(hashtext($1), 0)::text", contract.table)
    transaction.query(
        "SELECT count(pg_advisory_xact_lock(hashtext($1), day - date '1970-01-01')::text)"
        " FROM (SELECT unnest(string_to_array($2, ',')::date[]) AS day ORDER BY 1) AS days",
        contract.table,
        day_list(days),
    )


def _current(transaction: Transaction, contract: Contract, days: list[Day]) -> dict[Day, _Current]:
    found = transaction.query(
        "SELECT day, content_hash, account_hash, code_version, run_id, published_at FROM ops.current_publications"
        + _OF_DAYS,
        contract.table,
        day_list(days),
    )
    return {row.pop("day"): _Current(**row) for row in found.to_dicts()}


def _book(transaction: Transaction, contract: Contract, drafts: list[_Draft], by: Provenance) -> None:
    days = [draft.day for draft in drafts]
    publications = pl.DataFrame(
        {
            "table_name": contract.table,
            "day": pl.Series(days, dtype=pl.Date),
            "num_rows": [draft.rows.height for draft in drafts],
            "num_rejected": [draft.num_rejected for draft in drafts],
            "content_hash": [draft.content_hash for draft in drafts],
            "account_hash": [draft.account_hash for draft in drafts],
            "object_key": pl.Series([draft.staged.object_key for draft in drafts], dtype=pl.String),
            "num_bytes": pl.Series([draft.staged.num_bytes for draft in drafts], dtype=pl.Int64),
            "code_version": by.code_version,
            "run_id": by.run_id,
            "confirmed_at": by.read_at,
        }
    )
    transaction.copy_in("ops", "publications", publications)
    ids = transaction.query(
        "SELECT publication_id, table_name, day FROM ops.current_publications" + _OF_DAYS,
        contract.table,
        day_list(days),
    )
    for table in ("rejects", "tallies"):
        transaction.run(transaction.quoted("DELETE FROM ops.%I", table) + _OF_DAYS, contract.table, day_list(days))
    rejects = pl.concat([draft.rejects for draft in drafts]).with_columns(rule_version=pl.lit(by.code_version))
    for table, frame in (("rejects", rejects), ("tallies", pl.concat([draft.tally for draft in drafts]))):
        transaction.copy_in("ops", table, frame.join(ids, on="day", how="inner", nulls_equal=True))


def _confirm(transaction: Transaction, contract: Contract, days: list[Day], by: Provenance) -> None:
    if days:
        transaction.run(
            "UPDATE ops.publications SET confirmed_at = greatest(confirmed_at, $3) WHERE publication_id IN"
            " (SELECT publication_id FROM ops.current_publications" + _OF_DAYS + ")",
            contract.table,
            day_list(days),
            by.read_at,
        )
