"""Days of mobile events as they are published: columns of `MobileEvents`, in the order of `CONTENT`, a file a day.

Visits of users with a device each, with the cases in which wrong ways differ: events of one instant, gaps of just the
limit and just below it, visits over midnight, an event on another device in between. Users and zones are invented; the
same arguments give the same events.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from data_platform.contracts.mobile_events import CONTENT, MobileEvents

EVENTS_PER_SESSION = 7.5
_EVENTS_PER_USER = 7.7
_ELSEWHERE = 0.002  # of events: on another device, which is another user's
_FIRST_DAY = date(2026, 9, 1)
_MS_PER_DAY, _MS_PER_HOUR, _GAP_MS = 86_400_000, 3_600_000, 900_000
_OPENED, _START = "Application Opened", 0
_WEIGHTS = {
    _OPENED: 4,
    "Location Services Enabled": 12,
    "Location Services Dialogue Opened": 6,
    "Scooter Selected - Auto": 20,
    "Scooter Selected - User": 24,
    "Qr Scanner - Scanned Succeeded": 9,
    "List Of Payment Shown": 8,
    "Ride Started - Successful": 5,
    "Ride Started - Failed": 1,
    "Ride Done - Successful": 5,
    "Rating Screen": 4,
    "Out-Of-Zone": 2,
}
_BUSY_HOURS = (3, 2, 1, 1, 1, 2, 4, 7, 9, 8, 7, 7, 8, 8, 8, 9, 10, 12, 12, 10, 8, 7, 6, 4)
_ZONES = ("Reno", "Sparks", "Carson City", "Elko", "Fernley", "Boulder City", "Ely", None)
_VERSIONS, _SYSTEMS = ("5.12.0", "5.12.1", "5.13.0", "5.14.2"), ("Android", "iOS")

Numbers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class _Events:
    """Events in no order: whose each is, when (milliseconds since the first day began), its name's number."""

    user: Numbers
    device: Numbers
    at: Numbers
    name: Numbers


def write(folder: Path, num_events: int, num_days: int) -> None:
    """Writes a Parquet file for each day, such as `2026-09-01.parquet`, as the lake does."""
    for day, rows in days(num_events, num_days):
        rows.write_parquet(folder / f"{day}.parquet", compression="zstd", statistics=True)


