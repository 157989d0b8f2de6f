"""Messages as an app sends them: good ones, bad ones with the reason that they are to be rejected for, and copies."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from platform_tests.queues.file_queue import FileQueue

# The two days of one night in New York, a day years before, and one soon after.
_INSTANTS = [
    int(datetime(*at, tzinfo=UTC).timestamp())
    for at in ((2023, 7, 7, 3, 30), (2023, 7, 7, 4, 30), (2020, 2, 29, 12, 0), (2023, 7, 8, 3, 59))
]


def _login(tag: str, **changes: object) -> str:
    fields = {
        "user_id": tag, "app_version": "2.3.0", "device_type": "android", "ip": "203.0.113.7", "locale": None,
        "device_id": "042-47-0028",
    }  # fmt: skip
    return json.dumps(fields | changes)


_GOOD: list[Callable[[str], str]] = [
    _login,
    lambda tag: _login(tag, locale="RU", app_version="5.12"),
    lambda tag: _login(tag, device_type="ios", extra=[1, {"deep": tag}]),
    lambda tag: json.dumps({"event_type": "logout", "user_id": tag, "device_id": "042-47-0028", "cause": "timeout"}),
]
_BAD: dict[str, Callable[[str], str]] = {
    "unknown_type": lambda tag: json.dumps({"foo": "oops_wrong_msg_type", "bar": tag}),
    "not_json": lambda tag: f'{{"user_id": "{tag}\0',
    "not_an_object": lambda tag: json.dumps([tag]),
    "missing_field": lambda tag: json.dumps({"user_id": tag, "ip": "203.0.113.7"}),
    "wrong_type": lambda tag: _login(tag, device_type=7),
    "empty_field": lambda tag: _login(tag, ip=""),
    "too_long": lambda tag: _login(tag, device_type="x" * 33),
    "not_text": lambda tag: _login(tag, locale="\ud800"),
}
# The last but one is a time, in the year 2089.
_NO_TIMES = [None, "", "soon", "0", "99999999999999", "3765000000000", "9" * 16]

BAD_TIME = "bad_sent_time"


@dataclass
class Bag:
    """What is sent to a queue, and what each body is to become.

    Attributes:
        reasons: For each body the reason that it is to be rejected for; None for one that can be used.
    """

    queue: FileQueue
    rng: random.Random
    reasons: dict[str, str | None] = field(default_factory=dict[str, str | None])
    sent: list[tuple[str, str, str | None]] = field(default_factory=list[tuple[str, str, str | None]])

    def send_new(self, reason: str | None = None, *, timed: bool = True) -> None:
        """Sends a message of its own."""
        tag = f"user-{len(self.sent)}"
        body = (_BAD[reason] if reason else self.rng.choice(_GOOD))(tag)
        self.reasons[body] = reason
        self._send(self._new_id(), body, self._time() if timed else self.rng.choice(_NO_TIMES))

    def send_large(self, num_bytes: int) -> None:
        """Sends a login with a long field that nobody asks for; no compression makes it short."""
        body = _login(f"user-{len(self.sent)}", extra=self.rng.randbytes(num_bytes // 2).hex())
        self.reasons[body] = None
        self._send(self._new_id(), body, self._time())

    def send_some(self, number: int) -> None:
        """Sends messages of any kind, now and then one like an earlier one."""
        for _ in range(number):
            kind = self.rng.random()
            if self.sent and kind < 0.3:
                self.send_like(self.rng.choice(self.sent))
            elif kind < 0.5:
                self.send_new(self.rng.choice(list(_BAD)))
            else:
                self.send_new(timed=kind < 0.95)

    def send_one_of_each(self) -> None:
        """Sends a message of each kind, and each kind of copy."""
        for reason in (None, None, *_BAD):
            self.send_new(reason)
        self.send_new(timed=False)
        for copy in range(4):
            self.send_like(self.sent[0], copy)

    def send_like(self, earlier: tuple[str, str, str | None], copy: int | None = None) -> None:
        """Sends what resembles an earlier message: the same, its id with another body, its content under another id."""
        message_id, body, sent = earlier
        copy = self.rng.randrange(4) if copy is None else copy
        if copy == 0:
            self._send(message_id, body, sent)
        elif copy == 1:
            other = _login(f"other-{len(self.sent)}")
            self.reasons[other] = None
            self._send(message_id, other, self._time())
        elif copy == 2:
            self._send(self._new_id(), body, sent)
        else:
            self._send(self._new_id(), body, self._time())

    def _send(self, message_id: str, body: str, sent: str | None) -> None:
        self.sent.append((message_id, body, sent))
        self.queue.send(message_id, body, sent)

    def _new_id(self) -> str:
        return str(UUID(int=self.rng.getrandbits(128)))

    def _time(self) -> str:
        seconds = self.rng.choice(_INSTANTS) + self.rng.randrange(600)
        return str(seconds) if self.rng.random() < 0.1 else str(seconds * 1000 + self.rng.randrange(3))
