"""Mobile events of the sample world: a month of an invented scooter app, in the files that would bring it.

Here: who did what and when, which oddities the deliveries carry, and how each file is written. Not here: what an event
means (`sessions/rules.yaml`), and where the files are put (`settle`).
"""

import gzip
import io
import json
import random
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

SEED = 20261001
FIRST_DAY, LAST_DAY = date(2026, 10, 1), date(2026, 10, 31)
HEADER = (
    "anonymous_id", "business_zoned", "context_app_version", "context_device_id", "context_os_name", "event_name",
    "received_at", "created_at",
)  # fmt: skip
NUM_USERS = 70
_ZONES = ("Harborough", "Lindenau Mitte", "Port Averne", "Vale of Tarn")
_VERSIONS = ("4.11.2", "4.12.0", "4.12.1", "4.13")
_SYSTEMS = ("Android", "iOS")
_KNOWN_UNTIL = datetime(2026, 11, 1, 20, 8, 41, 507_000, UTC)
_EXPORTED = time(22, 15, tzinfo=UTC)
_LATE_AT = datetime.combine(date(2026, 11, 1), _EXPORTED)
"""When phones that had been offline for up to a month sent what they had kept: just too late for that day's file."""
_OVERLAP = 6  # rows of a file that the next one brings again

# For each step of a visit: the event's name, and the least and most seconds since the step before.
_STEPS = {
    "open": ("Application Opened", 0, 0),
    "promo": ("Promo Banner - Shown", 1, 5),
    "ask": ("Location Services Dialogue Opened", 1, 4),
    "allow": ("Location Services Enabled", 2, 12),
    "near": ("Scooter Selected - Auto", 1, 25),
    "moped": ("Vehicle Selected - Auto", 2, 30),
    "choose": ("Scooter Selected - User", 3, 90),
    "scan": ("Qr Scanner - Scanned Succeeded", 10, 240),
    "pay": ("List Of Payment Shown", 2, 20),
    "paypal": ("Paypal Dialogue - Okay Pressed", 4, 45),
    "fail": ("Ride Started - Failed", 1, 8),
    "start": ("Ride Started - Successful", 1, 8),
    "done": ("Ride Done - Successful", 150, 870),
    "done later": ("Ride Done - Successful", 930, 6600),
    "rate": ("Rating Screen", 1, 20),
    "out": ("Out-Of-Zone", 5, 150),
}
_LOOKING = ("near", "near choose", "near near choose near", "ask allow near choose", "promo near choose", "moped")
# How a visit goes on once the user has looked, and how often.
_ENDINGS = {
    "": 26,
    "scan": 8,
    "scan,pay": 9,
    "scan,pay,paypal,fail": 5,
    "scan,pay,fail,pay,paypal,start,done,rate": 5,
    "out": 3,
    "scan,start,out,done": 1,
    "scan,pay,start,done,rate": 22,
    "scan,start,done": 5,
    "scan,pay,start,done later,rate": 12,
    "scan,pay,start": 1,
    "done,rate": 1,
}
_ONLY_OPENED, _BLANK_ZONE, _OFFLINE, _NOT_SAID = 0.12, 0.02, 0.04, 0.005
_MINUTE = timedelta(minutes=1)
_GAP, _GAP_LESS_A_MILLISECOND = 15, 15 - 1 / 60_000

Row = tuple[str, ...]


@dataclass(frozen=True)
class EventFile:
    """One file as it arrives, and what is true of it by construction.

    Attributes:
        file_name: Name with the delivery day, such as `mobile_events_2026-10-05.csv`.
        content: The bytes of the file.
        num_records: Data records in the file, bad and repeated ones included.
        num_rejects: Records that cannot be used.
    """

    file_name: str
    content: bytes
    num_records: int
    num_rejects: int


@dataclass(frozen=True)
class _Phone:
    """A user's app on one device; on the day of the upgrade its version changes."""

    anonymous_id: str
    device_id: str
    zone: str
    os_name: str
    version: int
    upgrade: date

    def app_version(self, day: date) -> str:
        return _VERSIONS[self.version + (day >= self.upgrade)]


@dataclass(frozen=True)
class _Event:
    """An event as the phone sent it; times in UTC and whole milliseconds, ids in whatever case."""

    anonymous_id: str
    zone: str
    app_version: str
    device_id: str
    os_name: str
    event_name: str
    received_at: datetime
    created_at: datetime

    def row(self) -> Row:
        times = (at.isoformat(" ", "milliseconds").removesuffix("+00:00") for at in (self.received_at, self.created_at))
        return (
            self.anonymous_id, self.zone, self.app_version, self.device_id, self.os_name, self.event_name, *times,
        )  # fmt: skip


