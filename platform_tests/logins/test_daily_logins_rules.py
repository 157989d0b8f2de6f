"""Each rule by a small example whose numbers are found by hand: June 2026, UTC, one device a user."""

from datetime import date, timedelta

import pytest

from data_platform.logins import daily
from data_platform.logins.daily import CounterFell
from data_platform.logins.days import NoSnapshot
from platform_tests.logins.conftest import JUNE, Example, sources_of

SEVEN_MINUTES = timedelta(minutes=7)
JULY, JULY_1, JUNE_30 = date(2026, 7, 1), date(2026, 7, 1), date(2026, 6, 30)


def exact(number: int) -> tuple[int, int, int, str, None]:
    return number, number, number, "exact", None


def test_a_day_is_its_snapshot_minus_the_day_befores() -> None:
    example = Example().read(9, (1, 5, "09T12:00")).read(10, (1, 8, "10T13:00"))
    assert example.known(10) == exact(3)
    row = example.rows(10)[1]
    assert (row["from_snapshot"], row["to_snapshot"]) == (date(2026, 6, 9), date(2026, 6, 10))


def test_the_first_of_the_month_is_the_snapshot_itself() -> None:
    example = Example().read(1, (1, 4, "01T20:00"))
    assert example.known(1) == exact(4)
    assert example.rows(1)[1]["from_snapshot"] is None


def test_a_row_that_is_new_in_mid_month_counts_from_nothing() -> None:
    example = Example().read(9, (1, 5, "09T12:00")).read(10, (1, 5, "09T12:00"), (2, 3, "10T08:00"))
    assert example.known(10, user=2) == exact(3)


def test_zeros_are_rows_too() -> None:
    example = Example().read(9, (1, 5, "09T12:00")).read(10, (1, 5, "09T12:00"), (2, 0, "1970-01-01T00:00"))
    assert (example.known(10), example.known(10, user=2)) == (exact(0), exact(0))


def test_a_deleted_row_is_in_no_later_day() -> None:
    example = Example().read(9, (1, 5, "09T12:00"), (2, 7, "09T12:00")).read(10, (1, 6, "10T12:00"))
    assert list(example.rows(10)) == [1]


def test_a_row_is_of_the_kind_of_user_that_it_was_at_last() -> None:
    example = Example().read(9, (1, 5, "09T12:00")).read(10, (1, 6, "10T12:00"))
    key = (JUNE, 1, "web")
    example.snapshots[date(2026, 6, 10)].rows[key] = ("premium", *example.snapshots[date(2026, 6, 10)].rows[key][1:])
    assert example.rows(10)[1]["user_type"] == "premium"
    assert example.known(10) == exact(1)


def test_the_total_over_missing_days_is_exact_and_its_split_is_bounded() -> None:
    """Seven logins in three days, the last on the third: six by the hours (24 and 48 of 66), and that one."""
    example = Example().read(9, (1, 5, "09T12:00")).read(12, (1, 12, "12T18:00"))
    assert example.known(10) == (2, 0, 6, "bounded", "missing_snapshot")
    assert example.known(11) == (2, 0, 6, "bounded", "missing_snapshot")
    assert example.known(12) == (3, 1, 7, "bounded", "missing_snapshot")
    assert [example.rows(day)[1]["num_later"] for day in (10, 11, 12)] == [5, 3, 0]


def test_the_last_login_makes_the_days_after_it_exact() -> None:
    example = Example().read(9, (1, 5, "09T12:00")).read(12, (1, 12, "10T23:00"))
    assert [example.known(day) for day in (10, 11, 12)] == [exact(7), exact(0), exact(0)]


def test_a_late_snapshot_is_exact_for_a_row_without_a_login_since_midnight() -> None:
    example = Example().read(8, (1, 3, "08T12:00"))
    example.read(9, (1, 5, "09T23:59:59"), late=SEVEN_MINUTES).read(10, (1, 6, "10T09:00"))
    assert (example.known(9), example.known(10)) == (exact(2), exact(1))


