"""Checks of the logins product, day by day: what its rules promise, looked at again in what is published."""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any

import dagster as dg
import polars as pl

from data_platform import settings
from data_platform.contracts import monthly_snapshots as snapshot_contract
from data_platform.defs.day_checks import DayFinding, day_check
from data_platform.defs.logins.assets import daily_logins, monthly_snapshots
from data_platform.lake import snapshots
from data_platform.logins import rules
from data_platform.logins.days import DAY, month_of, start_of
from data_platform.logins.snapshots import COUNTERS
from data_platform.publish import reading
from data_platform.publish.shelves import day_range
from data_platform.stack import Stack

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def was_read_in_time(stack: Stack, days: Sequence[date]) -> list[DayFinding]:
    """The snapshot was read soon after midnight: what is counted between belongs to the next day."""
    zone, most = stack.settings.business_timezone, rules.load().max_minutes_late
    findings: list[DayFinding] = []
    for day in days:
        if taken := snapshots.find(stack.lake, COUNTERS, day):
            late = (taken.read_at - start_of(day + DAY, zone)).total_seconds() / 60
            findings.append(DayFinding(day, late <= most, {"minutes_late": round(late, 2)}))
    return findings


def counts_something(stack: Stack, days: Sequence[date]) -> list[DayFinding]:
    """The snapshot holds counters of the day's month: where it does not, the app may count no more."""
    counters = _counters(stack, days)
    nums = {day: counters.get((day, month_of(day)), 0) for day in _published(stack, days)}
    return [DayFinding(day, num > 0, {"num_counters": num}) for day, num in nums.items()]


def conserves_the_counter(stack: Stack, days: Sequence[date]) -> list[DayFinding]:
    """Logins and corrections of the month's days, and what came after midnight, add up to each counter."""
    return [
        _conserved(stack, month, max(of_month)) for month, of_month in groupby(_published(stack, days), key=month_of)
    ]


def covers_every_counter(stack: Stack, days: Sequence[date]) -> list[DayFinding]:
    """There is one row for each counter of the month in the snapshot that decides the day."""
    sureness = _sureness(stack, days)
    counters = _counters(stack, [row["to_snapshot"] for row in sureness])
    findings: list[DayFinding] = []
    for row in sureness:
        num_counters = counters.get((row["to_snapshot"], month_of(row["day"])), 0)
        facts = {"num_rows": row["num_rows"], "num_counters": num_counters}
        findings.append(DayFinding(row["day"], row["num_rows"] == num_counters, facts))
    return findings


def is_sure_enough(stack: Stack, days: Sequence[date]) -> list[DayFinding]:
    """Few of the day's numbers are estimates between bounds; a late or missing snapshot makes them more."""
    most = rules.load().max_share_not_exact
    shares = {row["day"]: 1 - row["num_exact"] / row["num_rows"] for row in _sureness(stack, days)}
    return [DayFinding(day, share <= most, {"share_not_exact": round(share, 4)}) for day, share in shares.items()]


def agrees_with_events(stack: Stack, days: Sequence[date]) -> list[DayFinding]:
    """The events of `user_logins` lie within the bounds of the day's counters; days that lack either are left out."""
    compared = _reconciled(stack)
    verified = verified_through(compared)
    facts = {"verified_through": str(verified) if verified else "no day yet"}
    return [
        DayFinding(
            row["day"],
            row["class"] == "agrees",
            {name: row[name] for name in ("num_counted", "num_told", "difference", "class")} | facts,
        )
        for row in compared
        if row["day"] in days
    ]


def verified_through(compared: Sequence[Mapping[str, Any]]) -> date | None:
    """The last day of the unbroken run of days on which counters and events agree; None if the first does not.

    Args:
        compared: Rows with `day` and `class`, in the order of days.
    """
    verified: date | None = None
    for row in compared:
        if row["class"] != "agrees" or (verified and row["day"] - verified > DAY):
            break
        verified = row["day"]
    return verified


def _reconciled(stack: Stack) -> list[dict[str, Any]]:
    query = (settings.sql_folder() / "checks" / "reconciliation.sql").read_text(encoding="utf-8")
    with stack.warehouse.transaction() as transaction:
        return transaction.query(query).to_dicts()


def _conserved(stack: Stack, month: date, last: date) -> DayFinding:
    query = (settings.sql_folder() / "checks" / "counted_in_days.sql").read_text(encoding="utf-8")
    with stack.warehouse.transaction() as transaction:
        counted = transaction.query(query, month, last)
    snapshot = reading.read(stack.warehouse, stack.lake, snapshot_contract.CONTRACT, [last])
    counters = snapshot.filter(pl.col("month") == month).select("user_id", "device", "num_logins")
    both = counters.join(counted.lazy(), on=["user_id", "device"], how="full", coalesce=True)
    wrong = both.filter(pl.col("num_logins").ne_missing(pl.col("counted"))).select(pl.len()).collect().item()
    return DayFinding(last, wrong == 0, {"num_counters_that_do_not_add_up": wrong})


def _published(stack: Stack, days: Sequence[date]) -> list[date]:
    """Those of the days whose snapshot is published, in order."""
    versions = reading.publications(stack.warehouse, snapshot_contract.CONTRACT, days)
    return sorted(version.day for version in versions if version.day)


def _counters(stack: Stack, snapshot_days: Sequence[date]) -> dict[tuple[date, date], int]:
    """How many counters the snapshots of some days hold, by the day of the snapshot and the month counted."""
    published = _published(stack, snapshot_days)
    rows = reading.read(stack.warehouse, stack.lake, snapshot_contract.CONTRACT, published)
    counts = rows.group_by("day", "month").len().collect()
    return {(day, month): num for day, month, num in counts.iter_rows()}


def _sureness(stack: Stack, days: Sequence[date]) -> list[dict[str, Any]]:
    query = (settings.sql_folder() / "checks" / "sureness.sql").read_text(encoding="utf-8")
    with stack.warehouse.transaction() as transaction:
        return transaction.query(query, *day_range(days)).to_dicts()


monthly_snapshots_day_checks = [
    day_check(monthly_snapshots, was_read_in_time, severity=_WARN),
    day_check(monthly_snapshots, counts_something, severity=_WARN),
]
daily_logins_day_checks = [
    day_check(daily_logins, conserves_the_counter, severity=_ERROR),
    day_check(daily_logins, covers_every_counter, severity=_ERROR),
    day_check(daily_logins, is_sure_enough, severity=_WARN),
    day_check(daily_logins, agrees_with_events, severity=_WARN),
]