@dataclass(frozen=True)
class _Scene:
    """A visit that is there for one oddity: each step with its minutes since the start; some steps came too late."""

    start: datetime
    steps: tuple[tuple[float, str], ...]
    late: frozenset[int] = frozenset()


def _scene(start: str, *steps: tuple[float, str], late: Iterable[int] = ()) -> _Scene:
    return _Scene(datetime.fromisoformat(f"2026-{start}+00:00"), steps, frozenset(late))


_SCENES = (
    # A ride over midnight, longer than the gap, and one within it.
    _scene("10-08T23:38:07.250", (0, "open"), (1, "choose"), (2, "scan"), (3, "start"), (44, "done"), (44.5, "rate")),
    _scene("10-16T23:51:30.004", (0, "open"), (1, "near"), (3, "scan"), (4, "start"), (16, "done"), (16.1, "rate")),
    # A session over midnight without a ride, and one that goes on for more than a day, over two midnights.
    _scene("10-19T23:55:12.900", (0, "open"), (2, "near"), (9, "near"), (14, "choose")),
    _scene("10-12T21:40:00.000", (0, "open"), *((11.5 * number, "near") for number in range(1, 143))),
    # A gap of exactly 15 minutes, and one of a millisecond less.
    _scene("10-06T08:00:00.000", (0, "open"), (1, "near"), (1 + _GAP, "near"), (2 + _GAP, "choose")),
    _scene("10-06T09:00:00.000", (0, "open"), (1, "near"), (1 + _GAP_LESS_A_MILLISECOND, "near")),
    # Several events at one instant: a session without length, and a ride.
    _scene("10-09T12:30:45.678", (0, "open"), (0, "near"), (0, "scan")),
    _scene("10-10T17:05:00.120", (0, "open"), (2, "scan"), (3, "done"), (3, "start"), (3, "rate")),
    # A failed start and then one that succeeds; failed and gone; out of the zone.
    _scene("10-13T07:45:10.333", (0, "open"), (1, "scan"), (2, "fail"), (4, "fail"), (5, "start"), (12, "done")),
    _scene("10-21T18:20:00.500", (0, "open"), (1, "near"), (2, "scan"), (3, "fail"), (5, "fail")),
    _scene("10-22T16:11:09.001", (0, "open"), (1, "near"), (4, "out"), (6, "out")),
    # A rating alone, hours after the ride; and a ride whose end nobody ever saw.
    _scene("10-15T10:00:00.010", (0, "open"), (1, "scan"), (2, "start"), (32, "done"), (300, "rate")),
    _scene("10-24T11:15:00.000", (0, "open"), (1, "scan"), (2, "start")),
    # Late events that join two sessions, and that give one an earlier start.
    _scene("10-26T12:00:00.700", (0, "open"), (10, "near"), (22, "choose"), (34, "near"), (35, "scan"), late=[2]),
    _scene("10-28T06:10:00.200", (0, "open"), (6, "near"), (8, "choose"), (9, "scan"), late=[0]),
    # What the app says without having been asked.
    _scene("10-29T20:00:00.000", (0, "promo")),
    # At the end of known time: one is on a ride, and one still looks.
    _Scene(_KNOWN_UNTIL - 4 * _MINUTE, ((0, "open"), (1, "near"), (3, "scan"), (4, "start"))),
    _Scene(_KNOWN_UNTIL - 9 * _MINUTE, ((0, "open"), (1, "near"), (6, "choose"))),
)


@dataclass(frozen=True)
class _Delivery:
    """A file: it holds what was received since the one before, and what that one brought last.

    Attributes:
        day: Month and day on which it is delivered.
        bad: Field and value of each record that cannot be used; one that is cut off is not among them.
        zoned: Whether a newer exporter wrote some of the times, with an offset or in the form of ISO 8601.
        again: Month and day on which the same content comes a second time.
    """

    day: str
    suffix: str
    write: Callable[[list[Row]], bytes]
    bad: tuple[tuple[str, str], ...] = ()
    zoned: bool = False
    is_cut: bool = False
    again: str | None = None

    @property
    def until(self) -> datetime:
        return datetime.combine(date.fromisoformat(f"2026-{self.day}"), _EXPORTED)

    def file_name(self, day: str) -> str:
        return f"mobile_events_2026-{day}.{self.suffix}"


