"""Which days of a report are due, and when: over changed clocks, outages and days of the week. Today is a Thursday."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_platform.reports.due import days_due, due_at, tries
from data_platform.reports.report_type import Schedule
from platform_tests.oracles.reports import DAY
from platform_tests.reports.examples import TODAY

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
ZONES = ("UTC", BERLIN, NEW_YORK, "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kolkata", "Australia/Lord_Howe")
AT_SIX = Schedule(at="06:00")
MONTH_OF_DAYS = 31


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days_before(day: date, *back: int) -> list[date]:
    return [day - n * DAY for n in back]


# When


@pytest.mark.parametrize(
    ("zone", "day", "at", "due"),
    [
        ("UTC", date(2026, 12, 31), "06:00", "2027-01-01 06:00"),
        ("UTC", date(2028, 2, 28), "06:00", "2028-02-29 06:00"),
        ("UTC", date(2026, 11, 26), "00:00", "2026-11-27 00:00"),
        # Clocks go from 2:00 to 3:00 on 29 March and back from 3:00 to 2:00 on 25 October.
        (BERLIN, date(2026, 3, 27), "06:00", "2026-03-28 05:00"),
        (BERLIN, date(2026, 3, 28), "06:00", "2026-03-29 04:00"),
        (BERLIN, date(2026, 3, 28), "01:59", "2026-03-29 00:59"),
        (BERLIN, date(2026, 3, 28), "02:30", "2026-03-29 01:30"),  # 3:30, for there is no 2:30
        (BERLIN, date(2026, 3, 28), "03:00", "2026-03-29 01:00"),
        (BERLIN, date(2026, 10, 24), "02:30", "2026-10-25 00:30"),  # the first of two
        (BERLIN, date(2026, 10, 24), "06:00", "2026-10-25 05:00"),
        # Likewise on 8 March and 1 November.
        (NEW_YORK, date(2026, 3, 7), "02:30", "2026-03-08 07:30"),
        (NEW_YORK, date(2026, 3, 7), "06:00", "2026-03-08 10:00"),
        (NEW_YORK, date(2026, 3, 6), "06:00", "2026-03-07 11:00"),
        (NEW_YORK, date(2026, 10, 31), "01:30", "2026-11-01 05:30"),
        (NEW_YORK, date(2026, 10, 31), "06:00", "2026-11-01 11:00"),
    ],
)
def test_a_report_is_due_at_the_time_of_the_day_after_in_its_zone(zone: str, day: date, at: str, due: str) -> None:
    assert due_at(Schedule(at=at), day, zone).astimezone(UTC) == utc(due)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", [TODAY, date(2026, 3, 28), date(2026, 10, 24), date(2026, 3, 7), date(2026, 10, 31)])
def test_nothing_is_due_before_the_time_and_it_is_from_then_on(zone: str, day: date) -> None:
    due = due_at(AT_SIX, day, zone).astimezone(UTC)
    assert days_due(AT_SIX, {day - DAY}, due - SECOND, zone) == []
    assert days_due(AT_SIX, {day - DAY}, due, zone) == [day]


def test_the_zone_decides_what_a_day_is() -> None:
    now = utc("2026-11-27 11:00")  # 06:00 in New York, a day later and 1:00 on Kiritimati
    assert days_due(AT_SIX, set(), now, NEW_YORK) == [TODAY]
    assert days_due(AT_SIX, set(), now - MINUTE, NEW_YORK) == [TODAY - DAY]
    assert days_due(AT_SIX, set(), now, "Pacific/Kiritimati") == [TODAY]
    assert days_due(AT_SIX, set(), now + 5 * HOUR, "Pacific/Kiritimati") == [TODAY + DAY]


@pytest.mark.parametrize(("zone", "change"), [(BERLIN, date(2026, 3, 29)), (BERLIN, date(2026, 10, 25))])
def test_each_day_around_a_change_of_clocks_is_due_once(zone: str, change: date) -> None:
    delivered = {change - 3 * DAY}
    for at in ("00:00", "02:00", "02:30", "03:00", "23:59"):
        found: list[date] = []
        for minutes in range(0, 5 * 24 * 60, 10):
            now = datetime.combine(change - 2 * DAY, time(), UTC) + minutes * MINUTE
            due = days_due(Schedule(at=at), delivered | set(found), now, zone)
            assert len(due) <= 1
            found += due
        assert found == sorted(set(found))
        assert {change - 2 * DAY, change - DAY, change} <= set(found)


# Which


def test_of_a_report_that_was_never_delivered_the_last_day_alone_is_due() -> None:
    assert days_due(AT_SIX, set(), utc("2026-11-27 06:00"), "UTC") == [TODAY]
    assert days_due(AT_SIX, set(), utc("2026-11-27 05:59"), "UTC") == [TODAY - DAY]


@pytest.mark.parametrize(("weekday", "day"), [(1, 23), (3, 25), (4, 26), (5, 20), (7, 22)])
def test_of_a_weekly_report_that_was_never_delivered_the_last_such_day_is_due(weekday: int, day: int) -> None:
    weekly = Schedule(at="06:00", weekdays=(weekday,))
    assert days_due(weekly, set(), utc("2026-11-27 12:00"), "UTC") == [date(2026, 11, day)]


def test_what_was_delivered_is_not_due() -> None:
    assert days_due(AT_SIX, {TODAY}, utc("2026-11-27 12:00"), "UTC") == []
    assert days_due(AT_SIX, {TODAY, TODAY - DAY}, utc("2026-11-27 12:00"), "UTC") == []


def test_the_days_that_an_outage_left_out_are_due_in_their_order() -> None:
    delivered = {TODAY - 9 * DAY, TODAY - 5 * DAY, TODAY - 3 * DAY}
    found = days_due(AT_SIX, delivered, utc("2026-11-27 12:00"), "UTC")
    assert found == days_before(TODAY, 8, 7, 6, 4, 2, 1, 0)


def test_days_before_the_first_that_was_delivered_are_not_due() -> None:
    assert days_due(AT_SIX, {TODAY - 2 * DAY}, utc("2026-11-27 12:00"), "UTC") == days_before(TODAY, 1, 0)


def test_days_of_more_than_a_month_ago_are_not_due() -> None:
    now = utc("2026-11-27 12:00")
    found = days_due(AT_SIX, {date(2026, 1, 1)}, now, "UTC")
    assert found == [now.date() - n * DAY for n in range(MONTH_OF_DAYS, 0, -1)]


def test_only_its_days_of_the_week_are_due() -> None:
    schedule = Schedule(at="06:00", weekdays=(7, 1))
    found = days_due(schedule, {date(2026, 11, 8)}, utc("2026-11-27 12:00"), "UTC")
    assert found == [date(2026, 11, 9), date(2026, 11, 15), date(2026, 11, 16), date(2026, 11, 22), date(2026, 11, 23)]


def test_a_day_that_was_delivered_by_hand_outside_the_days_of_the_week_begins_the_count_too() -> None:
    sundays = Schedule(at="06:00", weekdays=(7,))
    assert days_due(sundays, {date(2026, 11, 18)}, utc("2026-11-27 12:00"), "UTC") == [date(2026, 11, 22)]


def test_a_day_delivered_ahead_of_its_time_brings_none_before_it() -> None:
    assert days_due(AT_SIX, {TODAY + DAY}, utc("2026-11-27 12:00"), "UTC") == []


schedules = st.builds(
    Schedule,
    at=st.times().map(lambda at: f"{at:%H:%M}"),
    weekdays=st.lists(st.integers(1, 7), min_size=1, max_size=7, unique=True).map(tuple),
)
minutes_around = st.integers(-2_000, 2_000).map(lambda minutes: minutes * MINUTE)
changes = [utc(f"{day} 01:00") for day in ("2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2028-02-29")]
clocks = st.one_of(
    st.integers(0, 15 * 365 * 24 * 3_600).map(lambda seconds: utc("2020-01-01 00:00") + seconds * SECOND),
    st.builds(lambda change, minutes: change + minutes, st.sampled_from(changes), minutes_around),
)


def is_due(schedule: Schedule, day: date, now: datetime, zone: str) -> bool:
    """By the clock on the wall, in instants, as the rule says it."""
    hour, minute = map(int, schedule.at.split(":"))
    next_day = day + DAY
    instant = datetime(next_day.year, next_day.month, next_day.day, hour, minute, tzinfo=ZoneInfo(zone))
    return day.isoweekday() in schedule.weekdays and instant.astimezone(UTC) <= now


@given(schedules, clocks, st.sets(st.integers(-2, 50), max_size=12), st.sampled_from(ZONES))
def test_whatever_was_delivered_the_days_due_are_those_of_the_rule(
    schedule: Schedule, now: datetime, back: set[int], zone: str
) -> None:
    today = now.astimezone(ZoneInfo(zone)).date()
    delivered = {today - n * DAY for n in back}
    found = days_due(schedule, delivered, now, zone)
    due = [day for n in range(MONTH_OF_DAYS, 0, -1) if is_due(schedule, day := today - n * DAY, now, zone)]
    assert found == ([day for day in due if day > min(delivered) and day not in delivered] if delivered else due[-1:])


@given(schedules, clocks, st.sets(st.integers(-2, 50), max_size=12), st.sampled_from(ZONES))
def test_no_day_is_due_twice_or_ahead_or_outside_its_days_of_the_week(
    schedule: Schedule, now: datetime, back: set[int], zone: str
) -> None:
    today = now.astimezone(ZoneInfo(zone)).date()
    delivered = {today - n * DAY for n in back}
    found = days_due(schedule, delivered, now, zone)
    assert found == sorted(set(found))
    assert not delivered & set(found)
    for day in found:
        assert day < today
        assert day.isoweekday() in schedule.weekdays
        assert due_at(schedule, day, zone).astimezone(UTC) <= now
    assert days_due(schedule, delivered | set(found), now, zone) == []


@given(schedules, clocks, st.sets(st.integers(1, 20), max_size=5), st.sampled_from(ZONES), st.sampled_from(ZONES))
@example(Schedule(at="02:30"), utc("2026-10-25 01:10"), {2}, BERLIN, BERLIN)
def test_in_which_zone_the_clock_is_read_makes_no_difference(
    schedule: Schedule, now: datetime, back: set[int], zone: str, zone_of_clock: str
) -> None:
    elsewhere = now.astimezone(ZoneInfo(zone_of_clock))
    delivered = {now.date() - n * DAY for n in back}
    assert days_due(schedule, delivered, elsewhere, zone) == days_due(schedule, delivered, now, zone)
    due = due_at(schedule, now.date() - DAY, zone)
    assert tries(due, elsewhere) == tries(due, now)


# How often


@pytest.mark.parametrize(
    ("hours", "number"),
    [
        (-1, 1),
        (0, 1),
        (0.99, 1),
        (1, 2),
        (2.99, 2),
        (3, 3),
        (6.99, 3),
        (7, 4),
        (14.99, 4),
        (15, 5),
        (31, 6),
        (24 * 31, 10),
    ],
)
def test_a_report_that_is_due_is_tried_after_0_1_3_7_15_hours(hours: float, number: int) -> None:
    due = utc("2026-11-27 06:00")
    assert tries(due, due + hours * HOUR) == number


def test_tries_count_hours_that_passed_not_those_on_the_clock() -> None:
    due = due_at(AT_SIX.model_copy(update={"at": "00:30"}), date(2026, 10, 24), BERLIN)
    assert tries(due, utc("2026-10-25 01:29")) == 2  # since 22:30 UTC, though the clock shows 2:29
    assert tries(due, utc("2026-10-25 01:30")) == 3


@given(clocks, st.timedeltas(timedelta(), timedelta(days=40)))
def test_the_pauses_between_tries_double(due: datetime, passed: timedelta) -> None:
    number, hours, pause = 1, 1, 2
    while hours * HOUR <= passed:
        number, hours, pause = number + 1, hours + pause, pause * 2
    assert tries(due, due + passed) == number
