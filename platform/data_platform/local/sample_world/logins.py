"""Logins of the sample world: two months of an app's users, and the counters that the app made of them.

Here: who logged in when, and what the counter table and its snapshots held. Not here: where those are put (`app`).
"""

import csv
import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

SEED = 20260901
FIRST_DAY, LAST_DAY = date(2026, 9, 1), date(2026, 10, 31)
FIRST_SNAPSHOT = date(2026, 9, 4)
"""The platform began in mid-month; of the days before, the older job had sums."""
MISSED, LATE, CORRECTED = date(2026, 10, 9), date(2026, 9, 16), date(2026, 10, 20)
NUM_USERS = 48
_USUALLY_READ, _READ_LATE = timedelta(minutes=7), timedelta(hours=9, minutes=40)
_CORRECTIONS = (3, 2)
_KINDS, _DEVICES = ("parent", "teacher", "admin"), ("android", "ios", "web")
_HEADER = ("user_type", "user_id", "year", "month", "num_logins", "device", "d_last_accessed")
Key = tuple[int, str]


@dataclass(frozen=True)
class Login:
    """One login, at an instant (UTC)."""

    user_id: int
    user_type: str
    device: str
    at: datetime


@dataclass(frozen=True)
class Counter:
    """A row of `monthly_login_aggregates`."""

    user_type: str
    user_id: int
    month: date
    num_logins: int
    device: str
    last_at: datetime

    def fields(self) -> tuple[str | int, ...]:
        """The columns as the app stores them."""
        return (
            self.user_type, self.user_id, self.month.year, f"{self.month.month:02}", self.num_logins, self.device,
            int(self.last_at.timestamp()),
        )  # fmt: skip


def midnight(day: date, zone: str) -> datetime:
    """When a day begins in a zone (UTC)."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def month_of(instant: datetime, zone: str) -> date:
    """First day of the month that an instant lies in, in a zone."""
    return instant.astimezone(ZoneInfo(zone)).date().replace(day=1)


@cache
def logins(zone: str) -> tuple[Login, ...]:
    """Every login of the two months, in order; a few fall into the minutes between midnight and a snapshot."""
    rng = random.Random(SEED)  # noqa: S311 (an invented world, no secret)
    found: list[Login] = []
    for user_id in range(1, NUM_USERS + 1):
        kind = _KINDS[0] if user_id % 5 else rng.choice(_KINDS[1:])
        devices = rng.sample(_DEVICES, k=2 if user_id % 7 == 0 else 1)
        joined = FIRST_DAY + timedelta(days=rng.randrange(50) if user_id > NUM_USERS * 0.8 else 0)
        for day in _days(joined, LAST_DAY):
            for device in devices:
                for _ in range(rng.choices((0, 1, 2, 3, 6), weights=(5, 4, 3, 2, 1))[0]):
                    at = midnight(day, zone) + timedelta(seconds=rng.randrange(5 * 3600, 24 * 3600 - 60))
                    found.append(Login(user_id, kind, device, at))
                if rng.random() < 0.02:  # noqa: PLR2004
                    found.append(
                        Login(user_id, kind, device, midnight(day, zone) + timedelta(seconds=rng.randrange(400)))
                    )
    return tuple(sorted(found, key=lambda login: (login.at, login.user_id, login.device)))


def counters(instant: datetime, zone: str) -> list[Counter]:
    """The counter table as it stood at an instant: a row for each user, device and month with logins."""
    found: dict[tuple[date, Key], Counter] = {}
    for login in logins(zone):
        if login.at > instant:
            break
        month = month_of(login.at, zone)
        before = found.get((month, (login.user_id, login.device)))
        found[month, (login.user_id, login.device)] = Counter(
            login.user_type, login.user_id, month, (before.num_logins if before else 0) + 1, login.device, login.at
        )
    if instant >= midnight(CORRECTED, zone) + timedelta(hours=3):
        for key, amount in zip(_corrected(zone), _CORRECTIONS, strict=True):
            row = found[CORRECTED.replace(day=1), key]
            found[CORRECTED.replace(day=1), key] = Counter(
                row.user_type, row.user_id, row.month, row.num_logins - amount, row.device, row.last_at
            )
    return [found[key] for key in sorted(found)]


def _corrected(zone: str) -> list[Key]:
    """Counters that the app corrects: of users who did not log in on that day, and often before."""
    start, end = midnight(CORRECTED, zone), midnight(CORRECTED, zone) + timedelta(days=1, hours=1)
    busy = {(login.user_id, login.device) for login in logins(zone) if start <= login.at < end}
    known = [
        (login.user_id, login.device)
        for login in logins(zone)
        if midnight(CORRECTED.replace(day=1), zone) < login.at < start
    ]
    often = sorted({key for key in known if known.count(key) > 2 * max(_CORRECTIONS)} - busy)
    return often[: len(_CORRECTIONS)]


def snapshots(zone: str) -> Iterator[tuple[date, datetime, bytes]]:
    """Day, time of reading and content of each snapshot that was taken: one was read late, and one is missing."""
    for day in _days(FIRST_SNAPSHOT, LAST_DAY):
        if day == MISSED:
            continue
        read_at = midnight(day + timedelta(days=1), zone) + (_READ_LATE if day == LATE else _USUALLY_READ)
        at_reading = (day + timedelta(days=1)).replace(day=1)
        months = {day.replace(day=1), at_reading}
        if day.day <= 3:  # noqa: PLR2004 (the month before is read on the first three days)
            months.add((day.replace(day=1) - timedelta(days=1)).replace(day=1))
        yield day, read_at, _as_csv([row for row in counters(read_at, zone) if row.month in months])


def history(zone: str) -> list[tuple[date, str, int, int, str]]:
    """Rows of `daily_login_aggregates`: the days before the platform's first snapshot, as the older job saw them."""
    sums: dict[tuple[date, str, int, str], int] = {}
    for login in logins(zone):
        day = login.at.astimezone(ZoneInfo(zone)).date()
        if day < FIRST_SNAPSHOT:
            key = (day, login.user_type, login.user_id, login.device)
            sums[key] = sums.get(key, 0) + 1
    return [(day, kind, user, number, device) for (day, kind, user, device), number in sorted(sums.items())]


def living(now: datetime, zone: str) -> list[Counter]:
    """Counters of the present month and the one before, so that a snapshot taken now finds a living app."""
    today = now.astimezone(ZoneInfo(zone)).date()
    rows: list[Counter] = []
    for month in ((today.replace(day=1) - timedelta(days=1)).replace(day=1), today.replace(day=1)):
        if month <= LAST_DAY:
            continue
        begin = midnight(month, zone)
        end = min(midnight(today, zone), midnight((month + timedelta(days=31)).replace(day=1), zone))
        for user_id in range(1, NUM_USERS + 1):
            last_at = max(begin, end - timedelta(minutes=37 * user_id, seconds=1))
            number = 1 + int((end - begin).days * (user_id % 4) / 3)
            rows.append(Counter(_KINDS[0], user_id, month, number, _DEVICES[user_id % 3], last_at))
    return rows


def _as_csv(rows: Sequence[Counter]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_HEADER, *(row.fields() for row in rows)])
    return text.getvalue().encode()


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))