@cache
def event_files() -> tuple[EventFile, ...]:
    """The files of the month, in the order in which they are delivered; always the same."""
    rng = random.Random(SEED)  # noqa: S311 (an invented world, no secret)
    users = _users(rng)
    events = [*_scenes(rng, users[: len(_SCENES)]), *_ordinary_visits(rng, users[len(_SCENES) :])]
    events.sort(key=lambda event: (event.received_at, event.created_at, event.anonymous_id, event.event_name))
    found: list[EventFile] = []
    since, before = datetime.combine(FIRST_DAY, time(), UTC), list[Row]()
    for delivery in _DELIVERIES:
        rows = [event.row() for event in events if since <= event.received_at < delivery.until]
        new = [_with(row, "received_at", "") if rng.random() < _NOT_SAID else row for row in rows]
        file = _file(rng, delivery, before[-_OVERLAP:], new)
        found.append(file)
        if delivery.again:
            found.append(replace(file, file_name=delivery.file_name(delivery.again)))
        since, before = delivery.until, new
    return tuple(found)


def _users(rng: random.Random) -> list[tuple[_Phone, ...]]:
    """Each user's phones; every ninth user has two."""
    users: list[tuple[_Phone, ...]] = []
    for number in range(NUM_USERS):
        user, zone = _uuid(rng), rng.choice(_ZONES)
        upgrades = [FIRST_DAY + timedelta(days=rng.randrange(60)) for _ in range(2 if number % 9 == 0 else 1)]
        users.append(
            tuple(
                _Phone(user, _uuid(rng), zone, rng.choice(_SYSTEMS), rng.randrange(len(_VERSIONS) - 1), upgrade)
                for upgrade in upgrades
            )
        )
    return users


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _in_some_case(rng: random.Random, text: str) -> str:
    middle = len(text) // 2
    return rng.choice((text, text, text.upper(), text[:middle].upper() + text[middle:]))


def _event(rng: random.Random, phone: _Phone, name: str, at: datetime, received_at: datetime | None = None) -> _Event:
    """An event, received within seconds unless said otherwise."""
    return _Event(
        _in_some_case(rng, phone.anonymous_id),
        "" if rng.random() < _BLANK_ZONE else phone.zone,
        phone.app_version(at.date()),
        _in_some_case(rng, phone.device_id),
        phone.os_name,
        name,
        received_at or at + timedelta(milliseconds=rng.randrange(80, 4_000)),
        at,
    )


def _scenes(rng: random.Random, users: Iterable[tuple[_Phone, ...]]) -> Iterator[_Event]:
    """Each scene has a user to itself, so that nothing else comes near it."""
    for (phone, *_), scene in zip(users, _SCENES, strict=True):
        for place, (minutes, step) in enumerate(scene.steps):
            received_at = _LATE_AT if place in scene.late else None
            yield _event(rng, phone, _STEPS[step][0], scene.start + minutes * _MINUTE, received_at)


def _ordinary_visits(rng: random.Random, users: list[tuple[_Phone, ...]]) -> Iterator[_Event]:
    """Visits of a month and a little more; of each of the first thirty days one came only after the month."""
    for day in (FIRST_DAY + timedelta(days=number) for number in range((LAST_DAY - FIRST_DAY).days + 1)):
        visits = [
            list(_visit(rng, rng.choice(phones), day, hour))
            for phones in users
            for hour in sorted(rng.sample(range(5, 22, 3), rng.choices((0, 1, 2), weights=(16, 10, 5))[0]))
        ]
        forgotten = rng.randrange(len(visits)) if day < LAST_DAY else None
        for place, visit in enumerate(visits):
            if place == forgotten:
                yield from _sent_together(visit, _LATE_AT)
            elif rng.random() < _OFFLINE:
                online_at = visit[-1].created_at + timedelta(hours=rng.randrange(20, 100))
                yield from _sent_together(visit, min(online_at, _LATE_AT - _MINUTE))
            else:
                yield from visit
    for phones in users[:8]:
        yield from _visit(rng, phones[0], LAST_DAY + timedelta(days=1), rng.randrange(5, 14))


def _sent_together(visit: Iterable[_Event], at: datetime) -> Iterator[_Event]:
    return (replace(event, received_at=at) for event in visit)


