"""What a session is, by small examples: 10 June 2026, UTC, the rules of the house."""

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from data_platform.contracts.steps import STEPS
from data_platform.sessions.sessionise import sessions_of
from platform_tests.oracles.sessions import DAY
from platform_tests.sessions.examples import HOUSE, MUCH_LATER, TODAY, at, sessions, settled, settled_one, told
from platform_tests.sessions.world import days_of, happened, in_order


@pytest.mark.parametrize(
    ("second", "num_events"),
    [("10:14:59.999", [2]), ("10:14:59.999999", [2]), ("10:15:00", [1, 1]), ("10:15:00.000001", [1, 1])],
)
def test_fifteen_minutes_without_an_event_begin_a_new_session(second: str, num_events: list[int]) -> None:
    assert [row["num_events"] for row in settled("10:00 opened", f"{second} looked")] == num_events


@pytest.mark.parametrize(
    ("first", "second", "num_today"),
    [
        ("23:50", "+1 00:04:59.999999", 2),
        ("23:50", "+1 00:05", 1),
        ("23:45:00.000001", "+1 00:00", 2),
        ("23:45", "+1 00:00", 1),
        ("23:59:59.999999", "+1 00:00", 2),
    ],
)
def test_midnight_is_no_gap(first: str, second: str, num_today: int) -> None:
    events = [*told(f"{first} opened", f"{second} looked"), *MUCH_LATER]
    assert [row["num_events"] for row in sessions(events)] == [num_today]
    assert len(sessions(events, TODAY + DAY)) == 2 - num_today


def test_a_session_goes_on_over_as_many_midnights_as_its_events_do() -> None:
    ten_minutes = [at("23:00") + number * timedelta(minutes=10) for number in range(6 * 24 * 3)]
    events = [told("10:00 dialogue")[0]._replace(created_at=instant) for instant in ten_minutes]
    [row] = sessions([*events, *MUCH_LATER])
    assert (row["num_events"], row["ended_on"]) == (len(events), date(2026, 6, 13))
    assert not any(sessions([*events, *MUCH_LATER], TODAY + number * DAY) for number in (1, 2, 3))


def test_users_and_devices_have_sessions_of_their_own() -> None:
    events = [*told("10:00 opened"), *told("10:01 looked", device="tablet"), *told("10:02 found", who="bob")]
    assert [row["num_events"] for row in sessions(events)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("zone", "clock", "day"),
    [
        ("Europe/Berlin", "21:59:59.999999", TODAY),
        ("Europe/Berlin", "22:00", TODAY + DAY),
        ("America/New_York", "03:59", TODAY - DAY),
        ("Pacific/Kiritimati", "10:00", TODAY + DAY),
    ],
)
def test_the_business_day_is_that_of_the_zone_and_the_day_that_of_utc(zone: str, clock: str, day: date) -> None:
    [row] = sessions(told(f"{clock} opened"), zone=zone)
    assert (row["day"], row["business_day"]) == (TODAY, day)


@pytest.mark.parametrize(
    ("instant", "day"),
    [("2026-10-24T22:30", "2026-10-25"), ("2026-10-25T22:30", "2026-10-25"), ("2026-10-25T23:00", "2026-10-26")],
)
def test_the_business_day_knows_when_clocks_change(instant: str, day: str) -> None:
    begin = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    [event] = told("10:00 opened")
    [row] = sessions([event._replace(created_at=begin)], begin.date(), "Europe/Berlin")
    assert row["business_day"] == date.fromisoformat(day)


def test_an_unknown_name_is_counted_and_a_known_one_that_is_no_step_is_not() -> None:
    row = settled_one("10:00 unheard", "10:01 dialogue", "10:02 unheard", "10:03 opened")
    assert (row["num_events"], row["num_other_events"]) == (4, 2)


def test_each_step_has_the_instant_of_its_first_event() -> None:
    first = [f"10:0{number} {step}" for number, step in enumerate(STEPS)]
    again = [f"10:1{number} {step}" for number, step in enumerate(STEPS)]
    row = settled_one(*first, *again)
    names = ["opened", "looked", "found", "booked", "ride_started", "start_failed", "ride_done", "rated", "out_of_zone"]
    assert [row[f"{name}_at"] for name in names] == [at(f"10:0{number}") for number in range(9)]
    assert row["num_events"] == 18


def test_names_of_the_same_step_are_the_same_step() -> None:
    events = happened(
        "10:00 Paypal Dialogue - Okay Pressed", "10:01 List Of Payment Shown", "10:02 Vehicle Selected - Auto"
    )
    [row] = sessions(events)
    assert (row["booked_at"], row["looked_at"]) == (at("10:00"), at("10:02"))


@pytest.mark.parametrize(
    ("steps", "furthest"),
    [
        (["10:00 done", "10:01 started", "10:02 opened"], "done"),
        (["10:00 started", "10:01 booked"], "started"),
        (["10:00 booked", "10:01 found"], "booked"),
        (["10:00 looked", "10:01 found"], "found"),
        (["10:00 looked", "10:01 opened"], "looked"),
        (["10:00 opened", "10:01 failed", "10:02 out_of_zone", "10:03 rated"], "opened"),
        (["10:00 failed", "10:01 out_of_zone", "10:02 rated", "10:03 unheard"], None),
    ],
)
def test_the_furthest_step_is_the_last_of_the_funnel(steps: list[str], furthest: str | None) -> None:
    assert settled_one(*steps)["furthest_step"] == furthest


