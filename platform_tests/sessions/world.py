"""Random users of an app, whose events come close to every border: gaps, midnights, longest rides, known time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

import polars as pl
from hypothesis import strategies as st

from data_platform.contracts.mobile_events import MobileEvents
from data_platform.contracts.steps import STEPS
from data_platform.sessions import rules as rules_file
from data_platform.sessions.days import Days
from data_platform.sessions.rules import Rules
from data_platform.sessions.sessionise import sessions_of
from platform_tests.oracles.sessions import DAY, Event, Meaning, Row, midnight

MICROSECOND, MILLISECOND = timedelta(microseconds=1), timedelta(milliseconds=1)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "Asia/Kolkata")
# Clocks change on the two in March and October; the others are the ends of a leap February and of a year.
BEGINNINGS = (date(2026, 3, 28), date(2026, 10, 24), date(2024, 2, 28), date(2025, 12, 30))
UNKNOWN = ("Vehicle Unlocked By Wire", "application opened", "Zzz")
FILES = tuple(letter * 64 for letter in "abc")


@dataclass(frozen=True)
class World:
    rules: Rules
    zone: str
    events: frozenset[Event]

    @property
    def days(self) -> list[date]:
        """The days with events, and one before and behind them."""
        with_events = {event.day for event in self.events}
        return sorted(with_events | {min(with_events) - DAY, max(with_events) + DAY})


class Move(NamedTuple):
    """From one event to the next: so much later, or so long from the next midnight on."""

    after: timedelta
    of_midnight: bool = False

    def __call__(self, at: datetime) -> datetime:
        return max(at, midnight(at.date() + DAY) + self.after) if self.of_midnight else at + self.after


def rules_of(gap: timedelta, longest_ride: timedelta, **changes: Any) -> Rules:
    """The rules of the house with another gap and longest ride."""
    known = rules_file.load().model_dump()
    times = {"gap_minutes": gap / timedelta(minutes=1), "longest_ride_hours": longest_ride / timedelta(hours=1)}
    return Rules.model_validate(known | times | changes)


def meaning(rules: Rules) -> Meaning:
    return Meaning(rules.gap, rules.longest_ride, rules.step_of, frozenset(rules.plain_booked), rules.version)


@st.composite
def all_rules(draw: st.DrawFn) -> Rules:
    gap = draw(
        st.sampled_from([timedelta(minutes=15), timedelta(hours=10), timedelta(minutes=15), timedelta(hours=12)])
    )
    longest = draw(st.sampled_from([timedelta(hours=12), timedelta(hours=24), timedelta(minutes=10)]))
    plain = draw(st.sampled_from([("started", "failed", "done", "rated"), ("done",), STEPS]))
    events = dict(rules_file.load().events) | {"started": ("Ride Started - Successful", "Ride Started - By Wire")}
    return rules_of(gap, longest, plain_booked=plain, events=events)


def moves(rules: Rules) -> list[Move]:
    gap, longest = rules.gap, rules.longest_ride
    edges = [timedelta(0), MICROSECOND, MILLISECOND, -MICROSECOND, -MILLISECOND]
    small = [timedelta(0), MICROSECOND, timedelta(milliseconds=1500), gap / 3, gap / 2, gap - MICROSECOND]
    near_gap = [gap + edge for edge in edges]
    near_longest = [longest + edge for edge in edges[:4]]
    near_midnight = [*edges, -gap, MICROSECOND - gap, gap - MICROSECOND, gap]
    large = [timedelta(hours=1), DAY - MICROSECOND, DAY, 2 * DAY]
    return [Move(by) for by in [*small * 3, *near_gap, *near_longest, *large]] + [
        Move(by, True) for by in near_midnight
    ]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    rules = draw(all_rules())
    begin = midnight(draw(st.sampled_from(BEGINNINGS)))
    lives = draw(st.lists(_lives(rules, begin), min_size=1, max_size=4))
    return World(rules, draw(st.sampled_from(ZONES)), frozenset(event for life in lives for event in life))


@st.composite
def _lives(draw: st.DrawFn, rules: Rules, begin: datetime) -> list[Event]:
    who, device = draw(st.sampled_from(["ann", "bob"])), draw(st.sampled_from(["phone", "tablet"]))
    at = begin + draw(st.sampled_from([timedelta(hours=12), timedelta(0), timedelta(hours=23, minutes=55)]))
    ride = [name for step in ("started", "done", "rated") for name in rules.events[step]]
    names = st.sampled_from([*ride * 4, *sorted(rules.step_of), *UNKNOWN])
    events: list[Event] = []
    for move, name in draw(st.lists(st.tuples(st.sampled_from(moves(rules)), names), min_size=1, max_size=12)):
        at = move(at)
        events.append(draw(_events(at, who, device, name)))
    return events


@st.composite
def _events(draw: st.DrawFn, at: datetime, who: str, device: str, name: str) -> Event:
    late = draw(st.sampled_from([None, timedelta(0), timedelta(seconds=2), timedelta(days=1500)]))
    zone, version, system = draw(
        st.sampled_from(
            [("Berlin", "1.9.0", "iOS"), (None, None, None), ("Bonn", "1.10.0", "android"), (None, "2", None)]
        )
    )
    return Event(at, who, device, name, None if late is None else at + late, zone, version, system)


def frame(events: Iterable[Event]) -> pl.DataFrame:
    """Columns of `MobileEvents`, in their order, each event with the file that its own content gives it."""
    rows = [
        (event.day, *event, FILES[event.created_at.microsecond % len(FILES)], number)
        for number, event in enumerate(sorted(events, key=lambda event: event.order), start=1)
    ]
    return pl.DataFrame(rows, schema=MobileEvents.create_empty().schema, orient="row")


def days_of(events: Iterable[Event], rules: Rules) -> Days:
    """The days of events as they lie published, some without any event; whoever reads another day fails."""
    by_day: dict[date, list[Event]] = {}
    for event in events:
        by_day.setdefault(event.day, []).append(event)
    frames = {day: frame(of_day) for day, of_day in by_day.items()}
    empty = {day + DAY * by: 0 for day in frames for by in (-1, 1, 2) if (day + DAY * by).toordinal() % 2}
    return Days(empty | {day: rows.height for day, rows in frames.items()}, lambda day: frames[day].lazy(), rules)


def found_on(day: date, days: Days, zone: str) -> list[Row]:
    """The product's sessions of a day."""
    return in_order(sessions_of(day, days, zone).rows.to_dicts())


def in_order(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["anonymous_id"], row["device_id"], row["started_at"]))


def happened(*told: str, who: str = "ann", device: str = "phone", day: date = date(2026, 6, 10)) -> list[Event]:
    """Events by hand, such as `10:00 Rating Screen`, or `+1 00:10:00.5 Out-Of-Zone` on the day after."""
    events: list[Event] = []
    for text in told:
        later, rest = (int(text[:2]), text[3:]) if text.startswith(("+", "-")) else (0, text)
        clock, name = rest.split(" ", 1)
        at = datetime.combine(day + later * DAY, time.fromisoformat(clock), UTC)
        events.append(Event(at, who, device, name, None, "Berlin", "1.9.0", "iOS"))
    return events
