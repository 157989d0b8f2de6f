"""What the assets of the sessions product are made of, out of the lake and the books."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

import psutil

from data_platform.contracts import mobile_events
from data_platform.contracts.outcome import Outcome
from data_platform.defs.sessions.landing import files_by_day
from data_platform.errors import PermanentError
from data_platform.intake import Spool
from data_platform.lake import frames
from data_platform.publish import reading
from data_platform.publish.arrivals import deliveries
from data_platform.publish.reading import Publication
from data_platform.sessions import events
from data_platform.sessions.days import Days
from data_platform.sessions.rules import Rules
from data_platform.stack import Stack

_KIND = "mobile_events"
_BYTES_AN_EVENT = 600  # at the most, while a day is united, checked, hashed and written; measured


class DayTooLarge(PermanentError):
    """A day has more events than fit into memory while they are published; nothing of it was changed."""


def events_of_days(stack: Stack, days: Sequence[date], code_version: str | None) -> Callable[[date], Outcome]:
    """Reads the files that some days still need, each once, and puts their events aside until a day's turn comes.

    A day that this very code has published already holds the events of the files that it was made of, so only the
    others are read: uniting is the same in any order and any number of steps.
    """
    of_days = files_by_day(stack)
    wanted = {day: of_days.get(day, {}) for day in days}
    known = {
        version.day: version
        for version in reading.publications(stack.warehouse, mobile_events.CONTRACT, days)
        if version.day and _can_be_built_on(stack, version, code_version, wanted[version.day])
    }
    missing: dict[str, set[date]] = {}
    for day, files in wanted.items():
        for evidence_id in files.keys() - (known[day].evidence if day in known else frozenset()):
            missing.setdefault(evidence_id, set()).add(day)
    spool = Spool[date]("day")
    # Of a content that was delivered on several days the last delivery judges what is in the future.
    delivered = {delivery.evidence_id: delivery for delivery in deliveries(stack.warehouse, stack.lake, _KIND)}
    events.put_aside({name: (delivered[name], frozenset(of)) for name, of in missing.items()}, spool)

    def of_day(day: date) -> Outcome:
        own = known.get(day)
        prove_fits(day, (own.num_rows if own else 0) + spool.num_rows(day), psutil.virtual_memory().available)
        place = own.stored if own else None
        published = [frames.scan(stack.lake, [place.object_key]).collect()] if place else []
        outcome = events.united(day, [*published, *spool.take(day)], wanted[day])
        if place and outcome.rows.equals(published[0]):
            return replace(outcome, stored={day: place})
        return outcome

    return of_day


def prove_fits(day: date, num_events: int, free_bytes: int) -> None:
    """Raises if a day's events do not fit into memory.

    Raises:
        DayTooLarge: The sentence says how much they need and how much there is.
    """
    needed = num_events * _BYTES_AN_EVENT
    if needed > free_bytes:
        raise DayTooLarge(
            f"{day} has {num_events:,} delivered events, which take about {needed / 2**30:.1f} GiB of memory while they"
            f" are published, and {free_bytes / 2**30:.1f} GiB are free; the files are kept and other days are"
            " published, so run this day where there is more."
        )


def known_days(stack: Stack, rules: Rules) -> Days:
    """The days of events that are published now."""
    published = [v for v in reading.publications(stack.warehouse, mobile_events.CONTRACT) if v.day and v.object_key]
    keys = {version.day: str(version.object_key) for version in published}
    num_events = {version.day: version.num_rows for version in published if version.day}
    return Days(num_events, lambda day: frames.scan(stack.lake, [keys[day]]), rules)


def _can_be_built_on(stack: Stack, version: Publication, code_version: str | None, wanted: dict[str, int]) -> bool:
    place = version.stored
    return (
        version.code_version == code_version
        and version.evidence <= wanted.keys()
        and place is not None
        and stack.lake.size(place.object_key) == place.num_bytes
    )
