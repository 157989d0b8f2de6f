"""Login events, slow and obvious: one message at a time in the order of receiving, with its own reading of JSON."""

import string
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEEPEST = 100
MOST_DIGITS = 4_300
"""Python reads no longer whole number."""

SPACES = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))

Fields = list[tuple[str, int, bool]]
"""Name, longest length in bytes, and whether it may be missing; in the order in which they are looked at."""

TYPES: dict[str | None, tuple[str, Fields]] = {
    None: ("logins.user_logins", [
        ("user_id", 128, False), ("device_type", 32, False), ("locale", 32, True), ("app_version", 32, False),
        ("ip", 256, False), ("device_id", 256, False),
    ]),
    "logout": ("logins.user_logouts", [("user_id", 128, False), ("cause", 32, True), ("device_id", 256, False)]),
}  # fmt: skip
MASKED = {"ip", "device_id"}


class NoJson(Exception):
    """A text is no JSON."""


@dataclass(frozen=True)
class Received:
    """A message as it came."""

    message_id: str
    body: str
    sent: str | None
    received_at: datetime


@dataclass(frozen=True)
class Line:
    """What became of a message; `values` of its fields where it can be used."""

    outcome: str
    table: str
    day: date
    sent_at: datetime | None
    reason: str | None
    values: dict[str, str | None] = field(default_factory=dict[str, str | None])


def book(messages: Iterable[Received], zone: str) -> list[Line]:
    """What becomes of each message."""
    lines: list[Line] = []
    bodies: dict[str, set[str]] = {}
    contents: set[tuple[datetime, str]] = set()
    for message in messages:
        table, verdict = judged(message.body)
        at = sent_at(message)
        if isinstance(verdict, dict) and at is None:
            verdict = "bad_sent_time"
        reason = verdict if isinstance(verdict, str) else None
        values = verdict if isinstance(verdict, dict) else {}
        with_id = bodies.setdefault(message.message_id, set())
        if message.body in with_id:
            outcome = "duplicate"
        elif with_id:
            outcome = "conflicting"
        elif at is not None and (at, message.body) in contents:
            outcome = "duplicate"
        else:
            outcome = "rejected" if reason else "stored"
            if at is not None:
                contents.add((at, message.body))
        with_id.add(message.body)
        lines.append(Line(outcome, table, day_of(at or message.received_at, zone), at, reason, values))
    return lines


