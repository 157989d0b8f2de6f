"""Random schedules of an app whose every login is known: what is promised of each day holds for all of them."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_platform.contracts.daily_logins import DailyLogins
from data_platform.logins import daily
from data_platform.logins.daily import CounterFell, Sources
from data_platform.logins.days import days_to_know
from platform_tests.logins.conftest import sources_of
from platform_tests.logins.simulator import simulate
from platform_tests.logins.world import DAY, World, start_of
from platform_tests.oracles import daily_logins as oracle

Row = dict[str, Any]
Outcomes = dict[date, list[Row] | None]
"""The rows of each day, in order; nothing for a day that is refused."""

WORLDS = st.integers(0, 2**64).map(simulate)


def known_days(world: World) -> list[date]:
    days = days_to_know(set(world.snapshots), world.days_with_month_before)
    return [day for day in days if day >= world.begins.replace(day=1)]


def outcomes(world: World, days: list[date] | None = None) -> Outcomes:
    sources = sources_of(world)
    return {day: outcome(sources, day) for day in days or known_days(world)}


def outcome(sources: Sources, day: date) -> list[Row] | None:
    try:
        rows = daily.logins(day, sources).rows
    except CounterFell:
        return None
    return rows.sort("user_id", "device").to_dicts()


def expected(world: World, day: date) -> list[Row] | None:
    app = oracle.App(
        {**world.snapshots}, world.history, world.zone, world.tolerance, {*world.resets}, world.days_with_month_before,
        [told for of_day in world.told.values() for told in of_day],
    )  # fmt: skip
    try:
        return oracle.logins(day, app)
    except oracle.Fell:
        return None


def published(found: Outcomes) -> Iterator[tuple[date, Row]]:
    for day, rows in found.items():
        for row in rows or []:
            yield day, row


def true_number(world: World, row: Row) -> int:
    return world.truth[row["day"], row["user_id"], row["device"]]


def prove_truth_is_within(world: World, found: Outcomes) -> None:
    can_be_unknown = world.resets or world.fell
    for _, row in published(found):
        assert 0 <= row["low"] <= true_number(world, row), row
        assert row["high"] is not None or can_be_unknown, row
        assert row["high"] is None or true_number(world, row) <= row["high"], row


def prove_exact_where_seen(world: World, found: Outcomes) -> None:
    for day, row in published(found):
        if is_seen_whole(world, day, row):
            assert row["status"] == "exact", row
            assert row["num_logins"] == true_number(world, row), row


def is_seen_whole(world: World, day: date, row: Row) -> bool:
    key = (day.replace(day=1), row["user_id"], row["device"])
    ends = [day] if day.day == 1 else [day - DAY, day]
    if key in world.irregular or any(end not in world.snapshots or end in world.resets for end in ends):
        return False
    begin = world.snapshots[ends[0]]
    if day.day > 1 and begin.has_rejects and key not in begin.rows:
        return False
    return all(is_seen_at_midnight(world, end, key) for end in ends)


def is_seen_at_midnight(world: World, day: date, key: tuple[date, int, str]) -> bool:
    midnight, snapshot = start_of(day + DAY, world.zone), world.snapshots[day]
    if key not in snapshot.rows or snapshot.read_at == midnight:
        return True
    last = snapshot.rows[key][2]
    return last is not None and last < midnight


def prove_totals_of_gaps(world: World, found: Outcomes) -> None:
    """Between two snapshots read at midnight the total is exact, however long the time between."""
    by_key = {(day, row["user_id"], row["device"]): row for day, row in published(found)}
    for before, after in pairwise(sorted(world.snapshots)):
        is_sharp = all(world.snapshots[d].read_at == start_of(d + DAY, world.zone) for d in (before, after))
        month = after.replace(day=1)
        if not is_sharp or before < month or world.snapshots[before].has_rejects or after in world.resets:
            continue
        days = [before + number * DAY for number in range(1, (after - before).days + 1)]
        for key in world.snapshots[after].rows:
            if key[0] == month and key not in world.irregular and found[after] is not None:
                rows = [by_key[day, key[1], key[2]] for day in days]
                assert sum(row["num_logins"] for row in rows) == sum(true_number(world, row) for row in rows), key


def prove_conservation(world: World, found: Outcomes) -> None:
    counted: Counter[tuple[date, int, str]] = Counter()
    refused: set[date] = set()
    for day, rows in found.items():
        month = day.replace(day=1)
        if rows is None:
            refused.add(month)
        for row in rows or []:
            key = (month, row["user_id"], row["device"])
            counted[key] += row["num_logins"] + row["correction"]
            if day in world.snapshots and month not in refused:
                assert counted[key] + row["num_later"] == world.snapshots[day].rows[key][1], row


def prove_refusals(world: World, found: Outcomes) -> None:
    for day, rows in found.items():
        month = day.replace(day=1)
        later = min(taken for taken in world.snapshots if taken >= day and month in world.held(taken))
        assert (rows is None) == ((month, later) in world.fell), day


def prove_like_the_oracle(world: World, found: Outcomes) -> None:
    for day, rows in found.items():
        assert rows == expected(world, day)


def prove_contract(found: Outcomes) -> None:
    rows = [row for _, row in published(found)]
    assert DailyLogins.is_valid(pl.DataFrame(rows, schema=DailyLogins.create_empty().schema))


@settings(max_examples=20)
@given(WORLDS)
def test_the_true_number_lies_between_low_and_high(world: World) -> None:
    prove_truth_is_within(world, outcomes(world))


@settings(max_examples=15)
@given(WORLDS)
def test_a_day_whose_midnights_were_seen_is_exact(world: World) -> None:
    prove_exact_where_seen(world, outcomes(world))


@settings(max_examples=10)
@given(WORLDS)
def test_the_total_over_missing_days_is_exact(world: World) -> None:
    prove_totals_of_gaps(world, outcomes(world))


@settings(max_examples=20)
@given(WORLDS)
def test_days_and_corrections_add_up_to_the_counter(world: World) -> None:
    prove_conservation(world, outcomes(world))


@settings(max_examples=20)
@given(WORLDS)
def test_every_row_is_that_of_the_oracle(world: World) -> None:
    prove_like_the_oracle(world, outcomes(world))


@settings(max_examples=15)
@given(WORLDS)
def test_a_day_is_refused_when_counters_fell_without_a_word_and_only_then(world: World) -> None:
    prove_refusals(world, outcomes(world))


@settings(max_examples=10)
@given(WORLDS)
def test_every_row_keeps_its_contract(world: World) -> None:
    prove_contract(outcomes(world))


@settings(max_examples=8)
@given(WORLDS, st.randoms(use_true_random=False))
def test_days_in_any_order_from_rows_in_any_order_are_the_same(world: World, shuffle: random.Random) -> None:
    straight = outcomes(world)
    for day, snapshot in world.snapshots.items():
        rows = list(snapshot.rows.items())
        shuffle.shuffle(rows)
        world.snapshots[day] = snapshot._replace(rows=dict(rows))
    days = list(straight)
    shuffle.shuffle(days)
    assert outcomes(world, days) == straight


@pytest.mark.soak
@settings(max_examples=10_000)
@given(WORLDS)
def test_ten_thousand_schedules_keep_all_promises(world: World) -> None:
    found = outcomes(world)
    prove_truth_is_within(world, found)
    prove_exact_where_seen(world, found)
    prove_totals_of_gaps(world, found)
    prove_conservation(world, found)
    prove_refusals(world, found)
    prove_like_the_oracle(world, found)
    prove_contract(found)
