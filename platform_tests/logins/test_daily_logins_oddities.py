"""Rows that come and go, clocks that are wrong, and the older job's days: June 2026, UTC, one device a user."""

from datetime import date, timedelta

import pytest

from platform_tests.logins.conftest import Example

SEVEN_MINUTES = timedelta(minutes=7)
ABSURD = [None, "2031-01-01T00:00", "1970-01-01T00:00"]


def counted_by(example: Example, day: int, user: int = 1) -> int:
    """What the published days make of a counter."""
    found = [example.rows(day).get(user) for day in range(1, day + 1)]
    rows = [row for row in found if row]
    return sum(row["num_logins"] + row["correction"] for row in rows) + rows[-1]["num_later"]


def test_a_row_that_comes_back_may_have_counted_while_it_was_gone() -> None:
    example = Example().read(8, (2, 5, "08T12:00")).read(9).read(10, (2, 9, "10T08:00"))
    assert example.known(10, user=2) == (4, 0, 9, "bounded", "row_returned")
    assert example.rows(10)[2]["correction"] == 0


def test_a_row_that_comes_back_from_nothing_has_at_most_what_it_counts() -> None:
    example = Example().read(8, (2, 5, "08T12:00")).read(9).read(10, (2, 3, "10T08:00"))
    assert example.known(10, user=2) == (3, 0, 3, "bounded", "row_returned")
    assert example.rows(10)[2]["correction"] == -5


def test_a_row_that_comes_back_still_adds_up_to_its_counter() -> None:
    """Two of its five logins came after the eighth, and the ninth, which they are of, has no row for them."""
    example = Example().read(7, (2, 0, "07T00:00")).read(8, (2, 5, "09T00:05"), late=SEVEN_MINUTES)
    example.read(9).read(10, (2, 9, "10T08:00"))
    assert counted_by(example, 10, user=2) == 9


def test_a_row_that_was_unreadable_the_day_before_may_have_counted_then() -> None:
    example = Example().read(9, (1, 5, "09T12:00"), has_rejects=True)
    example.read(10, (1, 6, "10T12:00"), (2, 4, "10T12:00"))
    assert example.known(10, user=2) == (4, 0, 4, "bounded", "row_was_rejected")
    assert example.known(10) == (1, 1, 1, "exact", None)


def test_a_row_that_was_unreadable_and_known_before_is_one_that_comes_back() -> None:
    example = Example().read(8, (2, 5, "08T12:00")).read(9, has_rejects=True).read(10, (2, 9, "10T12:00"))
    assert example.known(10, user=2) == (4, 0, 9, "bounded", "row_returned")


@pytest.mark.parametrize("stamp", ABSURD)
def test_a_clock_that_cannot_be_right_dates_nothing(stamp: str | None) -> None:
    """Read seven minutes late, the two logins may be of either day."""
    example = Example().read(8, (1, 3, "08T12:00"))
    example.read(9, (1, 5, stamp), late=SEVEN_MINUTES).read(10, (1, 5, stamp))
    assert example.known(9) == (2, 0, 2, "bounded", "clock")
    assert example.known(10) == (0, 0, 2, "bounded", "clock")


@pytest.mark.parametrize("stamp", ABSURD)
def test_where_both_midnights_were_seen_no_clock_is_asked(stamp: str | None) -> None:
    example = Example().read(8, (1, 3, "08T12:00")).read(9, (1, 5, stamp)).read(10, (1, 5, stamp))
    assert (example.known(9), example.known(10)) == ((2, 2, 2, "exact", None), (0, 0, 0, "exact", None))


@pytest.mark.parametrize("stamp", ABSURD)
def test_a_wrong_clock_does_not_date_a_row_that_was_unreadable_the_day_before(stamp: str | None) -> None:
    example = Example().read(8, has_rejects=True)
    example.read(9, (2, 5, stamp), late=SEVEN_MINUTES).read(10, (2, 5, stamp))
    assert example.known(9, user=2) == (5, 0, 5, "bounded", "row_was_rejected")
    assert example.known(10, user=2) == (0, 0, 5, "bounded", "row_was_rejected")


