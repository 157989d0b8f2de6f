"""The app's database: its tables as external assets, and the copies of them that are kept as evidence."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import IO

import dagster as dg

from data_platform import settings
from data_platform.contracts.outcome import Outcome
from data_platform.errors import PermanentError
from data_platform.lake import evidence, snapshots
from data_platform.lake.snapshots import Snapshot
from data_platform.logins import rules
from data_platform.logins import snapshots as product
from data_platform.logins.days import ended_day, missed, months_read, prove_due
from data_platform.publish.arrivals import note_evidence
from data_platform.stack import Stack
from data_platform.warehouse.foreign import Cut, ForeignDatabase

monthly_login_aggregates = dg.AssetSpec(
    product.COUNTERS,
    group_name="logins",
    owners=["team:app"],
    kinds={"postgres"},
    description="Logins of each user, device and month so far: a table in the app's database that only counts up.",
)
daily_login_aggregates = dg.AssetSpec(
    product.HISTORY,
    group_name="logins",
    owners=["team:app"],
    kinds={"postgres"},
    description="Logins a day as an older job of the app had summed them up, for the days before the platform.",
)


class NoApp(PermanentError):
    """No setting names the app's database."""


def counters_of(stack: Stack, day: date) -> Outcome:
    """The counters at a day's end: from the snapshot that was taken, or from one that is taken now if it is due.

    Raises:
        SnapshotMissed: There is none, and the day's end has passed.
        NotYet: The day has not ended.
        ForeignUnavailable: The app's database went away; nothing was kept.
    """
    taken = snapshots.find(stack.lake, product.COUNTERS, day) or _take(stack, day)
    content = _content(stack, taken)
    return product.conform(content, day=day, read_at=taken.read_at, evidence_id=taken.evidence_id, zone=_zone(stack))


def history_of(stack: Stack) -> Outcome:
    """The older job's days as the app holds them now; no rows where it has no such table."""
    app = _app(stack)

    def copy(file: IO[bytes]) -> datetime:
        with app.cut() as cut:
            if columns := cut.columns(product.HISTORY):
                product.prove_columns(product.HISTORY, columns, product.HISTORY_COLUMNS)
                _copy(cut, product.HISTORY, {}, file)
            return cut.read_at

    kept = snapshots.keep(stack.lake, product.HISTORY, copy)
    with stack.warehouse.transaction() as transaction:
        note_evidence(transaction, kept.evidence_id, product.HISTORY, kept.num_bytes)
    return product.conform_history(b"".join(evidence.read(stack.lake, kept.evidence_id)), evidence_id=kept.evidence_id)


def _take(stack: Stack, day: date) -> Snapshot:
    zone, app = _zone(stack), _app(stack)
    if day < ended_day(datetime.now(UTC), zone):
        raise missed(day)
    taken = snapshots.days(stack.lake, product.COUNTERS)

    def copy(file: IO[bytes]) -> datetime:
        with app.cut() as cut:
            prove_due(day, cut.read_at, datetime.now(UTC), taken[-1] if taken else None, zone)
            product.prove_columns(product.COUNTERS, cut.columns(product.COUNTERS), product.COUNTER_COLUMNS)
            months = months_read(day, rules.load().days_with_month_before)
            _copy(cut, product.COUNTERS, {
                "months": [f"{month:%Y-%m}" for month in months], "years": sorted({month.year for month in months})
            }, file)  # fmt: skip
            return cut.read_at

    return snapshots.take(stack.lake, product.COUNTERS, day, copy)


def _copy(cut: Cut, table: str, values: Mapping[str, Sequence[str | int]], file: IO[bytes]) -> None:
    query = (settings.sql_folder() / "sources" / f"{table}.sql").read_text(encoding="utf-8")
    cut.copy_out(query, values, file)


def _content(stack: Stack, taken: Snapshot) -> bytes:
    with stack.warehouse.transaction() as transaction:
        note_evidence(transaction, taken.evidence_id, taken.table, taken.num_bytes)
    return b"".join(evidence.read(stack.lake, taken.evidence_id))


def _app(stack: Stack) -> ForeignDatabase:
    if stack.app is None:
        raise NoApp("No setting names the app's database; set APP_DATABASE_URL to read its login counters.")
    return stack.app


def _zone(stack: Stack) -> str:
    return stack.settings.business_timezone
