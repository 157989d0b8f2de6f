"""Rides and verdicts by small examples: 10 June 2026, UTC, the rules of the house."""

from pathlib import Path

import pytest

from data_platform.contracts.sessions import VERDICTS
from data_platform.sessions.rules import Rules
from platform_tests.oracles.sessions import DAY
from platform_tests.sessions.examples import (
    HOUSE,
    MUCH_LATER,
    TODAY,
    at,
    decision,
    sessions,
    settled,
    settled_one,
    told,
)


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ("09:59 opened|10:00 started|10:10 done", ("booked", "ride_done", "10:00", "started")),
        ("10:00 started|10:10 rated", ("booked", "ride_done", "10:00", "started")),
        ("10:00 started|10:01 done|10:02 started|10:10 opened", ("booked", "ride_done", "10:00", "started")),
        ("10:00 started|10:01 started|10:02 done", ("booked", "ride_done", "10:00", "started")),
        ("10:00 started|10:10 looked", ("booked", "end_not_seen", "10:00", "started")),
        ("09:58 failed|09:59 out_of_zone|10:00 started", ("booked", "end_not_seen", "10:00", "started")),
        ("10:00 done|10:01 done|10:02 rated", ("booked", "start_not_seen", "10:00", "done")),
        ("10:00 done|10:01 failed|10:02 out_of_zone", ("booked", "start_not_seen", "10:00", "done")),
        ("10:00 booked|10:01 failed|10:02 out_of_zone", ("failed", "failed_at_start", "10:01", "failed")),
        ("10:00 booked|10:01 out_of_zone", ("out_of_zone", "out_of_zone", "10:01", "out_of_zone")),
        ("10:00 found|10:01 booked", ("abandoned", "after_booked", "10:01", "booked")),
        ("10:00 looked|10:01 found", ("abandoned", "after_found", "10:01", "found")),
        ("10:00 opened|10:01 looked|10:02 looked", ("looked", "only_looked", "10:01", "looked")),
        ("10:00 dialogue|10:01 opened|10:02 opened", ("no_intent", "no_intent", "10:01", "opened")),
        ("10:00 unheard|10:01 dialogue", ("no_intent", "no_intent", "10:00", None)),
        ("10:00 dialogue|10:01 rated", ("no_intent", "no_intent", "10:00", None)),
        ("10:00 rated|10:01 opened", ("no_intent", "no_intent", "10:01", "opened")),
        ("10:00 rated|10:01 dialogue", ("no_intent", "no_intent", "10:00", "rated")),
    ],
)
def test_the_first_verdict_that_holds_counts(steps: str, found: tuple[str, str, str, str | None]) -> None:
    verdict, reason, clock, step = found
    assert decision(settled_one(*steps.split("|"))) == (verdict, reason, at(clock), step)


def test_every_verdict_and_reason_has_an_example_in_this_file() -> None:
    source = Path(__file__).read_text()
    assert all(f'"{reason}"' in source for reasons in VERDICTS.values() for reason in reasons)


def test_a_ride_longer_than_the_gap_is_one_booking() -> None:
    booked, continued = settled("10:00 started", "11:00 done", "11:01 rated")
    assert decision(booked) == ("booked", "ride_done", at("10:00"), "started")
    assert decision(continued) == ("continued", "ride_of_earlier_session", at("11:00"), "done")
    assert (booked["continues_ride_at"], continued["continues_ride_at"]) == (None, at("10:00"))
    assert (booked["num_rides"], continued["num_rides"]) == (1, 0)
    assert [row["plain_booked"] for row in (booked, continued)] == [True, True]
    assert [row["ms_riding"] for row in (booked, continued)] == [3_600_000, None]


def test_a_rating_alone_ends_a_ride_of_an_earlier_session_too() -> None:
    booked, continued = settled("10:00 started", "11:00 failed", "11:01 rated")
    assert decision(booked) == ("booked", "ride_done", at("10:00"), "started")
    assert decision(continued) == ("continued", "ride_of_earlier_session", at("11:01"), "rated")
    assert booked["ms_riding"] is None


def test_done_and_rated_of_one_ride_may_lie_in_two_sessions() -> None:
    _, done, rated = settled("10:00 started", "11:00 done", "12:00 rated")
    assert decision(done) == ("continued", "ride_of_earlier_session", at("11:00"), "done")
    assert decision(rated) == ("continued", "ride_of_earlier_session", at("12:00"), "rated")


def test_a_session_that_holds_an_end_and_starts_a_ride_itself_is_booked_and_says_which_ride_it_ends() -> None:
    _, both = settled("10:00 started", "11:00 done", "11:05 started")
    assert decision(both) == ("booked", "end_not_seen", at("11:05"), "started")
    assert both["continues_ride_at"] == at("10:00")


def test_an_end_belongs_to_the_last_start_before_it() -> None:
    first, second, third = settled("10:00 started", "11:00 started", "12:00 done")
    assert [row["reason"] for row in (first, second)] == ["end_not_seen", "ride_done"]
    assert third["continues_ride_at"] == at("11:00")


def test_a_second_end_of_a_ride_is_an_end_without_a_start() -> None:
    """The `done` of a ride is its first one, so the second belongs to none."""
    *_, last = settled("10:00 started", "10:10 done", "12:00 done")
    assert decision(last) == ("booked", "start_not_seen", at("12:00"), "done")
    *_, last = settled("10:00 started", "10:10 rated", "12:00 rated")
    assert decision(last) == ("no_intent", "no_intent", at("12:00"), "rated")