def days(num_events: int, num_days: int, *, seed: int = 1) -> Iterator[tuple[date, pl.DataFrame]]:
    """The events of each day.

    Args:
        num_events: Of all days together; no event stands twice, so that a few less may come out.
        num_days: Neighbouring days.
        seed: Another one gives other users and events.
    """
    random = np.random.default_rng(seed)
    num_users = max(1, round(num_events / _EVENTS_PER_USER))
    ids = {name: _uuids(num_users, random) for name in ("anonymous_id", "device_id")}
    events = _visits(num_events, num_users, num_days, random)
    by_day = np.argsort((events.at // _MS_PER_DAY).astype(np.uint16), kind="stable")
    ends = np.searchsorted((events.at // _MS_PER_DAY)[by_day], np.arange(num_days + 1))
    for number in range(num_days):
        rows = by_day[ends[number] : ends[number + 1]]
        of_day = _Events(events.user[rows], events.device[rows], events.at[rows], events.name[rows])
        yield _FIRST_DAY + timedelta(days=number), _published(number, of_day, ids, random)


def moved(rows: pl.DataFrame, num_days: int) -> pl.DataFrame:
    """The same events on another day, as if another file had brought them."""
    by = timedelta(days=num_days)
    day = rows.item(0, "day") + by
    return rows.with_columns(
        pl.col("day", "created_at", "received_at") + by, evidence_id=pl.lit(_evidence_id(day), pl.String)
    )


def _visits(num_events: int, num_users: int, num_days: int, random: np.random.Generator) -> _Events:
    """Every user comes once, some of them again; what reaches over the last midnight comes at the first day."""
    num_visits = max(1, round(num_events / EVENTS_PER_SESSION))
    length = 1 + random.poisson(random.gamma(2, (EVENTS_PER_SESSION - 1) / 2, num_visits))
    visit = np.repeat(np.arange(num_visits, dtype=np.uint32), length)[:num_events]
    visit = np.append(visit, random.integers(0, num_visits, num_events - len(visit), dtype=np.uint32))
    visit.sort()
    users = np.arange(num_visits, dtype=np.uint32)
    users[num_users:] = random.integers(0, num_users, max(0, num_visits - num_users), dtype=np.uint32)
    hours = random.choice(24, num_visits, p=np.array(_BUSY_HOURS) / sum(_BUSY_HOURS))
    day = random.integers(0, num_days, num_visits)
    begin = day * _MS_PER_DAY + hours * _MS_PER_HOUR + random.integers(0, _MS_PER_HOUR, num_visits)
    is_first = np.append(True, visit[1:] != visit[:-1])
    passed = np.cumsum(np.where(is_first, 0, _gaps(num_events, random)))
    at = begin[visit] + passed - passed[is_first][np.cumsum(is_first) - 1]
    name = random.choice(len(_WEIGHTS), num_events, p=np.array([*_WEIGHTS.values()]) / sum(_WEIGHTS.values()))
    name[is_first & (random.random(num_events) < 0.8)] = _START
    user = users[visit]
    device = np.where(random.random(num_events) < _ELSEWHERE, (user + 1) % num_users, user).astype(np.uint32)
    return _Events(user, device, at % (num_days * _MS_PER_DAY), name.astype(np.uint8))


def _gaps(num: int, random: np.random.Generator) -> Numbers:
    """Milliseconds to the event before: a minute or two, sometimes none, the limit, or the last below it."""
    gaps = random.exponential(90_000, num).astype(np.int64)
    kind = random.integers(0, 1_000, num)
    gaps[kind < 30] = 0
    gaps[kind == 30] = _GAP_MS
    gaps[kind == 31] = _GAP_MS - 1
    return gaps


def _published(number: int, events: _Events, ids: dict[str, pl.Series], random: np.random.Generator) -> pl.DataFrame:
    day, num = _FIRST_DAY + timedelta(days=number), len(events.at)
    begin = pl.lit(datetime.combine(_FIRST_DAY, time(), UTC), pl.Datetime("us", "UTC"))
    delay = np.where(random.random(num) < 0.03, 50, 1) * random.integers(200, 9_000, num)
    numbers = pl.DataFrame(
        {"anonymous_id": events.user, "device_id": events.device, "at": events.at, "name": events.name, "delay": delay}
    )
    user, at = pl.col("anonymous_id"), begin + pl.duration(milliseconds="at")
    return (
        numbers.select(
            day=pl.lit(day),
            created_at=at,
            **{name: pl.lit(values).gather(name) for name, values in ids.items()},
            event_name=_pick([*_WEIGHTS], pl.col("name")),
            received_at=pl.when(pl.col("delay") % 100 > 0).then(at + pl.duration(milliseconds="delay")),
            zone=_pick(_ZONES, user % len(_ZONES)),
            app_version=_pick(_VERSIONS, (user + number // 10) % len(_VERSIONS)),
            os_name=_pick(_SYSTEMS, user % 5 % len(_SYSTEMS)),
            evidence_id=pl.lit(_evidence_id(day)),
            record_no=pl.int_range(1, num + 1),
        )
        .unique(CONTENT)
        .sort(CONTENT)
        .select(MobileEvents.column_names())
    )


def _pick(values: list[str] | tuple[str | None, ...], number: pl.Expr) -> pl.Expr:
    return pl.lit(pl.Series(values, dtype=pl.String)).gather(number)


def _evidence_id(day: date) -> str:
    return hashlib.sha256(str(day).encode()).hexdigest()


def _uuids(num: int, random: np.random.Generator) -> pl.Series:
    digits = np.frombuffer(random.bytes(16 * num), np.uint8).reshape(num, 16)
    whole = pl.Series(digits).cast(pl.Array(pl.UInt8, 16)).arr.to_list().cast(pl.Binary).bin.encode("hex")
    ends = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))
    parts = (pl.col("whole").str.slice(start, length) for start, length in ends)
    return pl.DataFrame({"whole": whole}).select(pl.concat_str(parts, separator="-")).to_series()
