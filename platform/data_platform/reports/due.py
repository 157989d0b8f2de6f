"""Which days of a report are due. What does not belong here: the clock, and what has been delivered (the caller)."""

from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from data_platform.reports.report_type import Schedule

CAUGHT_UP = timedelta(days=31)
"""An older day is delivered by hand: nobody waits for it any more."""


def due_at(schedule: Schedule, day: date, zone: str) -> datetime:
    """When the report of a day is due (UTC): at the schedule's time of the day after, in a zone."""
    return datetime.combine(day + timedelta(days=1), schedule.time, ZoneInfo(zone)).astimezone(UTC)


def days_due(schedule: Schedule, delivered: AbstractSet[date], now: datetime, zone: str) -> list[date]:
    """Days whose report is due and was not delivered, in order.

    Of a report that was never delivered, the last such day alone: it begins with the present. Later, also the days that
    an outage left out, up to a month back and not before the first that was delivered.

    Args:
        schedule: Of the report.
        delivered: Days that were.
        now: With a zone.
        zone: IANA name of the zone that decides what a day is.
    """
    now = now.astimezone(UTC)  # two times of one zone are compared by their faces, whatever the summer does
    today = now.astimezone(ZoneInfo(zone)).date()
    back = (today - timedelta(days=n) for n in range(1, CAUGHT_UP.days + 1))
    due = [day for day in back if day.isoweekday() in schedule.weekdays and due_at(schedule, day, zone) <= now]
    if not delivered:
        return due[:1]
    return sorted(day for day in due if day > min(delivered) and day not in delivered)


def tries(due: datetime, now: datetime) -> int:
    """How often a report that is due should have been tried by now: after 0, 1, 3, 7, 15 hours and so on."""
    hours = max(int((now.astimezone(UTC) - due) / timedelta(hours=1)), 0)
    return (hours + 1).bit_length()
