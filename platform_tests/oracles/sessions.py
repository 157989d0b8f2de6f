"""Mobile events and sessions, slow and obvious: one user at a time, from all that was ever delivered."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
FIRST_DAY = date(2020, 1, 1)
FUNNEL = ("done", "started", "booked", "found", "looked", "opened")

Record = Mapping[str, str | None]
"""Text by the name of its column in a file."""

Row = dict[str, Any]


class Event(NamedTuple):
    """Something that happened: two of them that are equal are the same."""

    created_at: datetime
    anonymous_id: str
    device_id: str
    event_name: str
    received_at: datetime | None
    zone: str | None
    app_version: str | None
    os_name: str | None

    @property
    def day(self) -> date:
        return self.created_at.date()

    @property
    def order(self) -> tuple[datetime, list[tuple[bool, Any]]]:
        """By time, then by the other columns, what is unknown first."""
        return self.created_at, [(value is not None, value) for value in self[1:]]


class File(NamedTuple):
    """A delivered file, taken apart."""

    evidence_id: str
    day: date
    records: list[Record]


@dataclass(frozen=True)
class Meaning:
    """What the rules say."""

    gap: timedelta
    longest_ride: timedelta
    step_of: Mapping[str, str]
    """From the name of an event to its step; `other` for what is known and no step."""
    plain_booked: frozenset[str]
    version: str

    def step(self, event: Event) -> str | None:
        step = self.step_of.get(event.event_name)
        return None if step == "other" else step


def read(file: File) -> tuple[dict[int, Event], dict[int, str]]:
    """The events of a file and the reasons of its rejects, by the number of the record."""
    found = {number: event_of(record, file.day) for number, record in enumerate(file.records, start=1)}
    events = {number: event for number, event in found.items() if isinstance(event, Event)}
    return events, {number: reason for number, reason in found.items() if isinstance(reason, str)}


def event_of(record: Record, delivered_on: date) -> Event | str:
    """The event, or the reason why there is none."""
    text = {name: (value or "").strip() or None for name, value in record.items()}
    who, device, name = text["anonymous_id"], text["context_device_id"], text["event_name"]
    if who is None or device is None:
        return "blank_id"
    if name is None:
        return "blank_event_name"
    created_at, received_at = instant(text["created_at"]), instant(text["received_at"])
    if created_at is None or (text["received_at"] is not None and received_at is None):
        return "unparsable_time"
    if created_at.date() > delivered_on + DAY:
        return "in_the_future"
    if created_at.date() < FIRST_DAY:
        return "before_first_day"
    place = (text["business_zoned"], text["context_app_version"], text["context_os_name"])
    return Event(created_at, who.lower(), device.lower(), name, received_at, *place)


def instant(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def mobile_events(files: Iterable[File]) -> dict[Event, tuple[str, int]]:
    """Each event once, with file and number of the first record that tells of it."""
    places: dict[Event, list[tuple[str, int]]] = {}
    for file in files:
        for number, event in read(file)[0].items():
            places.setdefault(event, []).append((file.evidence_id, number))
    return {event: min(found) for event, found in places.items()}


class Ride(NamedTuple):
    start: datetime
    done: datetime | None
    rated: datetime | None

    @property
    def ends(self) -> list[tuple[datetime, str]]:
        ends = [(self.done, "done"), (self.rated, "rated")]
        return [(at, step) for at, step in ends if at is not None]


def sessions(events: Iterable[Event], rules: Meaning, zone: str) -> list[Row]:
    """All sessions there are, by user, device and time."""
    of_user: dict[tuple[str, str], list[Event]] = {}
    for event in sorted(set(events), key=lambda event: event.order):
        of_user.setdefault((event.anonymous_id, event.device_id), []).append(event)
    known_until = max((event.created_at for of in of_user.values() for event in of), default=midnight(FIRST_DAY))
    rows = [
        _row(visit, _rides(own, rules), rules, known_until, zone)
        for _, own in sorted(of_user.items())
        for visit in _visits(own, rules.gap)
    ]
    return [row | {"num_rides_before_on_day": _num_rides_before(row, rows)} for row in rows]


def _visits(events: list[Event], gap: timedelta) -> list[list[Event]]:
    visits = [events[:1]]
    for before, event in pairwise(events):
        if event.created_at - before.created_at < gap:
            visits[-1].append(event)
        else:
            visits.append([event])
    return visits


def _rides(events: list[Event], rules: Meaning) -> list[Ride]:
    def instants(step: str) -> list[datetime]:
        return sorted({event.created_at for event in events if rules.step(event) == step})

    starts = instants("started")
    rides: list[Ride] = []
    for number, start in enumerate(starts, start=1):
        following = starts[number] if number < len(starts) else None
        first: dict[str, datetime | None] = {}
        for step in ("done", "rated"):
            own = [at for at in instants(step) if at >= start and (following is None or at < following)]
            first[step] = next((at for at in own if at - start <= rules.longest_ride), None)
        rides.append(Ride(start, first["done"], first["rated"]))
    return rides


def _row(visit: list[Event], rides: list[Ride], rules: Meaning, known_until: datetime, zone: str) -> Row:
    begin, end = visit[0], visit[-1]
    first: dict[str, datetime] = {}
    for event in visit:
        step = rules.step(event)
        if step:
            first.setdefault(step, event.created_at)
    own = [ride for ride in rides if begin.created_at <= ride.start <= end.created_at]
    earlier = [
        (at, step, ride.start)
        for ride in rides
        for at, step in ride.ends
        if ride.start < begin.created_at <= at <= end.created_at
    ]
    is_in_time = bool(own) and known_until <= own[-1].start + rules.longest_ride
    may_still_end = is_in_time and not own[-1].ends
    verdict, reason, decided_at, decided_by = _verdict(visit, first, own, earlier, rides, rules, may_still_end)
    start = begin.created_at
    microseconds = (start - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    name = "\x1f".join([begin.anonymous_id, begin.device_id, str(microseconds)])
    opened, started = first.get("opened"), first.get("started")
    return {
        "session_id": str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
        "day": begin.day, "business_day": start.astimezone(ZoneInfo(zone)).date(),
        "anonymous_id": begin.anonymous_id, "device_id": begin.device_id,
        "started_at": start, "ended_at": end.created_at, "ended_on": end.day, "num_events": len(visit),
        "opened_at": opened, "looked_at": first.get("looked"), "found_at": first.get("found"),
        "booked_at": first.get("booked"), "ride_started_at": started, "start_failed_at": first.get("failed"),
        "ride_done_at": first.get("done"), "rated_at": first.get("rated"), "out_of_zone_at": first.get("out_of_zone"),
        "furthest_step": next((step for step in FUNNEL if step in first), None),
        "verdict": verdict, "reason": reason, "decided_at": decided_at, "decided_by": decided_by,
        "plain_booked": bool(rules.plain_booked & first.keys()), "num_rides": len(own),
        "ms_to_ride": _milliseconds(opened, started) if opened and started and opened <= started else None,
        "ms_riding": _milliseconds(own[0].start, own[0].done) if own else None,
        "continues_ride_at": earlier[0][2] if earlier else None,
        "zone": begin.zone, "app_version": begin.app_version, "os_name": begin.os_name,
        "num_other_events": sum(event.event_name not in rules.step_of for event in visit),
        "is_open": known_until - end.created_at < rules.gap or (is_in_time and not own[-1].done),
        "rules_version": rules.version,
    }  # fmt: skip


def _verdict(
    visit: list[Event],
    first: dict[str, datetime],
    own: list[Ride],
    earlier: list[tuple[datetime, str, datetime]],
    rides: list[Ride],
    rules: Meaning,
    may_still_end: bool,
) -> tuple[str, str, datetime, str | None]:
    """Verdict, reason, and the event that decided: its instant and step. The first that holds counts."""
    if own:
        ended = any(ride.ends for ride in own)
        reason = "ride_done" if ended else "ride_open" if may_still_end else "end_not_seen"
        return "booked", reason, own[0].start, "started"
    if earlier:
        at, step, _ = min(earlier)
        return "continued", "ride_of_earlier_session", at, step
    ends = {ride.done for ride in rides}
    lost = [event.created_at for event in visit if rules.step(event) == "done" and event.created_at not in ends]
    if lost:
        return "booked", "start_not_seen", lost[0], "done"
    for step, verdict, reason in [
        ("failed", "failed", "failed_at_start"),
        ("out_of_zone", "out_of_zone", "out_of_zone"),
        ("booked", "abandoned", "after_booked"),
        ("found", "abandoned", "after_found"),
        ("looked", "looked", "only_looked"),
        ("opened", "no_intent", "no_intent"),
    ]:
        if step in first:
            return verdict, reason, first[step], step
    # Of events of the same instant, one that is a step decides.
    at_once = [rules.step(event) for event in visit if event.created_at == visit[0].created_at]
    return "no_intent", "no_intent", visit[0].created_at, next((step for step in at_once if step), None)


def _milliseconds(begin: datetime, end: datetime | None) -> int | None:
    return None if end is None else (end - begin) // timedelta(milliseconds=1)


def _num_rides_before(row: Row, rows: list[Row]) -> int:
    def place(of: Row) -> tuple[datetime, str]:
        return of["started_at"], of["device_id"]

    same = [of for of in rows if (of["anonymous_id"], of["day"]) == (row["anonymous_id"], row["day"])]
    return sum(of["num_rides"] for of in same if place(of) < place(row))


def midnight(day: date) -> datetime:
    """The beginning of a UTC day."""
    return datetime.combine(day, time(), UTC)
