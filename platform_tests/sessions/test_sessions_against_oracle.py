"""Random users and deliveries: whatever the files, their order and the day asked for, what happened is the same."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_platform.contracts.delivered_events import DeliveredEvents
from data_platform.contracts.mobile_events import MobileEvents
from data_platform.contracts.outcome import Outcome
from data_platform.contracts.rejects import Rejects
from data_platform.contracts.sessions import Sessions
from data_platform.contracts.tallies import Tallies
from data_platform.sessions import events as product
from data_platform.sessions.sessionise import sessions_of
from platform_tests.oracles import sessions as oracle
from platform_tests.oracles.sessions import DAY, Row
from platform_tests.sessions.files import Delivery, deliveries
from platform_tests.sessions.world import World, days_of, found_on, in_order, meaning, worlds

CHOICES = st.integers(0, 2**64).map(random.Random)
OF_OTHERS = "num_rides_before_on_day"
"""The column that tells of the user's other sessions too, and may change with them."""


def expected(world: World) -> list[Row]:
    return in_order(oracle.sessions(world.events, meaning(world.rules), world.zone))


def outcomes(world: World) -> dict[date, Outcome]:
    days = days_of(world.events, world.rules)
    return {day: sessions_of(day, days, world.zone) for day in world.days}


def rows_of(found: dict[date, Outcome]) -> list[Row]:
    return in_order(row for outcome in found.values() for row in outcome.rows.to_dicts())


def num_of_day(delivery: Delivery) -> Counter[date]:
    """The events of each day that a file tells of, repetitions included."""
    return Counter(event.day for event in oracle.read(delivery.told)[0].values())


def united(day: date, delivered: Sequence[Delivery], frames: Sequence[pl.DataFrame]) -> Outcome:
    counts = {delivery.file.evidence_id: num_of_day(delivery)[day] for delivery in delivered}
    return product.united(day, frames, {file: num for file, num in counts.items() if num})


def by_day(delivered: Sequence[Delivery]) -> dict[date, list[pl.DataFrame]]:
    """The events of files as they are read, by day."""
    found: dict[date, list[pl.DataFrame]] = {}
    for delivery in delivered:
        for batch in product.read(delivery.file):
            for rows in batch.events.partition_by("day"):
                found.setdefault(rows.item(0, "day"), []).append(rows)
    return found


def from_scratch(delivered: Sequence[Delivery]) -> dict[date, Outcome]:
    frames = by_day(delivered)
    days = sorted({day for delivery in delivered for day in num_of_day(delivery)})
    return {day: united(day, delivered, frames[day]) for day in days}


def prove_files_are_accounted_for(delivered: Sequence[Delivery]) -> None:
    found = product.delivered([delivery.file for delivery in delivered])
    assert DeliveredEvents.is_valid(found.rows)
    assert Rejects.is_valid(found.rejects)
    assert Tallies.is_valid(found.tally)
    for delivery in delivered:
        file, mine = delivery.file, pl.col("evidence_id") == delivery.file.evidence_id
        events, rejects = oracle.read(delivery.told)
        assert dict(found.rejects.filter(mine).select("record_no", "reason").iter_rows()) == rejects
        assert dict(found.rows.filter(mine).select("event_day", "num_events").iter_rows()) == num_of_day(delivery)
        account = (file.day, file.evidence_id, len(delivery.records), len(events), len(rejects), 0)
        assert found.tally.filter(mine).rows() == [account]


def prove_events(delivered: Sequence[Delivery], found: dict[date, Outcome]) -> None:
    wanted = sorted(oracle.mobile_events(of.told for of in delivered).items(), key=lambda of: of[0].order)
    for day, outcome in found.items():
        assert outcome.rows.rows() == [(day, *event, *place) for event, place in wanted if event.day == day]
        assert MobileEvents.is_valid(outcome.rows)
    assert {event.day for event, _ in wanted} == found.keys()


def prove_days_are_accounted_for(delivered: Sequence[Delivery], found: dict[date, Outcome]) -> None:
    for day, outcome in found.items():
        used = Counter(outcome.rows["evidence_id"].to_list())
        counts = {of.file.evidence_id: num_of_day(of)[day] for of in delivered if num_of_day(of)[day]}
        account = [(day, file, num, used[file], 0, num - used[file]) for file, num in sorted(counts.items())]
        assert outcome.tally.rows() == account


def prove_nothing_hangs_on_what_came_when(
    delivered: Sequence[Delivery], whole: dict[date, Outcome], choice: random.Random
) -> None:
    come = choice.sample(delivered, len(delivered))
    cut = choice.randint(0, len(come))
    before, new = from_scratch(come[:cut]), by_day(come[cut:])
    for day, outcome in whole.items():
        known = [before[day].rows] if day in before else []
        frames = [*known, *new.get(day, [])]
        again = united(day, come, choice.sample(frames, len(frames)))
        assert again.rows.equals(outcome.rows)
        assert again.tally.equals(outcome.tally)


def prove_like_the_oracle(world: World, found: dict[date, Outcome]) -> None:
    assert rows_of(found) == expected(world)


def prove_any_order_of_days(world: World, found: dict[date, Outcome], choice: random.Random) -> None:
    shared = days_of(world.events, world.rules)
    for day in choice.sample(world.days, len(world.days)) + choice.choices(world.days, k=2):
        assert found_on(day, shared, world.zone) == in_order(found[day].rows.to_dicts())
    for day in choice.choices(world.days, k=2):
        fresh = days_of(world.events, world.rules)
        assert found_on(day, fresh, world.zone) == in_order(found[day].rows.to_dicts())


