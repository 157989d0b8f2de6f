"""Events of the same logins say on which day a login was, where they are as many as the counter rose by."""

from datetime import date, timedelta

import pytest

from data_platform.logins import daily
from platform_tests.logins.conftest import Example, at, of_june, sources_of

MINUTES = timedelta(minutes=7)


def told(example: Example, *times: str, user: int = 1, days: range = range(1, 31)) -> Example:
    """Adds events of a user at some times; all of June's days are published, events or not."""
    for day in days:
        example.told.setdefault(of_june(day), [])
    for time in times:
        instant = at(time)
        assert instant
        example.told[instant.date()].append((user, "web", instant))
    return example


def late_read() -> Example:
    """Two logins between the snapshots, the last of them in the minutes before the second was read."""
    first = Example().read(8, (1, 5, "08T10:00"))
    return first.read(9, (1, 8, "10T00:03"), late=MINUTES)


def gap() -> Example:
    """The snapshots of the 9th and 10th are missing."""
    return Example().read(8, (1, 5, "08T10:00")).read(11, (1, 8, "11T12:00"))


def test_without_events_a_late_snapshot_leaves_a_doubt() -> None:
    assert late_read().known(9)[3:] == ("bounded", "late_read")


def test_events_say_which_of_the_logins_came_after_midnight() -> None:
    example = told(late_read(), "09T11:00", "09T12:00", "10T00:03")
    assert example.known(9) == (2, 2, 2, "exact", None)
    assert example.rows(9)[1]["num_later"] == 1


def test_the_next_day_takes_over_what_came_after_midnight() -> None:
    example = told(late_read(), "09T11:00", "10T00:02", "10T00:03", "10T15:00")
    example.read(10, (1, 9, "10T15:00"))
    assert example.known(9)[0] == 1
    assert example.known(10) == (3, 3, 3, "exact", None)


def test_events_split_the_total_over_missing_snapshots() -> None:
    example = told(gap(), "09T08:00", "09T09:00", "11T12:00")
    assert [example.known(day) for day in (9, 10, 11)] == [
        (2, 2, 2, "exact", None), (0, 0, 0, "exact", None), (1, 1, 1, "exact", None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "times",
    [
        ("09T08:00", "11T12:00"),
        ("09T08:00", "09T09:00", "10T09:00", "11T12:00"),
        (),
    ],
)
def test_events_that_are_not_as_many_as_the_counter_rose_by_say_nothing(times: tuple[str, ...]) -> None:
    assert [told(gap(), *times).known(day) for day in (9, 10, 11)] == [gap().known(day) for day in (9, 10, 11)]


def test_events_whose_last_one_is_of_another_day_than_the_counters_say_nothing() -> None:
    assert told(gap(), "09T08:00", "09T09:00", "10T23:00").known(9) == gap().known(9)


def test_events_of_another_user_say_nothing() -> None:
    assert told(gap(), "09T08:00", "09T09:00", "11T12:00", user=2).known(9) == gap().known(9)


def test_events_of_a_day_that_is_not_published_say_nothing() -> None:
    assert told(gap(), "09T08:00", "09T09:00", days=range(9, 11)).known(9) == gap().known(9)


def test_a_counter_whose_clock_cannot_be_trusted_is_told_by_its_events() -> None:
    example = Example().read(8, (1, 5, "08T10:00")).read(11, (1, 8, None))
    assert example.known(9)[3:] == ("bounded", "clock")
    assert told(example, "09T08:00", "09T09:00", "11T12:00").known(9) == (2, 2, 2, "exact", None)


def test_events_do_not_undo_a_correction() -> None:
    example = Example().read(8, (1, 5, "08T10:00")).read(9, (1, 3, "09T10:00"))
    assert told(example, "09T10:00").known(9) == example.known(9)


def test_a_day_names_the_days_of_events_that_it_was_made_of() -> None:
    example = told(late_read(), "09T11:00")
    tally = daily.logins(of_june(9), sources_of(example)).tally
    made_of = {sources_of(example).events.evidence[date(2026, 6, day)] for day in range(1, 11)}
    assert made_of < set(tally["evidence_id"])
    assert tally.filter(tally["evidence_id"].is_in(list(made_of)))["num_in"].sum() == 0
