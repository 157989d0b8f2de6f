"""Login events of the sample world: messages that tell of the same logins as the app's counters.

Here: what was sent, with the oddities of a real queue. Not here: who logged in (`logins`), and where messages are put.
"""

import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from data_platform.local.sample_world import logins
from data_platform.local.sample_world.logins import Counter, Login
from data_platform.queues.batches import Received

QUEUE = "login-events"
POISON = '{"user_id": ' + "[" * 2_000
"""Nested without an end: a reader that trusts it runs out of stack."""

_NAMESPACE = uuid.UUID("5b0c1f0e-9d0a-5a3e-8f0e-6c1f3a9b7d21")
_WRONG_TYPE = json.dumps({"foo": "oops_wrong_msg_type", "bar": "123"})
_LOCALES = (None, None, None, "RU", "US", "DE", "BR")
_LOST = date(2026, 9, 24)
"""On that day the app lost some events that its counters have all the same."""
_NUM_LOST = 4
_LOGOUTS_SINCE = date(2026, 10, 28)
"""Since then the app tells of logouts too."""
_SHARE_AGAIN = 0.08
_REUSED = 20
"""Day of the month on which a message has the id of another one."""


def user_name(user_id: int) -> str:
    """How the app's events name the user that its counters have as a number."""
    return f"00000000-0000-4000-8000-{user_id:012d}"


def body_of(login: Login, app_version: str = "2.3.0") -> str:
    """What the app sends of a login; addresses are of the ranges that are kept for examples."""
    rng = random.Random(f"{login.user_id} {login.device}")  # noqa: S311 (an invented world, no secret)
    return json.dumps({
        "user_id": user_name(login.user_id),
        "app_version": app_version,
        "device_type": login.device,
        "ip": f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randrange(1, 255)}",
        "locale": rng.choice(_LOCALES),
        "device_id": f"{rng.randrange(1000):03}-{rng.randrange(100):02}-{rng.randrange(10_000):04}",
    })  # fmt: skip


def past(zone: str) -> Iterator[tuple[date, list[Received]]]:
    """The messages of each day of the two months as they were received, some of them more than once."""
    by_day = _by_day(zone)
    for day, of_day in by_day.items():
        rng = random.Random(f"{logins.SEED} {day}")  # noqa: S311 (likewise)
        kept = of_day[_NUM_LOST:] if day == _LOST else of_day
        sent = [_sent(login, number) for number, login in enumerate(kept)]
        received_at = logins.midnight(day + timedelta(days=1), zone)
        again = [
            replace(message, receive_count=rng.choice((2, 3, 4)), received_at=received_at)
            for message in sent
            if rng.random() < _SHARE_AGAIN
        ]
        found = [*sent, *again, *_oddities(day, sent, received_at)]
        rng.shuffle(found)
        if day.day == _REUSED and sent:
            found.append(replace(sent[-1], message_id=sent[0].message_id))
        yield day, found


def living(counters: list[Counter]) -> list[tuple[Counter, str]]:
    """What the app sends now, a few logins of each counter, with the counter that counts each.

    The logins of one counter lie apart: with the same body at the same instant they would be one.
    """
    return [
        (counter, body_of(Login(counter.user_id, counter.user_type, counter.device, counter.last_at), version))
        for number, version in enumerate(["2.4", "2.4.1", "2.4.1"] * 3)
        for counter in counters
        if number < 3 * (1 + counter.user_id % 3)
    ]


def oddities_of_now() -> list[str]:
    """Bodies among them that no login can be made of."""
    return [_WRONG_TYPE, POISON, "not json at all", json.dumps({"user_id": user_name(1), "device_type": 7})]


@cache
def _by_day(zone: str) -> dict[date, list[Login]]:
    found: dict[date, list[Login]] = {}
    for login in logins.logins(zone):
        found.setdefault(login.at.astimezone(ZoneInfo(zone)).date(), []).append(login)
    return found


def _sent(login: Login, number: int) -> Received:
    millis = int(login.at.timestamp()) * 1000 + number % 1000
    message_id = str(uuid.uuid5(_NAMESPACE, f"{login.user_id} {login.device} {millis} {number}"))
    version = "2.3" if login.user_id % 4 == 0 else "2.3.0"
    return Received(message_id, body_of(login, version), str(millis), 1, login.at + timedelta(seconds=20))


def _oddities(day: date, sent: list[Received], received_at: datetime) -> list[Received]:
    """Once in a while: another kind of message, seconds for milliseconds, a logout, a body that is cut."""
    noon = str(int((received_at - timedelta(hours=12)).timestamp()))
    name = f"{_NAMESPACE} {day}"
    bodies = {
        2: _WRONG_TYPE,
        5: POISON,
        9: sent[0].body[:40] if sent else "{",
        12: json.dumps(json.loads(sent[0].body) | {"locale": "x" * 400}) if sent else "[]",
        16: json.dumps({"event_type": "password_changed", "user_id": user_name(3)}),
    }
    found: list[Received] = []
    if body := bodies.get(day.day):
        found.append(Received(str(uuid.uuid5(_NAMESPACE, name)), body, f"{noon}000", 1, received_at))
    if day >= _LOGOUTS_SINCE:  # of a stand-in of the queue that told seconds
        body = json.dumps({"event_type": "logout", "user_id": user_name(day.day), "device_id": "042-47-0028"})
        found.append(Received(str(uuid.uuid5(_NAMESPACE, f"{name} out")), body, noon, 1, received_at))
    return found