def day_of(at: datetime, zone: str) -> date:
    """The day at that place; nothing is older than the first of 2020."""
    offset = at.astimezone(ZoneInfo(zone)).utcoffset() or timedelta(0)
    return max(date(1970, 1, 1) + timedelta(days=(at - EPOCH + offset) // timedelta(days=1)), date(2020, 1, 1))


def sent_at(message: Received) -> datetime | None:
    """When it was sent: milliseconds, or seconds where milliseconds would be before March 1973."""
    sent = message.sent
    if not sent or any(digit not in string.digits for digit in sent) or len(sent) > 15:
        return None
    number = int(sent)
    millis = number * 1000 if number < 100_000_000_000 else number
    if not datetime(2020, 1, 2, tzinfo=UTC) <= EPOCH + timedelta(milliseconds=min(millis, 10**14)):
        return None
    at = EPOCH + timedelta(milliseconds=min(millis, 10**14))
    return None if at >= datetime(2100, 1, 1, tzinfo=UTC) or at - message.received_at > timedelta(hours=1) else at


def judged(body: str) -> tuple[str, dict[str, str | None] | str]:
    """The table of a message, and its values or the reason why it has none."""
    try:
        content = Json(body).whole()
    except NoJson:
        return TYPES[None][0], "not_json"
    if not isinstance(content, dict):
        return TYPES[None][0], "not_an_object"
    return judged_fields(content)


def judged_fields(content: dict[str, object]) -> tuple[str, dict[str, str | None] | str]:
    """The same of an object's fields."""
    unknown = TYPES[None][0]
    kind = content.get("event_type")
    if not (kind is None or isinstance(kind, str)) or kind not in TYPES:
        return unknown, "unknown_type"
    table, fields = TYPES[kind]
    if not {name for name, _, _ in fields} & content.keys():
        return unknown, "unknown_type"
    values: dict[str, str | None] = {}
    for name, longest, may_be_missing in fields:
        value = content.get(name)
        if isinstance(value, str):
            if wrong := wrong_text(value, longest):
                return table, wrong
            values[name] = value
        elif value is None and may_be_missing:
            values[name] = None
        else:
            return table, "missing_field" if value is None else "wrong_type"
    return table, values


def wrong_text(value: str, longest: int) -> str | None:
    """What is wrong with a text; its length is that of its bytes in UTF-8."""
    if not value:
        return "empty_field"
    if sum(1 if ch < "\x80" else 2 if ch < "\u0800" else 3 if ch < "\U00010000" else 4 for ch in value) > longest:
        return "too_long"
    return "not_text" if any(ch == "\0" or "\ud800" <= ch <= "\udfff" for ch in value) else None


def numbers(version: str) -> tuple[int | None, int | None, int | None]:
    """The first three numbers of a version; one of more than 18 digits is none."""
    found: list[int | None] = []
    for part in version.lstrip(SPACES).removeprefix("v").split(".")[:3]:
        digits = part[: len(part) - len(part.lstrip(string.digits))]
        if not 1 <= len(digits) <= 18:
            break
        found.append(int(digits))
        if digits != part:
            break
    first, second, third = [*found, None, None, None][:3]
    return first, second, third


class Json:
    """A text of JSON, read character by character; of a key that stands twice the last counts."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> object:
        value = self.value(0)
        self.space()
        if self.at < len(self.text):
            raise NoJson
        return value

    def space(self) -> None:
        while self.peek() in (" ", "\t", "\n", "\r"):
            self.at += 1

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, expected: str) -> bool:
        if not self.text.startswith(expected, self.at):
            return False
        self.at += len(expected)
        return True

    def must(self, expected: str) -> None:
        if not self.take(expected):
            raise NoJson

    def value(self, depth: int) -> object:
        self.space()
        if depth == DEEPEST and self.peek() in ("[", "{"):
            raise NoJson
        if self.take("{"):
            return self.fields(depth + 1)
        if self.take("["):
            return self.items(depth + 1)
        if self.take('"'):
            return self.string()
        for word, meant in {
            "true": True, "false": False, "null": None, "NaN": 0.5, "Infinity": 0.5, "-Infinity": 0.5,
        }.items():  # fmt: skip
            if self.take(word):
                return meant
        return self.number()

    def fields(self, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        self.space()
        if self.take("}"):
            return found
        while True:
            self.space()
            self.must('"')
            key = self.string()
            self.space()
            self.must(":")
            found[key] = self.value(depth)
            self.space()
            if self.take("}"):
                return found
            self.must(",")

    def items(self, depth: int) -> list[object]:
        found: list[object] = []
        self.space()
        if self.take("]"):
            return found
        while True:
            found.append(self.value(depth))
            self.space()
            if self.take("]"):
                return found
            self.must(",")

    def string(self) -> str:
        units: list[str] = []
        while not self.take('"'):
            character = self.peek()
            if not character or character < " ":
                raise NoJson
            self.at += 1
            if character != "\\":
                units.append(character)
                continue
            escape = self.peek()
            self.at += 1
            if escape == "u":
                units.append(self.escaped())
            elif escape and escape in '"\\/bfnrt':
                units.append({"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}.get(escape, escape))
            else:
                raise NoJson
        return "".join(units)

    def escaped(self) -> str:
        """A character of `\\uXXXX`; two escapes that are halves of one pair are one character."""
        high = self.four_digits()
        if 0xD800 <= high < 0xDC00 and self.text.startswith("\\u", self.at):
            before = self.at
            self.at += 2
            low = self.four_digits()
            if 0xDC00 <= low < 0xE000:
                return chr(0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00)
            self.at = before
        return chr(high)

    def four_digits(self) -> int:
        digits = self.text[self.at : self.at + 4]
        if len(digits) < 4 or any(digit not in string.hexdigits for digit in digits):
            raise NoJson
        self.at += 4
        return int(digits, 16)

    def digits(self) -> int:
        start = self.at
        while self.peek() and self.peek() in string.digits:
            self.at += 1
        return self.at - start

    def number(self) -> object:
        self.take("-")
        num_digits = 1 if self.take("0") else self.digits()
        if not num_digits:
            raise NoJson
        is_whole = True
        for mark in (".", "eE"):
            before = self.at
            if self.peek() and self.peek() in mark:
                self.at += 1
                if mark == "eE" and self.peek() and self.peek() in "+-":
                    self.at += 1
                if self.digits():
                    is_whole = False
                else:
                    self.at = before
        if is_whole and num_digits > MOST_DIGITS:
            raise NoJson
        return 0.5
