"""Snapshots are deleted when they were kept long enough, and never while a day still needs them."""

from datetime import UTC, date, datetime

import pytest

from data_platform.contracts import daily_logins, monthly_snapshots
from data_platform.defs.logins import retention
from data_platform.lake import snapshots
from data_platform.publish import reading
from data_platform.stack import Stack
from platform_tests.defs.conftest import Platform
from platform_tests.defs.test_logins_assets import SEP, app_url, asked, failed_checks, logins, put, said, world_table

__all__ = ["app_url", "logins"]

JANUARY = datetime(2027, 1, 5, tzinfo=UTC)


def stack_of(platform: Platform) -> Stack:
    return (platform.definitions.resources or {})["storage"].open()


def prune(platform: Platform) -> None:
    stack = stack_of(platform)
    for month, days in retention.old_months(stack, JANUARY):
        if not retention.days_that_need(stack, month):
            retention.delete_month(stack, month, days)


@pytest.fixture
def september(logins: Platform) -> Platform:
    put(logins.lake, SEP[29], SEP[30], date(2026, 10, 1), date(2026, 10, 2))
    logins.run(SEP[29], date(2026, 10, 2), assets=("monthly_snapshots",))
    return logins


def test_a_month_that_is_not_published_keeps_its_snapshots(september: Platform) -> None:
    assert [month for month, _ in retention.old_months(stack_of(september), JANUARY)] == [SEP[1]]
    assert retention.days_that_need(stack_of(september), SEP[1]) == list(SEP.values())
    prune(september)
    assert len(snapshots.days(september.lake, world_table())) == 4


def test_a_month_kept_long_enough_is_deleted_and_its_logins_stay_for_ever(september: Platform) -> None:
    assert september.run(SEP[1], date(2026, 10, 2), assets=("daily_logins",)).success
    before = september.query("SELECT count(*), sum(num_logins) FROM logins.daily_logins")
    prune(september)
    assert snapshots.days(september.lake, world_table()) == [date(2026, 10, 1), date(2026, 10, 2)]
    assert not [entry for entry in september.lake.list("tables/logins/monthly_snapshots") if "day=2026-09" in entry.key]
    there = [version.day for version in reading.publications(september.warehouse, monthly_snapshots.CONTRACT)]
    assert there == [date(2026, 10, 1), date(2026, 10, 2)]
    assert september.query("SELECT count(*), sum(num_logins) FROM logins.daily_logins") == before
    assert all(
        version.is_final == (version.day < date(2026, 10, 1))
        for version in reading.publications(september.warehouse, daily_logins.CONTRACT)
        if version.day
    )
    assert not [request for request in asked(september) if request[1] < "2026-10-03"]
    assert "is final since" in said(september.run(SEP[30], assets=("daily_logins",)))  # October holds September too
    october = september.run(date(2026, 10, 1), date(2026, 10, 2), assets=("daily_logins",))
    assert october.success
    assert failed_checks(october) <= {"is_sure_enough", "has_no_failed_day"}


def test_what_a_crash_left_is_deleted_by_the_next_run(september: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    september.run(SEP[1], SEP[30], assets=("daily_logins",))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(retention.snapshots, "delete", crash)
        with pytest.raises(KeyboardInterrupt):
            prune(september)
    prune(september)
    assert snapshots.days(september.lake, world_table()) == [date(2026, 10, 1), date(2026, 10, 2)]


def test_evidence_that_two_days_share_is_kept_for_the_other(logins: Platform) -> None:
    """Two snapshots without a row have the same content."""
    for day in (SEP[1], date(2026, 12, 1)):

        def copy(file: object, day: date = day) -> datetime:
            file.write(b"user_type,user_id,year,month,num_logins,device,d_last_accessed\n")  # type: ignore[attr-defined]
            return datetime(day.year, day.month, day.day + 1, tzinfo=UTC)

        snapshots.take(logins.lake, world_table(), day, copy)
    kept = snapshots.find(logins.lake, world_table(), date(2026, 12, 1))
    assert kept
    snapshots.delete(logins.lake, world_table(), [SEP[1]])
    assert logins.lake.size(f"evidence/{kept.evidence_id[:2]}/{kept.evidence_id}")