def test_zone_version_and_system_are_those_of_the_first_event_even_if_it_has_none() -> None:
    first, second = told("10:00 opened", "10:01 looked")
    [row] = sessions([first._replace(zone=None, app_version=None, os_name=None), second])
    assert (row["zone"], row["app_version"], row["os_name"]) == (None, None, None)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"event_name": "A"}, {"event_name": "B"}),
        ({"event_name": "A", "received_at": at("11:00")}, {"event_name": "B"}),
        ({"received_at": None}, {"received_at": at("09:00")}),
        ({"received_at": at("10:00")}, {"received_at": at("10:01")}),
        ({}, {"zone": "Z"}),
        ({"zone": None}, {"zone": "A"}),
        ({"app_version": "1.10"}, {"app_version": "1.9"}),
        ({"app_version": None}, {"app_version": "1.9"}),
        ({"os_name": "android"}, {"os_name": "iOS"}),
        ({"os_name": None}, {"os_name": "iOS"}),
    ],
)
def test_of_events_of_the_same_instant_the_first_by_name_and_content_counts(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    [event] = told("10:00 dialogue")
    events = [event._replace(**first), event._replace(**second)]
    for order in (events, events[::-1]):
        [row] = sessions(order)
        assert (row["zone"], row["app_version"], row["os_name"]) == events[0][5:]
        assert row["num_events"] == 2


def test_rides_of_the_users_other_sessions_of_the_day_count_in_order_of_start_and_device() -> None:
    events = [
        *told("-1 23:00 started", "08:00 started", "08:01 started", "12:00 opened"),
        *told("08:00 started", "09:00 started", device="tablet"),
        *told("07:00 started", who="bob"),
    ]
    found = [(row["device_id"], row["started_at"].hour, row["num_rides_before_on_day"]) for row in sessions(events)]
    assert found == [("phone", 8, 0), ("phone", 12, 4), ("tablet", 8, 2), ("tablet", 9, 3), ("phone", 7, 0)]


@pytest.mark.parametrize(
    ("newest", "is_open"), [("10:14:59.999999", True), ("10:15", False), ("10:15:00.000001", False)]
)
def test_a_session_is_open_until_the_gap_has_passed_for_any_user(newest: str, is_open: bool) -> None:
    events = [*told("10:00 opened"), *told(f"{newest} opened", who="bob")]
    assert sessions(events)[0]["is_open"] is is_open


def test_a_session_near_midnight_is_settled_by_the_next_day_alone() -> None:
    events = [*told("23:50 opened"), *told("+1 00:04:59 opened", who="bob")]
    assert sessions(events)[0]["is_open"]
    assert not sessions([*events, *told("+1 00:05 opened", who="bob")])[0]["is_open"]


def test_the_id_is_a_uuid_of_user_device_and_first_instant() -> None:
    microseconds = int(at("10:00").timestamp()) * 1_000_000 + 1
    name = f"ann\x1fphone\x1f{microseconds}"
    assert settled_one("10:00:00.000001 opened")["session_id"] == str(uuid.uuid5(uuid.NAMESPACE_OID, name))


@pytest.mark.parametrize("step", STEPS)
def test_the_plain_reading_is_any_of_the_steps_that_the_rules_name(step: str) -> None:
    assert settled_one(f"10:00 {step}")["plain_booked"] is (step in HOUSE.plain_booked)


def test_a_day_without_events_has_no_sessions() -> None:
    assert sessions(told("10:00 opened"), TODAY + DAY) == []
    assert sessions([]) == []


def test_users_whose_hashes_are_the_same_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [
        *told("10:00 opened", "10:01 started", "10:05 done"),
        *told("10:00:30 opened", "10:02 started", who="bob"),
        *told("10:00:10 opened", "10:02 rated", device="tablet"),
        *told("09:59 looked", "10:20 looked", who="phone", device="ann"),
    ]
    apart, genuine = sessions(events), pl.Expr.hash
    first_hash = (1, 2)

    def hash_of(column: pl.Expr, seed: int) -> pl.Expr:
        return genuine(column, seed) * (seed not in first_hash)

    monkeypatch.setattr(pl.Expr, "hash", hash_of)
    assert sessions(events) == apart
    assert len({row["anonymous_id"] for row in apart}) == 3


def test_the_tally_of_a_day_names_the_files_of_the_events_in_its_sessions() -> None:
    events = told(
        "-1 23:59:00 opened", "00:01 looked", "10:00 opened", "23:59 opened", "+1 00:01 looked", "+1 09:00 opened"
    )
    outcome = sessions_of(TODAY, days_of(events, HOUSE), "UTC")
    assert outcome.tally["num_used"].sum() == 3
    assert in_order(outcome.rows.to_dicts())[-1]["num_events"] == 2


def test_of_events_at_one_instant_one_that_is_a_step_decides() -> None:
    """Which comes first of the two, no time tells; a rating of no ride that is known has no other verdict."""
    row = settled_one("10:00 dialogue", "10:00 rated")
    assert (row["verdict"], row["decided_by"]) == ("no_intent", "rated")