def prove_each_event_is_in_one_session(world: World, found: dict[date, Outcome]) -> None:
    assert sum(row["num_events"] for row in rows_of(found)) == len(world.events)
    days = days_of(world.events, world.rules)
    of_file = Counter[str]()
    for day, num in days.num_events.items():
        of_file.update(days.num_by_file(day))
        assert sum(days.num_by_file(day).values()) == num
    tallied = Counter[str]()
    for day, outcome in found.items():
        assert Tallies.is_valid(outcome.tally)
        assert outcome.tally["num_used"].sum() == outcome.rows["num_events"].sum()
        assert set(outcome.tally["day"]) <= {day}
        tallied.update(dict(outcome.tally.select("evidence_id", "num_used").iter_rows()))
    assert tallied == of_file


def prove_contract(found: dict[date, Outcome]) -> None:
    rows = pl.concat(outcome.rows for outcome in found.values())
    _, failed = Sessions.filter(rows)
    assert not failed.counts()
    assert rows["session_id"].is_unique().all()
    for day, outcome in found.items():
        assert outcome.rows["day"].eq(day).all()


def known_at(world: World, instant: int) -> World:
    """What is known when the first so many instants have passed."""
    instants = sorted({event.created_at for event in world.events})
    until = instants[instant % len(instants)]
    return World(world.rules, world.zone, frozenset(event for event in world.events if event.created_at <= until))


def prove_what_is_settled_stays(world: World, found: dict[date, Outcome], instant: int) -> None:
    settled = [row for row in rows_of(outcomes(known_at(world, instant))) if not row["is_open"]]
    later = {row["session_id"]: row for row in rows_of(found)}
    for row in settled:
        assert later[row["session_id"]] | {OF_OTHERS: 0} == row | {OF_OTHERS: 0}


def prove_what_is_not_near_stays(world: World, found: dict[date, Outcome], instant: int) -> None:
    """A day of events is of no concern to sessions that end more than a day before it, once they are settled."""
    events = sorted(world.events, key=lambda event: event.order)
    late = events[instant % len(events)]
    before = World(world.rules, world.zone, world.events - {late})
    if not before.events:
        return
    then, now = rows_of(outcomes(before)), rows_of(found)
    for day in before.days:
        reach = max((row["ended_on"] for row in then if row["day"] == day), default=day) + DAY
        is_passed = any(event.day > reach for event in before.events)
        if not day - DAY <= late.day <= reach and (is_passed or late.day < day):
            assert [row for row in now if row["day"] == day] == [row for row in then if row["day"] == day]


@st.composite
def deliveries_of_worlds(draw: st.DrawFn) -> list[Delivery]:
    return deliveries(draw(worlds()).events, draw(CHOICES))


@settings(max_examples=60)
@given(deliveries_of_worlds())
def test_every_record_of_a_file_is_an_event_or_a_reject_as_the_oracle_says(delivered: list[Delivery]) -> None:
    prove_files_are_accounted_for(delivered)


@settings(max_examples=60)
@given(deliveries_of_worlds())
def test_a_day_has_each_event_once_from_whatever_files(delivered: list[Delivery]) -> None:
    found = from_scratch(delivered)
    prove_events(delivered, found)
    prove_days_are_accounted_for(delivered, found)


@settings(max_examples=60)
@given(deliveries_of_worlds(), CHOICES)
def test_a_day_re_made_from_new_files_is_that_of_a_full_rebuild(
    delivered: list[Delivery], choice: random.Random
) -> None:
    prove_nothing_hangs_on_what_came_when(delivered, from_scratch(delivered), choice)


@settings(max_examples=100)
@given(worlds())
def test_every_session_is_that_of_the_oracle(world: World) -> None:
    prove_like_the_oracle(world, outcomes(world))


@settings(max_examples=40)
@given(worlds(), CHOICES)
def test_days_in_any_order_with_what_was_read_before_are_the_same(world: World, choice: random.Random) -> None:
    prove_any_order_of_days(world, outcomes(world), choice)


@settings(max_examples=40)
@given(worlds())
def test_each_event_is_in_one_session_and_each_files_events_add_up(world: World) -> None:
    prove_each_event_is_in_one_session(world, outcomes(world))


@settings(max_examples=40)
@given(worlds())
def test_every_session_keeps_its_contract(world: World) -> None:
    prove_contract(outcomes(world))


@settings(max_examples=40)
@given(worlds(), st.integers(0, 100))
def test_no_later_event_changes_a_session_that_is_settled(world: World, instant: int) -> None:
    prove_what_is_settled_stays(world, outcomes(world), instant)


@settings(max_examples=40)
@given(worlds(), st.integers(0, 100))
def test_a_late_event_changes_no_day_that_is_not_near(world: World, instant: int) -> None:
    prove_what_is_not_near_stays(world, outcomes(world), instant)


@pytest.mark.soak
@settings(max_examples=10_000)
@given(worlds(), CHOICES)
def test_ten_thousand_schedules_keep_all_promises(world: World, choice: random.Random) -> None:
    delivered = deliveries(world.events, choice)
    events = from_scratch(delivered)
    prove_files_are_accounted_for(delivered)
    prove_events(delivered, events)
    prove_days_are_accounted_for(delivered, events)
    prove_nothing_hangs_on_what_came_when(delivered, events, choice)
    found = outcomes(world)
    prove_like_the_oracle(world, found)
    prove_any_order_of_days(world, found, choice)
    prove_each_event_is_in_one_session(world, found)
    prove_contract(found)
    prove_what_is_settled_stays(world, found, choice.randrange(100))
    prove_what_is_not_near_stays(world, found, choice.randrange(100))