@pytest.mark.parametrize("stamp", ABSURD)
@pytest.mark.parametrize("left", [0, 2])
def test_a_wrong_clock_does_not_date_the_logins_around_a_reset(left: int, stamp: str | None) -> None:
    """A login at 00:03, a reset at 00:05, read at 00:07: what the tenth has lost nobody can say."""
    example = Example().read(8, (1, 50, stamp)).read(9, (1, left, stamp), late=SEVEN_MINUTES).read(10, (1, left, stamp))
    example.resets[date(2026, 6, 9)] = "restored from a backup"
    assert example.known(9) == (left, 0, None, "bounded", "reset")
    assert example.known(10) == (0, 0, None, "bounded", "reset")


def test_the_older_jobs_days_estimate_a_day_without_the_snapshot_before_it() -> None:
    """Twelve minus the three and four of the days before; its own 99 are not subtracted."""
    example = Example().read(10, (1, 12, "10T10:00")).had(8, 1, 3).had(9, 1, 4).had(10, 1, 99)
    assert example.known(10) == (5, 1, 12, "imputed", "history")
    assert example.known(9) == (4, 0, 11, "imputed", "history")
    assert example.known(7) == (0, 0, 11, "imputed", "history")


def test_the_older_job_cannot_make_more_logins_than_were_counted() -> None:
    example = Example().read(10, (1, 12, "10T10:00")).had(9, 1, 50)
    assert example.known(10) == (1, 1, 12, "imputed", "history")
    assert example.known(9) == (11, 0, 11, "imputed", "history")


def test_the_older_job_is_not_asked_where_both_snapshots_are_there() -> None:
    example = Example().read(9, (1, 5, "09T12:00")).read(10, (1, 8, "10T13:00")).had(10, 1, 99)
    assert example.known(10) == (3, 3, 3, "exact", None)


def test_the_older_jobs_days_count_from_the_snapshot_before() -> None:
    """The month's days before the twelfth have 2 + 6 logins, of which the ninth's snapshot held five."""
    example = Example().read(9, (1, 5, "09T12:00")).read(12, (1, 12, "12T18:00")).had(3, 1, 2).had(11, 1, 6)
    assert example.known(12) == (4, 1, 7, "imputed", "history")


def test_no_number_is_below_nothing_where_the_older_job_says_more_than_a_late_snapshot() -> None:
    """Read twenty hours late: the older job has nine of ten before the tenth, the hours only six before its end."""
    example = Example().read(8, (1, 0, "08T00:00"))
    example.read(10, (1, 10, "11T19:59"), late=timedelta(hours=20)).had(9, 1, 9)
    for day in (9, 10):
        number, low, high, *_ = example.known(day)
        assert high is not None
        assert low <= number <= high
    assert counted_by(example, 10) == 10


def test_a_row_moved_to_another_month_is_another_counter() -> None:
    example = Example().read(date(2026, 6, 30), (1, 90, "30T12:00"))
    example.read(date(2026, 7, 1), (1, 1, "2026-07-01T12:00"), month=date(2026, 7, 1))
    assert example.known(date(2026, 7, 1)) == (1, 1, 1, "exact", None)


def test_a_row_that_was_gone_when_the_counters_were_reset_has_no_upper_bound() -> None:
    """What it counted between its midnight and the reset is lost with it, although it stands in the present counter."""
    example = Example().read(8, (1, 0, "05T19:02")).read(9, late=timedelta(hours=21)).read(10, (1, 0, "10T15:03"))
    example.resets[date(2026, 6, 9)] = "restored from a backup"
    row = example.rows(10)[1]
    assert (row["low"], row["high"], row["status"], row["reason"]) == (0, None, "bounded", "row_returned")


def test_a_row_that_was_unreadable_when_the_counters_were_reset_has_no_upper_bound() -> None:
    """The ninth was read on the evening of the tenth: what the reset before it took may be of the tenth."""
    example = (
        Example().read(8, (1, 1, "08T12:00")).read(9, (1, 1, "08T12:00"), late=timedelta(hours=21), has_rejects=True)
    )
    example.read(10, (1, 1, "08T12:00"), (2, 4, "10T23:00")).resets[date(2026, 6, 9)] = "restored from a backup"
    row = example.rows(10)[2]
    assert (row["low"], row["high"], row["status"], row["reason"]) == (0, None, "bounded", "row_was_rejected")
