"""An app whose logins are known one by one: every counter is a list of events, played up to the moment of reading."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)

Counted = tuple[str, int, datetime | None]
Key = tuple[date, int, str]


class Snapshot(NamedTuple):
    read_at: datetime
    has_rejects: bool
    rows: dict[Key, Counted]
    """User type, counter and last login, by month, user and device."""


@dataclass
class World:
    zone: str
    tolerance: int
    days_with_month_before: int
    begins: date = date.min
    """Before the month of that day there is nothing."""
    snapshots: dict[date, Snapshot] = field(default_factory=dict)
    history: dict[tuple[date, int, str], int] = field(default_factory=dict)
    resets: dict[date, str] = field(default_factory=dict)
    truth: Counter[tuple[date, int, str]] = field(default_factory=Counter)
    told: dict[date, list[tuple[int, str, datetime]]] = field(default_factory=dict)
    """What a queue told of the same logins, by the days that are published: user, device and instant."""
    irregular: set[Key] = field(default_factory=set)
    """Rows of which something else is known than that users logged in."""
    fell: set[tuple[date, date]] = field(default_factory=set)
    """Month, and day of the snapshot, whose counters fell without anybody having declared it."""

    def held(self, day: date) -> set[date]:
        """Months whose counters a snapshot holds."""
        months = {day.replace(day=1), (day + DAY).replace(day=1)}
        if day.day <= self.days_with_month_before:
            months.add((day.replace(day=1) - DAY).replace(day=1))
        return months


@dataclass(frozen=True)
class Event:
    at: datetime
    what: str
    stamp: datetime | None = None
    to: float = 0


@dataclass
class Row:
    """A counter's life."""

    key: Key
    user_type: str
    events: list[Event]

    def at(self, instant: datetime) -> Counted | None:
        """What a reader sees; nothing where there is no such row."""
        is_there: bool | None = None  # not yet
        counter, last, user_type = 0, None, self.user_type
        for event in sorted(self.events, key=lambda event: event.at):
            if event.at >= instant:
                break
            match event.what:
                case "create":
                    is_there, last = True, event.stamp
                case "login":
                    # A hidden row goes on counting.
                    is_there, counter, last = is_there is not False, counter + 1, event.stamp
                case "correct":
                    counter = max(0, counter - int(event.to))
                case "set":
                    counter = int(counter * event.to)
                case "hide":
                    is_there = False
                case "show":
                    is_there = True
                case "show anew":
                    is_there, counter, last = True, 0, event.stamp
                case _:
                    user_type = event.what
        return (user_type, counter, last) if is_there else None


def start_of(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