@pytest.mark.parametrize(
    ("end", "found"),
    [("22:00", ("continued", "ride_of_earlier_session")), ("22:00:00.000001", ("booked", "start_not_seen"))],
)
def test_an_end_after_the_longest_ride_belongs_to_no_start(end: str, found: tuple[str, str]) -> None:
    _, late = settled("10:00 started", f"{end} done")
    assert (late["verdict"], late["reason"]) == found


def test_a_ride_over_midnight_belongs_to_the_day_of_its_start() -> None:
    events = [*told("23:30 started", "+1 01:00 done"), *MUCH_LATER]
    [booked], [continued] = sessions(events), sessions(events, TODAY + DAY)
    assert (booked["reason"], booked["ms_riding"]) == ("ride_done", 90 * 60_000)
    assert (continued["verdict"], continued["continues_ride_at"]) == ("continued", at("23:30"))


def test_an_end_two_midnights_after_the_start_is_found_with_a_ride_of_a_whole_day() -> None:
    day_long = Rules.model_validate(HOUSE.model_dump() | {"longest_ride_hours": 24})
    events = [*told("23:59:59.999999 started", "+1 23:59:59.999999 done"), *MUCH_LATER]
    [continued] = sessions(events, TODAY + DAY, of=day_long)
    assert continued["continues_ride_at"] == at("23:59:59.999999")


def test_at_the_same_instant_a_start_comes_before_an_end() -> None:
    row = settled_one("10:00 done", "10:00 started", "10:00 rated")
    assert (row["reason"], row["num_rides"], row["ms_riding"]) == ("ride_done", 1, 0)
    first, second = settled("10:00 started", "11:00 done", "11:00 started")
    assert (first["reason"], second["reason"], second["continues_ride_at"]) == ("end_not_seen", "ride_done", None)


def test_starts_of_one_instant_are_one_ride() -> None:
    start, again, _ = told("10:00 started", "10:00 started", "10:01 done")
    row = sessions([start, again._replace(zone="Bonn"), *MUCH_LATER])[0]
    assert (row["num_rides"], row["num_events"]) == (1, 2)


def test_a_ride_of_another_device_ends_nothing() -> None:
    events = [*told("10:00 started"), *told("10:10 done", device="tablet"), *MUCH_LATER]
    assert [row["reason"] for row in sessions(events)] == ["end_not_seen", "start_not_seen"]


@pytest.mark.parametrize(
    ("steps", "milliseconds"),
    [
        ("10:00 opened|10:01:00.0019 started|10:02 started", 60_001),
        ("10:00 opened|10:00 started", 0),
        ("10:01 opened|10:00 started", None),
        ("10:00 started", None),
        ("10:00 opened", None),
        ("09:59 opened|10:00 started|10:01 opened|10:02 started", 60_000),
    ],
)
def test_time_to_the_ride_runs_from_the_first_opening_to_the_first_start(steps: str, milliseconds: int | None) -> None:
    assert settled_one(*steps.split("|"))["ms_to_ride"] == milliseconds


@pytest.mark.parametrize(
    ("steps", "milliseconds"),
    [
        ("10:00 started|10:05:00.0019 done|10:06 done", 300_001),
        ("10:00 started|10:05 rated|10:06 done", 360_000),
        ("10:00 started|10:05 rated", None),
        ("10:00 started|10:05 started|10:06 done", None),
        ("10:00 done|10:01 looked", None),
    ],
)
def test_time_of_riding_is_that_of_the_first_ride(steps: str, milliseconds: int | None) -> None:
    assert settled_one(*steps.split("|"))["ms_riding"] == milliseconds


@pytest.mark.parametrize(
    ("newest", "reason", "is_open"),
    [
        ("10:30 opened", "ride_open", True),
        ("22:00 opened", "ride_open", True),
        ("22:00:00.000001 opened", "end_not_seen", False),
        ("+1 10:00 opened", "end_not_seen", False),
        ("+9 10:00 opened", "end_not_seen", False),
    ],
)
def test_a_ride_is_open_until_the_longest_ride_has_passed(newest: str, reason: str, is_open: bool) -> None:
    row = sessions([*told("10:00 started"), *told(newest, who="bob")])[0]
    assert (row["reason"], row["is_open"]) == (reason, is_open)


def test_a_ride_that_has_its_end_does_not_keep_a_session_open() -> None:
    row = sessions([*told("10:00 started", "10:05 done"), *told("11:00 opened", who="bob")])[0]
    assert (row["reason"], row["is_open"]) == ("ride_done", False)


def test_a_session_whose_ride_was_rated_is_open_while_its_duration_is_not_known() -> None:
    known = [*told("10:00 started", "10:05 rated"), *told("11:00 opened", who="bob")]
    then, now = sessions(known)[0], sessions([*known, *told("11:30 done")])[0]
    assert (then["ms_riding"], now["ms_riding"]) == (None, 90 * 60_000)
    assert then["is_open"]


def test_a_session_with_an_ended_ride_is_open_while_its_last_one_may_get_an_end() -> None:
    row = sessions([*told("10:00 started", "10:05 done", "10:06 started"), *told("11:00 opened", who="bob")])[0]
    assert (row["reason"], row["is_open"]) == ("ride_done", True)