def test_of_the_logins_before_a_late_reading_the_last_belongs_to_the_next_day() -> None:
    example = Example().read(8, (1, 3, "08T12:00"))
    example.read(9, (1, 5, "10T00:03"), late=SEVEN_MINUTES).read(10, (1, 6, "10T09:00"))
    assert example.known(9) == (1, 0, 1, "bounded", "late_read")
    assert example.rows(9)[1]["num_later"] == 1
    assert example.known(10) == (2, 2, 3, "bounded", "late_read")


def test_a_single_login_before_a_late_reading_is_known_to_the_day() -> None:
    example = Example().read(8, (1, 3, "08T12:00"))
    example.read(9, (1, 4, "10T00:03"), late=SEVEN_MINUTES).read(10, (1, 4, "10T00:03"))
    assert (example.known(9), example.known(10)) == (exact(0), exact(1))


def test_a_login_at_midnight_to_the_second_is_the_next_days() -> None:
    example = Example().read(8, (1, 3, "08T12:00"))
    example.read(9, (1, 4, "10T00:00"), late=SEVEN_MINUTES).read(10, (1, 4, "10T00:00"))
    assert (example.known(9), example.known(10)) == (exact(0), exact(1))


@pytest.mark.parametrize("fall", [3, 10])
def test_a_fall_within_the_tolerance_is_a_correction_and_counts_as_nothing(fall: int) -> None:
    example = Example().read(9, (1, 20, "09T12:00")).read(10, (1, 20 - fall, "09T12:00"))
    assert example.known(10) == (0, 0, 0, "exact", "correction")
    assert (example.rows(10)[1]["correction"], example.rows(10)[1]["num_later"]) == (-fall, 0)


def test_a_correction_on_a_day_with_logins_leaves_room_for_as_many_as_it_may_hide() -> None:
    """From 20 to 17 with a login: a correction of at most 10 hides at most 7."""
    example = Example().read(9, (1, 20, "09T12:00")).read(10, (1, 17, "10T08:00"))
    assert example.known(10) == (0, 0, 7, "bounded", "correction")
    assert example.rows(10)[1]["correction"] == -3


def test_a_correction_in_missing_days_is_booked_once_on_the_last() -> None:
    example = Example().read(9, (1, 20, "09T12:00")).read(12, (1, 18, "09T12:00"))
    assert [example.rows(day)[1]["correction"] for day in (10, 11, 12)] == [0, 0, -2]
    assert [example.known(day)[2] for day in (10, 11, 12)] == [0, 0, 0]


def test_a_deeper_fall_stops_the_day_and_says_which_row_why_and_what_to_do() -> None:
    example = Example().read(9, (1, 2000, "09T12:00"), (2, 5, "09T12:00"), (3, 5, "09T12:00"))
    example.read(10, (1, 1989, "09T12:00"), (2, 6, "10T12:00"), (3, 5, "09T12:00"))
    with pytest.raises(CounterFell) as caught:
        daily.logins(date(2026, 6, 10), sources_of(example))
    assert str(caught.value) == (
        "Between the snapshots of 2026-06-09 and 2026-06-10 1 of 3 counters of 2026-06 fell by more than 10 (user 1 on"
        " web from 2,000 to 1,989): so few of them look like corrections of single rows; the old version of 2026-06-10"
        " stays, so ask the app's makers, then declare 2026-06-10 under `resets` in logins/rules.yaml or raise its"
        " `tolerance`."
    )


def test_many_falls_at_once_are_called_a_reset_and_the_deepest_are_named() -> None:
    users = range(1, 6)
    example = Example().read(9, *((user, 20 + user, "09T12:00") for user in users))
    example.read(10, *((user, 0, "09T12:00") for user in users))
    with pytest.raises(CounterFell, match="5 of 5 .*so many at once look like a reset") as caught:
        daily.logins(date(2026, 6, 10), sources_of(example))
    assert [f"user {user} on" in str(caught.value) for user in users] == [False, False, True, True, True]


