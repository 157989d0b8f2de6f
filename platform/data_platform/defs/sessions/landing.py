"""The landing prefix of mobile events, the sensor that watches it and brings events and sessions up to date."""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg

from data_platform import settings
from data_platform.contracts import delivered_events, mobile_events, sessions
from data_platform.contracts.days import FIRST_DAY
from data_platform.defs.asking import digest, for_days, for_stretch, is_going_on, receive
from data_platform.defs.resources import Storage
from data_platform.defs.trying_again import until_done
from data_platform.publish import reading
from data_platform.publish.arrivals import Arrivals
from data_platform.publish.currency import days_behind_arrivals
from data_platform.sessions.delivery import named_day
from data_platform.stack import Stack

_DAY = timedelta(days=1)
_DELIVERED, _EVENTS, _SESSIONS = map(dg.AssetKey, ("delivered_events", "mobile_events", "sessions"))

update_sessions = dg.define_asset_job(
    "update_sessions",
    selection=dg.AssetSelection.assets(_DELIVERED, _EVENTS, _SESSIONS),
    description="Reads delivered event files, and brings events and sessions of the days that they touch up to date.",
)


def event_arrivals(stack: Stack) -> Arrivals:
    """The landing prefix of mobile events in a running stack."""
    zone = stack.settings.business_timezone
    return Arrivals(stack.warehouse, stack.lake, stack.landing, "mobile_events", zone, FIRST_DAY, named_day)


@dg.sensor(job=update_sessions, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def event_files_sensor(context: dg.SensorEvaluationContext, storage: Storage) -> Iterator[dg.RunRequest]:
    """Keeps new files of mobile events as evidence, and asks for the days of events and sessions that they touch.

    First the files are looked at; what they hold decides which days of events to make, and these which sessions.
    """
    yield from until_done(context, _wanted(context, storage.open()))


def _wanted(context: dg.SensorEvaluationContext, stack: Stack) -> Iterator[dg.RunRequest]:
    arrivals = event_arrivals(stack)
    for landed in receive(context, arrivals):
        yield for_stretch(_DELIVERED, landed.day, landed.day, digest([landed.entry.key, landed.entry.version]))
    if is_going_on(context, update_sessions.name):
        return
    yield from for_days(_DELIVERED, days_behind_arrivals(stack.warehouse, delivered_events.CONTRACT, arrivals))
    yield from for_days(_EVENTS, _events_behind(stack))
    yield from for_days(_SESSIONS, _sessions_behind(stack))


def files_by_day(stack: Stack) -> dict[date, dict[str, int]]:
    """For each UTC day the files that hold events of it, by evidence, and how many."""
    query = (settings.sql_folder() / "sources" / "files_of_event_days.sql").read_text(encoding="utf-8")
    with stack.warehouse.transaction() as transaction:
        found = transaction.query(query)
    days: dict[date, dict[str, int]] = {}
    for day, evidence_id, num_events in found.iter_rows():
        days.setdefault(day, {})[evidence_id] = num_events
    return days


def _events_behind(stack: Stack) -> dict[date, frozenset[str]]:
    """Days whose events are made of other files than those that hold some of them."""
    wanted = {day: frozenset(files) for day, files in files_by_day(stack).items()}
    published = reading.publications(stack.warehouse, mobile_events.CONTRACT)
    made_of = {version.day: version.evidence for version in published if version.day}
    nothing: frozenset[str] = frozenset()
    return {
        day: wanted.get(day, nothing)
        for day in wanted.keys() | made_of.keys()
        if wanted.get(day, nothing) != made_of.get(day)
    }


def _sessions_behind(stack: Stack) -> dict[date, list[str]]:
    """Days whose sessions were made before the events of a day that they may reach into were last published."""
    events = {v.day: v for v in reading.publications(stack.warehouse, mobile_events.CONTRACT) if v.day}
    made = {v.day: v for v in reading.publications(stack.warehouse, sessions.CONTRACT) if v.day}
    query = (settings.sql_folder() / "sources" / "reach_of_session_days.sql").read_text(encoding="utf-8")
    with stack.warehouse.transaction() as transaction:
        reach: dict[date, date] = dict(transaction.query(query).iter_rows())
    behind: dict[date, list[str]] = {}
    for day in events:
        last = reach.get(day, day) + _DAY
        # What comes next after that says that nothing can come any more.
        following = min((other for other, version in events.items() if other > last and version.num_rows), default=last)
        near = [version for other, version in events.items() if day - _DAY <= other <= last or other == following]
        own = made.get(day)
        if own is None or any(version.published_at > own.confirmed_at for version in near):
            behind[day] = [f"{version.day} {version.content_hash}" for version in near]
    return behind
