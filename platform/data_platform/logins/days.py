"""Days and months of a time zone, and which snapshots a day is made of.

What does not belong here: what a snapshot holds.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from data_platform.errors import PermanentError, TransientError

DAY = timedelta(days=1)
_CLOCKS_DIFFER = timedelta(minutes=5)


class NoSnapshot(PermanentError):
    """A day cannot be known: no snapshot holds its end, nor will one."""


class SnapshotMissed(PermanentError):
    """A day's end has passed without a snapshot; it cannot be made up."""


class NotYet(TransientError):
    """A day has not ended, or a clock says so that cannot be right."""


def start_of(day: date, zone: str) -> datetime:
    """The instant (UTC) at which a day begins in a zone: the first that bears its date, where clocks change then."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def ended_day(instant: datetime, zone: str) -> date:
    """The last day that had ended in a zone at an instant."""
    return instant.astimezone(ZoneInfo(zone)).date() - DAY


def month_of(day: date) -> date:
    """The first day of a day's month."""
    return day.replace(day=1)


def month_before(day: date) -> date:
    """The first day of the month before a day's."""
    return month_of(month_of(day) - DAY)


def days_between(first: date, last: date) -> list[date]:
    """The days from one to another, both included."""
    return [first + number * DAY for number in range((last - first).days + 1)]


def months_read(day: date, days_with_month_before: int) -> list[date]:
    """The months whose counters the snapshot of a day holds, by their first days, in order.

    The day's own and, on its last day, the new one; on the first days of a month the one before too.
    """
    own, at_reading = month_of(day), month_of(day + DAY)
    before = [month_before(day)] if day.day <= days_with_month_before else []
    return sorted({*before, own, at_reading})


@dataclass(frozen=True)
class Needs:
    """The snapshots that a day's numbers are made of.

    Attributes:
        later: The first snapshot at or after the day's end that holds the day's month.
        earlier: The last one of the month before that; None where it is the month's start, when all counters were 0.
        earliest: The one before `earlier`, where `earlier` was read at the day's own beginning: it says what of the
            minutes between midnight and reading belongs to the day. None where none is needed, or the month's start.
        months_earlier: All of the month before `earlier`: a row that is new now may have been there.
    """

    day: date
    later: date
    earlier: date | None
    earliest: date | None
    months_earlier: tuple[date, ...]

    @property
    def begins_with_a_snapshot(self) -> bool:
        """Whether a snapshot was read at the day's beginning."""
        return self.earlier == self.day - DAY

    @property
    def ends_with_a_snapshot(self) -> bool:
        """Whether one was read at the day's end."""
        return self.later == self.day

    @property
    def is_seen_whole(self) -> bool:
        """Whether both of the day's midnights were seen; a month's start needs no snapshot."""
        return self.ends_with_a_snapshot and (self.begins_with_a_snapshot or self.day.day == 1)

    @property
    def books_the_rest(self) -> bool:
        """Whether the day is the last between its two snapshots, or the last of its month."""
        return self.ends_with_a_snapshot or month_of(self.day + DAY) != month_of(self.day)

    @property
    def event_days(self) -> list[date]:
        """Days whose events may tell which of the logins between two snapshots fell on which day."""
        return days_between(month_of(self.day), self.later + DAY)

    @property
    def days(self) -> frozenset[date]:
        """Days of the snapshots whose content decides the numbers."""
        return frozenset(day for day in (self.later, self.earlier, self.earliest) if day)


def needs(day: date, taken: Collection[date], days_with_month_before: int) -> Needs:
    """Which of the snapshots that were taken a day is made of.

    Raises:
        NoSnapshot: None was read after the day that holds the day's month.
    """
    month = month_of(day)
    later = [t for t in taken if t >= day and month in months_read(t, days_with_month_before)]
    if not later:
        raise NoSnapshot(
            f"The logins of {day} cannot be known: no snapshot of the counters of {month:%Y-%m} was read after it;"
            " the next one makes the day bounded, unless it comes after the first days of the next month."
        )
    before = sorted(t for t in taken if month <= t < day)
    earlier = before[-1] if before else None
    earliest = before[-2] if earlier == day - DAY and len(before) > 1 else None
    return Needs(day, min(later), earlier, earliest, tuple(before[:-1]))


def days_to_know(taken: Collection[date], days_with_month_before: int) -> list[date]:
    """Every day of which something can be known from the snapshots that were taken, in order."""
    found: set[date] = set()
    for last in taken:
        for month in months_read(last, days_with_month_before):
            day = month
            while day <= last and month_of(day) == month:
                found.add(day)
                day += DAY
    return sorted(found)


def prove_due(day: date, read_at: datetime, now: datetime, last_taken: date | None, zone: str) -> None:
    """Raises unless a snapshot that is read now is the one of a day's end.

    Args:
        day: The day to be snapshotted.
        read_at: Now by the foreign database's clock, which decides.
        now: Now by the platform's clock.
        last_taken: The last day that has a snapshot.
        zone: IANA name of the zone that decides the day.

    Raises:
        SnapshotMissed: The next day has ended too.
        NotYet: The day has not ended, or the two clocks disagree, or the database's runs backwards.
    """
    due = ended_day(read_at, zone)
    if abs(read_at - now) > _CLOCKS_DIFFER:
        raise NotYet(
            f"The clock of the app's database says {read_at:%Y-%m-%d %H:%M:%S} UTC, the platform's"
            f" {now:%Y-%m-%d %H:%M:%S} UTC; nothing was read, set the wrong one right."
        )
    if last_taken and last_taken > due:
        raise NotYet(
            f"The clock of the app's database says {read_at:%Y-%m-%d %H:%M:%S} UTC, but the snapshot of {last_taken} is"
            " taken already; nothing was read, set the clock right."
        )
    if day > due:
        raise NotYet(
            f"{day} has not ended in {zone} by the clock of the app's database ({read_at:%Y-%m-%d %H:%M:%S} UTC);"
            " nothing was read, run it after midnight."
        )
    if day < due:
        raise missed(day)


def missed(day: date) -> SnapshotMissed:
    """What to say of a day whose end was not read."""
    return SnapshotMissed(
        f"There is no snapshot of {day} and none can be made up, because the counters have moved on; daily_logins takes"
        " the total from the next snapshot and says how sure each day's share of it is, so nothing needs mending."
    )
