"""Days, months and clocks: which snapshots a day is made of, and when one may be taken."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_platform.errors import PermanentError, TransientError
from data_platform.logins.days import (
    NoSnapshot,
    NotYet,
    SnapshotMissed,
    days_to_know,
    ended_day,
    months_read,
    needs,
    prove_due,
    start_of,
)

DAY, SECOND, MICROSECOND = timedelta(days=1), timedelta(seconds=1), timedelta(microseconds=1)

# Clocks of the last six change at midnight, in some from it and in some back over it.
ZONES = [
    "UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland", "Pacific/Kiritimati",
    "Pacific/Pago_Pago", "Australia/Lord_Howe",
    "America/Havana", "America/Santiago", "Africa/Cairo", "Asia/Beirut", "America/Nuuk", "America/Scoresbysund",
]  # fmt: skip
DAYS = st.dates(date(2024, 1, 1), date(2029, 12, 31))


def june(*days: int) -> set[date]:
    return {date(2026, 6, day) for day in days}


@pytest.mark.parametrize(
    ("zone", "day", "utc"),
    [
        ("UTC", "2026-03-08", "2026-03-08T00:00"),
        ("America/New_York", "2026-03-08", "2026-03-08T05:00"),
        ("America/New_York", "2026-03-09", "2026-03-09T04:00"),
        ("Asia/Kolkata", "2026-03-08", "2026-03-07T18:30"),
        ("Pacific/Auckland", "2026-04-06", "2026-04-05T12:00"),
        # There is no midnight: 23:59:59 is followed by 01:00.
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00"),
        ("America/Havana", "2026-03-08", "2026-03-08T05:00"),
        # There are two: the day begins with the first.
        ("America/Havana", "2026-11-01", "2026-11-01T04:00"),
        # 23:59:59 is followed by 23:00 of the same day.
        ("America/Santiago", "2026-04-05", "2026-04-05T04:00"),
        ("Africa/Cairo", "2026-10-30", "2026-10-29T22:00"),
    ],
)
def test_a_day_begins_with_the_first_instant_that_bears_its_date(zone: str, day: str, utc: str) -> None:
    assert start_of(date.fromisoformat(day), zone) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@given(st.sampled_from(ZONES), DAYS)
def test_days_follow_each_other_without_a_gap_in_every_zone(zone: str, day: date) -> None:
    end = start_of(day + DAY, zone)
    assert end.astimezone(ZoneInfo(zone)).date() == day + DAY
    assert (end - MICROSECOND).astimezone(ZoneInfo(zone)).date() == day
    assert (ended_day(end, zone), ended_day(end - MICROSECOND, zone)) == (day, day - DAY)


@given(st.sampled_from(ZONES), DAYS, st.integers(-3 * 86_400, 3 * 86_400))
def test_a_snapshot_is_due_from_the_end_of_its_day_to_the_end_of_the_next(zone: str, day: date, seconds: int) -> None:
    read_at = start_of(day + DAY, zone) + timedelta(seconds=seconds)
    if read_at < start_of(day + DAY, zone):
        with pytest.raises(NotYet):
            prove_due(day, read_at, read_at, None, zone)
    elif read_at >= start_of(day + 2 * DAY, zone):
        with pytest.raises(SnapshotMissed):
            prove_due(day, read_at, read_at, None, zone)
    else:
        prove_due(day, read_at, read_at, day - DAY, zone)


@pytest.mark.parametrize(
    ("day", "midnight"),
    [(date(2026, 9, 5), "2026-09-06T04:00"), (date(2026, 10, 31), "2026-11-01T03:00")],
)
def test_a_midnight_at_which_clocks_change_is_the_end_of_its_day(day: date, midnight: str) -> None:
    end = datetime.fromisoformat(midnight).replace(tzinfo=UTC)
    prove_due(day, end, end, None, "America/Santiago")
    with pytest.raises(NotYet, match=f"{day} has not ended in America/Santiago"):
        prove_due(day, end - SECOND, end - SECOND, None, "America/Santiago")


NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize("minutes", [-6, 6, 60 * 24])
def test_clocks_that_disagree_read_nothing(minutes: int) -> None:
    with pytest.raises(NotYet, match="nothing was read, set the wrong one right"):
        prove_due(date(2026, 6, 9), NOON, NOON + timedelta(minutes=minutes), None, "UTC")


@pytest.mark.parametrize("minutes", [-5, 5])
def test_clocks_may_differ_by_five_minutes_and_the_databases_decides(minutes: int) -> None:
    prove_due(date(2026, 6, 9), NOON, NOON + timedelta(minutes=minutes), None, "UTC")
    midnight = datetime(2026, 6, 10, tzinfo=UTC)
    with pytest.raises(NotYet, match="2026-06-09 has not ended in UTC by the clock of the app's database"):
        prove_due(date(2026, 6, 9), midnight - SECOND, midnight + SECOND, None, "UTC")


def test_a_databases_clock_that_runs_back_behind_its_last_snapshot_reads_nothing() -> None:
    with pytest.raises(NotYet, match="the snapshot of 2026-06-10 is taken already"):
        prove_due(date(2026, 6, 9), NOON, NOON, date(2026, 6, 10), "UTC")


def test_a_day_that_is_past_is_missed_for_good_and_one_to_come_is_tried_again() -> None:
    with pytest.raises(SnapshotMissed, match="no snapshot of 2026-06-08 and none can be made up"):
        prove_due(date(2026, 6, 8), NOON, NOON, None, "UTC")
    with pytest.raises(NotYet, match="2026-06-11 has not ended"):
        prove_due(date(2026, 6, 11), NOON, NOON, None, "UTC")
    assert issubclass(SnapshotMissed, PermanentError)
    assert issubclass(NotYet, TransientError)


@pytest.mark.parametrize(
    ("day", "months"),
    [
        ("2026-06-10", ["2026-06-01"]),
        ("2026-06-03", ["2026-05-01", "2026-06-01"]),
        ("2026-06-04", ["2026-06-01"]),
        ("2026-06-30", ["2026-06-01", "2026-07-01"]),
        ("2026-12-31", ["2026-12-01", "2027-01-01"]),
        ("2027-01-01", ["2026-12-01", "2027-01-01"]),
        ("2028-02-28", ["2028-02-01"]),
        ("2028-02-29", ["2028-02-01", "2028-03-01"]),
    ],
)
def test_a_snapshot_holds_its_month_and_around_its_turn_the_other(day: str, months: list[str]) -> None:
    assert months_read(date.fromisoformat(day), 3) == [date.fromisoformat(month) for month in months]


def test_without_days_for_the_month_before_only_the_turn_itself_holds_two() -> None:
    assert months_read(date(2026, 6, 1), 0) == [date(2026, 6, 1)]


def test_a_day_is_made_of_its_snapshot_and_the_two_before_it() -> None:
    need = needs(date(2026, 6, 10), june(3, 7, 9, 10, 11), 3)
    assert (need.later, need.earlier, need.earliest) == (date(2026, 6, 10), date(2026, 6, 9), date(2026, 6, 7))
    assert need.months_earlier == (date(2026, 6, 3), date(2026, 6, 7))
    assert need.is_seen_whole


def test_a_day_in_a_gap_is_made_of_the_snapshots_around_it() -> None:
    need = needs(date(2026, 6, 9), june(3, 7, 11), 3)
    assert (need.later, need.earlier, need.earliest) == (date(2026, 6, 11), date(2026, 6, 7), None)
    assert (need.is_seen_whole, need.books_the_rest) == (False, False)


def test_the_first_of_a_month_needs_no_snapshot_before_it() -> None:
    need = needs(date(2026, 6, 1), {date(2026, 5, 31), *june(1)}, 3)
    assert (need.later, need.earlier, need.earliest) == (date(2026, 6, 1), None, None)
    assert need.is_seen_whole


def test_a_months_last_day_may_be_made_of_the_next_months_first_days() -> None:
    taken = {date(2026, 6, 29), date(2026, 7, 3)}
    need = needs(date(2026, 6, 30), taken, 3)
    assert (need.later, need.earlier) == (date(2026, 7, 3), date(2026, 6, 29))
    assert need.books_the_rest
    with pytest.raises(NoSnapshot, match=r"2026-06-30 cannot be known: no snapshot of the counters of 2026-06"):
        needs(date(2026, 6, 30), taken, 2)


def test_nothing_is_known_after_the_last_snapshot() -> None:
    with pytest.raises(NoSnapshot):
        needs(date(2026, 6, 12), june(10, 11), 3)


def test_nothing_is_known_without_snapshots() -> None:
    assert days_to_know(set(), 3) == []


def test_what_can_be_known_begins_with_the_month() -> None:
    assert days_to_know(june(5), 3) == [date(2026, 6, day) for day in range(1, 6)]
    assert days_to_know(june(1), 0) == [date(2026, 6, 1)]
    assert days_to_know(june(3), 3)[0] == date(2026, 5, 1)


@settings(max_examples=100)
@given(st.sets(st.dates(date(2027, 12, 20), date(2028, 3, 12)), max_size=12), st.integers(0, 5))
def test_the_days_to_know_are_those_that_have_what_they_need(taken: set[date], days_with_month_before: int) -> None:
    day, known = date(2027, 10, 1), days_to_know(taken, days_with_month_before)
    while day < date(2028, 4, 1):
        try:
            need = needs(day, taken, days_with_month_before)
        except NoSnapshot:
            assert day not in known
        else:
            assert day in known
            assert need.days <= taken
            assert day <= need.later
            assert need.earlier is None or day.replace(day=1) <= need.earlier < day
        day += DAY