def test_every_missing_day_before_a_fall_is_refused_and_the_days_after_it_are_right() -> None:
    example = Example().read(9, (1, 50, "09T12:00")).read(12, (1, 4, "12T12:00")).read(13, (1, 6, "13T12:00"))
    for day in (10, 11, 12):
        with pytest.raises(CounterFell):
            example.rows(day)
    assert example.known(13) == exact(2)


def test_a_declared_reset_is_published_with_nothing_known_above() -> None:
    example = Example().read(9, (1, 50, "09T12:00"), (2, 3, "09T12:00"))
    example.read(10, (1, 4, "10T12:00"), (2, 5, "10T12:00"))
    example.resets[date(2026, 6, 10)] = "restored from a backup"
    assert example.known(10) == (4, 0, None, "bounded", "reset")
    assert example.rows(10)[1]["correction"] == -50
    assert example.known(10, user=2) == (2, 0, None, "bounded", "reset")


def test_a_declared_reset_leaves_open_what_rows_had_counted_that_were_new_since() -> None:
    """Nobody saw what they held before it."""
    example = Example().read(9, (1, 50, "09T12:00")).read(10, (1, 0, "09T12:00"), (2, 2, "10T12:00"))
    example.resets[date(2026, 6, 10)] = "restored from a backup"
    assert example.known(10, user=2) == (2, 0, None, "bounded", "reset")


def test_a_reset_on_the_first_of_the_month_is_never_exact() -> None:
    example = Example().read(1, (1, 4, "01T20:00"))
    example.resets[date(2026, 6, 1)] = "restored from a backup"
    assert example.known(1) == (4, 0, None, "bounded", "reset")


def test_before_the_first_snapshot_the_month_is_a_baseline() -> None:
    """Twelve logins, the last 226 hours into the month: eleven by the hours, of which 10.5 lie before the tenth."""
    example = Example().read(10, (1, 12, "10T10:00"))
    assert example.known(10) == (1, 1, 12, "baseline", "no_earlier_snapshot")
    assert example.known(1) == (1, 0, 11, "baseline", "no_earlier_snapshot")
    assert sum(example.known(day)[0] for day in range(1, 11)) == 12


def test_a_new_month_begins_from_nothing() -> None:
    example = Example().read(JUNE_30, (1, 90, "30T12:00"), late=SEVEN_MINUTES)
    example.read(JUNE_30, (1, 2, "2026-07-01T00:05"), late=SEVEN_MINUTES, month=JULY)
    example.read(JULY_1, (1, 90, "30T12:00")).read(JULY_1, (1, 5, "2026-07-01T09:00"), month=JULY)
    assert example.known(JULY_1) == exact(5)
    assert example.rows(JULY_1)[1]["from_snapshot"] is None


def test_the_last_of_a_month_that_was_missed_is_known_from_the_first_days_of_the_next() -> None:
    example = Example().read(29, (1, 80, "29T12:00")).read(JULY_1, (1, 85, "30T23:59:59"), late=SEVEN_MINUTES)
    assert example.known(30) == exact(5)
    assert example.rows(30)[1]["to_snapshot"] == JULY_1


def test_what_no_snapshot_can_tell_is_an_error() -> None:
    example = Example().read(29, (1, 80, "29T12:00")).read(date(2026, 7, 4), (1, 85, "30T12:00"))
    with pytest.raises(NoSnapshot, match="2026-06-30 cannot be known"):
        example.rows(30)


def test_the_days_that_make_a_number_are_in_the_tally() -> None:
    example = Example().read(8, (1, 3, "08T12:00")).read(9, (1, 4, "09T12:00")).read(10, (1, 5, "10T12:00"))
    tally = daily.logins(date(2026, 6, 10), sources_of(example)).tally
    assert tally["num_used"].to_list() == [0, 0, 1]
    assert tally["num_in"].to_list() == [0, 0, 1]
