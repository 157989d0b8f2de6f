"""The job that deletes snapshots which were kept long enough, month by month, and its schedule."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

import dagster as dg

from data_platform.contracts import daily_logins as daily_contract
from data_platform.contracts import monthly_snapshots as snapshot_contract
from data_platform.defs.logins.assets import daily_logins
from data_platform.defs.logins.sensor import days_and_evidence
from data_platform.defs.logins.told import hashes_of_told_days
from data_platform.defs.resources import Storage
from data_platform.lake import snapshots
from data_platform.logins.days import ended_day, month_of
from data_platform.logins.snapshots import COUNTERS
from data_platform.publish import reading
from data_platform.publish.currency import is_behind
from data_platform.publish.retention import make_final
from data_platform.publish.shelves import LakeShelf
from data_platform.stack import Stack


@dg.op(out=dg.Out(dg.Nothing))
def delete_old_snapshots(context: dg.OpExecutionContext, storage: Storage) -> None:
    """Deletes the snapshots of months that were kept long enough, and makes their daily logins final.

    A month of which a day is not published, or not by the present code, still needs its snapshots and is left.
    """
    stack = storage.open()
    deleted: list[date] = []
    for month, days in old_months(stack, datetime.now(UTC)):
        if needing := days_that_need(stack, month):
            context.log.warning(
                "The snapshots of %s are kept: %s still need(s) them; run `data-platform run` first.",
                f"{month:%Y-%m}",
                ", ".join(str(day) for day in needing),
            )
            continue
        delete_month(stack, month, days)
        deleted += days
    context.add_output_metadata({"num_deleted": len(deleted), "deleted": [str(day) for day in deleted]})


@dg.job
def prune_snapshots() -> None:
    """Deletes snapshots of login counters that were kept long enough."""
    delete_old_snapshots()


prune_snapshots_daily = dg.ScheduleDefinition(
    job=prune_snapshots, cron_schedule="30 4 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)


def old_months(stack: Stack, now: datetime) -> Iterator[tuple[date, list[date]]]:
    """Months of which snapshots are there although they ended more than the retention before the present month."""
    present = month_of(ended_day(now, stack.settings.business_timezone))
    first_kept = month_of(present - timedelta(days=stack.settings.snapshot_retention_days))
    taken = snapshots.days(stack.lake, COUNTERS)
    for month, days in groupby(taken, key=month_of):
        if month < first_kept:
            yield month, list(days)


def days_that_need(stack: Stack, month: date) -> list[date]:
    """Days of a month whose daily logins are not published, or are not current."""
    [code_version] = daily_logins.code_versions_by_key.values()
    published = {version.day: version for version in reading.publications(stack.warehouse, daily_contract.CONTRACT)}
    snapshots_there = reading.publications(stack.warehouse, snapshot_contract.CONTRACT)
    known = days_and_evidence(snapshots_there, hashes_of_told_days(stack))
    taken = {day for day in snapshots.days(stack.lake, COUNTERS) if month_of(day) == month}
    unread = taken - {version.day for version in snapshots_there}
    is_final = {day for day, version in published.items() if version.is_final}
    return sorted(
        day
        for day in known.keys() | unread
        if month_of(day) == month
        and day not in is_final
        and (is_behind(published.get(day), code_version, ()) or published[day].evidence != known.get(day))
    )


def delete_month(stack: Stack, month: date, days: list[date]) -> None:
    """Makes a month final in the books, then deletes; after a crash in between, the next run deletes the rest."""
    published = reading.publications(stack.warehouse, daily_contract.CONTRACT)
    of_month = [version.day for version in published if version.day and month_of(version.day) == month]
    make_final(stack.warehouse, daily_contract.CONTRACT, of_month, is_gone=False)
    make_final(stack.warehouse, snapshot_contract.CONTRACT, days, is_gone=True)
    for day in days:
        LakeShelf(stack.lake).remove(snapshot_contract.CONTRACT, day)
    snapshots.delete(stack.lake, COUNTERS, days)
