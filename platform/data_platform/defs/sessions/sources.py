"""What the assets of the sessions product are made of, out of the lake and the books."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date

import polars as pl
import psutil

from data_platform import intake
from data_platform.contracts import mobile_events
from data_platform.contracts.delivered_file import DeliveredFile
from data_platform.contracts.outcome import Outcome
from data_platform.defs.describe import digest_of
from data_platform.defs.sessions.landing import files_by_day
from data_platform.errors import PermanentError
from data_platform.lake import frames, readings
from data_platform.publish import reading
from data_platform.publish.arrivals import deliveries
from data_platform.publish.reading import Publication
from data_platform.sessions import events
from data_platform.sessions.days import Days
from data_platform.sessions.events import EventBatch
from data_platform.sessions.rules import Rules
from data_platform.stack import Stack

_KIND = "mobile_events"
_READ_BY = digest_of([mobile_events, events, intake])
_BYTES_AN_EVENT = 600  # at the most, while a day is united, checked, hashed and written; measured


class DayTooLarge(PermanentError):
    """A day has more events than fit into memory while they are published; nothing of it was changed."""


def read_and_keep(stack: Stack) -> events.Reading:
    """Reads a delivered file, and keeps its events for a while: `mobile_events` needs what `delivered_events` read."""

    def read(file: DeliveredFile) -> Iterator[EventBatch]:
        kept = readings.Writer(stack.lake, _reading_of(file))
        for batch in events.read(file):
            kept.put(batch.events)
            yield batch
        kept.end()

    return read


def events_of_days(stack: Stack, days: Sequence[date], code_version: str | None) -> Callable[[date], Outcome]:
    """Reads the files that some days still need, those whose events are not at hand, each once.

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
    missing = {
        day: files.keys() - (known[day].evidence if day in known else frozenset()) for day, files in wanted.items()
    }
    # Of a content that was delivered on several days the last delivery judges what is in the future.
    delivered = {delivery.evidence_id: delivery for delivery in deliveries(stack.warehouse, stack.lake, _KIND)}
    kept = {name: _kept(stack, delivered[name]) for name in set[str]().union(*missing.values())}

    def of_day(day: date) -> Outcome:
        own = known.get(day)
        num_events = (own.num_rows if own else 0) + sum(wanted[day][name] for name in missing[day])
        prove_fits(day, num_events, psutil.virtual_memory().available)
        place = own.stored if own else None
        published = [frames.scan(stack.lake, [place.object_key]).collect()] if place else []
        files = [frames.scan(stack.lake, kept[name]) for name in missing[day] if kept[name]]
        new = [rows.filter(pl.col("day") == day).collect() for rows in files]
        outcome = events.united(day, [*published, *new], wanted[day])
        if place and outcome.rows.equals(published[0]):
            return replace(outcome, stored={day: place})
        return outcome

    return of_day


def _reading_of(file: DeliveredFile) -> str:
    return f"{_KIND}/{_READ_BY}/{file.evidence_id}/{file.day}"


def _kept(stack: Stack, file: DeliveredFile) -> list[str]:
    """The objects that hold the events of a file, which is read if there are none."""
    found = readings.find(stack.lake, _reading_of(file))
    if found is not None:
        return found
    kept = readings.Writer(stack.lake, _reading_of(file))
    for batch in events.read(file):
        kept.put(batch.events)
    return kept.end()


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