def _visit(rng: random.Random, phone: _Phone, day: date, hour: int) -> Iterator[_Event]:
    """A visit that begins within an hour (UTC) of a day."""
    steps = ["open"]
    if rng.random() >= _ONLY_OPENED:
        ending = rng.choices(list(_ENDINGS), weights=list(_ENDINGS.values()))[0]
        steps += [*rng.choice(_LOOKING).split(), *ending.split(",")] if ending else rng.choice(_LOOKING).split()
    at = datetime.combine(day, time(hour), UTC) + timedelta(milliseconds=rng.randrange(3_600_000))
    for step in steps:
        name, least, most = _STEPS[step]
        at += timedelta(milliseconds=rng.randint(1_000 * least, 1_000 * most))
        yield _event(rng, phone, name, at)


def _file(rng: random.Random, delivery: _Delivery, again: list[Row], new: list[Row]) -> EventFile:
    """Writes a delivery: what the one before brought last, what is new, some of it twice, and what cannot be used."""
    rows = [*again, *new]
    if delivery.zoned:
        rows = [_REWRITTEN.get(place % 7, tuple)(row) for place, row in enumerate(rows)]
    bad = [_with(rng.choice(new), *wrong) for wrong in delivery.bad]
    for row in (*rng.sample(rows, len(rows) // 80), *bad):
        rows.insert(rng.randrange(_OVERLAP, len(rows)), row)
    content = delivery.write(rows)
    if delivery.is_cut:
        content = content[: -len(";".join(rows[-1][3:])) + 12]  # within its device_id
    return EventFile(delivery.file_name(delivery.day), content, len(rows), len(bad) + delivery.is_cut)


def _with(row: Row, name: str, value: str) -> Row:
    place = HEADER.index(name)
    return (*row[:place], value, *row[place + 1 :])


def _with_offset(row: Row) -> Row:
    """The same instant by a clock two hours ahead, and saying so."""
    at = datetime.fromisoformat(row[-1]) + timedelta(hours=2)
    return _with(row, "created_at", f"{at.isoformat('T', 'milliseconds')}+02:00")


def _in_iso_form(row: Row) -> Row:
    return _with(row, "created_at", row[-1].replace(" ", "T"))


_REWRITTEN = {1: _with_offset, 4: _in_iso_form}


def _as_csv(rows: list[Row]) -> bytes:
    return "".join(";".join(row) + "\n" for row in (HEADER, *rows)).encode()


def _as_gzip(rows: list[Row]) -> bytes:
    return gzip.compress(_as_csv(rows), mtime=0)


def _as_json_lines(rows: list[Row]) -> bytes:
    """Blank fields are null, and times say that they are UTC."""
    lines: list[str] = []
    for *texts, received_at, created_at in rows:
        times = (at.replace(" ", "T") + "Z" if at else "" for at in (received_at, created_at))
        record = {name: value or None for name, value in zip(HEADER, (*texts, *times), strict=True)}
        lines.append(json.dumps(record, separators=(",", ":")) + "\n")
    return "".join(lines).encode()


def _as_parquet(rows: list[Row]) -> bytes:
    """Blank fields are null, and times are typed."""
    import polars as pl

    table = pl.DataFrame(rows, schema=HEADER, orient="row").with_columns(pl.all().replace("", None))
    times = pl.col("received_at", "created_at").str.to_datetime(time_unit="ms", time_zone="UTC")
    file = io.BytesIO()
    table.with_columns(times).write_parquet(file)
    return file.getvalue()


_DELIVERIES = (
    _Delivery("10-03", "csv", _as_csv),
    _Delivery("10-05", "csv", _as_csv, bad=(("anonymous_id", ""), ("context_device_id", ""), ("anonymous_id", "  "))),
    _Delivery("10-08", "csv.gz", _as_gzip, bad=(("created_at", "2026-11-07 10:20:30.400"),)),
    _Delivery(
        "10-11", "csv", _as_csv,
        bad=(("created_at", "2026-10-09 25:61:00.000"), ("received_at", "soon"), ("event_name", "")),
    ),
    _Delivery("10-14", "parquet", _as_parquet, bad=(("anonymous_id", ""), ("created_at", ""))),
    _Delivery("10-17", "csv", _as_csv, bad=(("anonymous_id", ""),), again="10-18"),
    _Delivery("10-20", "csv", _as_csv, bad=(("context_device_id", ""),), is_cut=True),
    _Delivery("10-23", "jsonl", _as_json_lines, bad=(("anonymous_id", ""),)),
    _Delivery("10-27", "csv", _as_csv, bad=(("created_at", "1970-01-01 00:00:07.000"),), zoned=True),
    _Delivery("11-01", "csv", _as_csv),
    _Delivery("11-02", "csv", _as_csv, bad=(("created_at", "2026-12-02 08:00:00.000"), ("anonymous_id", ""))),
)  # fmt: skip
