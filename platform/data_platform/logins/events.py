"""What a message of the queue says: a row of the table of its type, or a reason why it cannot be one.

What does not belong here: whether it came before (`publish/messages.py`), and the seal that it is kept under.
"""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import cast
from zoneinfo import ZoneInfo

import polars as pl

from data_platform.contracts.contract import NO_TEXT, Contract
from data_platform.contracts.days import FIRST_DAY
from data_platform.logins.event_types import EventType, EventTypes, Field
from data_platform.privacy.tokens import TokenKey, tokens

EVENT_TYPE = "event_type"
_FILE = "logins/event_types.yaml"
_SECONDS_BELOW = 100_000_000_000  # as milliseconds that is March 1973, as seconds the year 5138
_LAST_SECOND = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
_CLOCKS_DIFFER = timedelta(hours=1)  # more, and the day may be one that has no partition yet
# Not \d: that has the digits of every script, of which no cast makes a number. One too long is none, not its beginning.
_VERSION = r"^\s*v?([0-9]{1,18})(?:\.([0-9]{1,18}))?(?:\.([0-9]{1,18}))?(?:[^0-9]|$)"
# How deep Python's reader comes depends on who calls it: the drain and a run of a day must read the same.
_DEEPEST = 100
_JSON_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)  # one that never ends reaches to the end: no second try
_BRACKET = re.compile(r"[\[\]{}]")


@dataclass(frozen=True)
class Message:
    """What is known of a message beside its id.

    Attributes:
        body: As sent.
        sent: When, as the queue says it: milliseconds since 1970 in digits; seconds are recognised.
        received_at: When it was received (UTC).
    """

    body: str = dataclasses.field(repr=False)
    sent: str | None
    received_at: datetime


@dataclass(frozen=True)
class Reason:
    """Why a message cannot be used: a stable code, and one sentence that never quotes it."""

    code: str
    detail: str


@dataclass(frozen=True)
class Judged:
    """What some messages say.

    Attributes:
        messages: One row a message: `position` from 1, `sent_at`, `table_name`, `day`, `reason` and `detail`; the last
            two are null for a message that can be used.
        rows: For each table the rows of those that can be used: its contract's columns without `evidence_id`.
    """

    messages: pl.DataFrame
    rows: Mapping[str, pl.DataFrame]


_NOT_JSON = Reason("not_json", f"The body is not JSON, or nests deeper than {_DEEPEST} levels; ask who sends it.")
_MESSAGES = {
    "position": pl.Int64, "sent_at": pl.Datetime("us", "UTC"), "table_name": pl.String, "day": pl.Date,
    "reason": pl.String, "detail": pl.String,
}  # fmt: skip


def judge(messages: Sequence[Message], types: EventTypes, zone: str, key: TokenKey) -> Judged:
    """Reads messages.

    Args:
        messages: In the order in which they lie in their batch.
        types: The declared types of events.
        zone: IANA name of the zone that decides the day.
        key: Makes the tokens.
    """
    tz = ZoneInfo(zone)
    found: list[tuple[object, ...]] = []
    usable: dict[str, list[tuple[object, ...]]] = {}
    # A message is JSON of any shape, of which no frame can be made before each is looked at by itself.
    for position, message in enumerate(messages, start=1):
        sent_at = _sent_at(message)
        day = max((sent_at or message.received_at).astimezone(tz).date(), FIRST_DAY)
        type_, values = _read(message.body, types)
        table = type_.contract.table
        if isinstance(values, tuple) and sent_at is None:
            values = _wrong_time(message.sent)
        if isinstance(values, Reason):
            found.append((position, sent_at, table, day, values.code, values.detail))
        else:
            found.append((position, sent_at, table, day, None, None))
            usable.setdefault(table, []).append((position, day, sent_at, *values))
    rows = {
        type_.contract.table: _rows(type_, usable[type_.contract.table], key, types.version)
        for type_ in types.by_name.values()
        if type_.contract.table in usable
    }
    return Judged(pl.DataFrame(found, schema=_MESSAGES, orient="row"), rows)


def _sent_at(message: Message) -> datetime | None:
    sent = message.sent
    if not sent or not sent.isascii() or not sent.isdecimal() or len(sent) > 15:  # noqa: PLR2004
        return None
    number = int(sent)
    seconds, micros = (number, 0) if number < _SECONDS_BELOW else (number // 1000, number % 1000 * 1000)
    if seconds >= _LAST_SECOND:
        return None
    at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
    return at if at.date() > FIRST_DAY and at <= message.received_at + _CLOCKS_DIFFER else None


def _wrong_time(sent: str | None) -> Reason:
    told = "no SentTimestamp" if sent is None else f"a SentTimestamp that is no time from {FIRST_DAY} to its arrival"
    return Reason("bad_sent_time", f"The message has {told}; milliseconds since 1970 were expected of the queue.")


def _read(body: str, types: EventTypes) -> tuple[EventType, tuple[str | None, ...] | Reason]:
    """The type of a message and the values of its fields, or why it cannot be used."""
    if _nests_too_deep(body):
        return types.first, _NOT_JSON
    try:
        content: object = json.loads(body)
    except ValueError:
        return types.first, _NOT_JSON
    if not isinstance(content, dict):
        return types.first, Reason("not_an_object", "The body is JSON, but no object with fields; ask who sends it.")
    fields = cast("dict[str, object]", content)
    name = fields.get(EVENT_TYPE)
    type_ = types.by_name.get(name) if name is None or isinstance(name, str) else None
    if type_ is None or not any(field.name in fields for field in type_.fields):
        return types.first, Reason(
            "unknown_type", f"The message is of no type in {_FILE}; declare it there, or ask who sends it."
        )
    values: list[str | None] = []
    for field in type_.fields:
        value = fields.get(field.name)
        if code := _wrong_value(value, field):
            return type_, Reason(code, _detail(code, field, type_))
        values.append(cast("str | None", value))
    return type_, tuple(values)


def _nests_too_deep(body: str) -> bool:
    if body.count("[") + body.count("{") <= _DEEPEST:
        return False
    brackets = _BRACKET.findall(_JSON_TEXT.sub("", body))
    return max(accumulate(1 if bracket in "[{" else -1 for bracket in brackets), default=0) > _DEEPEST


def _wrong_value(value: object, field: Field) -> str | None:
    if value is None:
        return None if field.may_be_null else "missing_field"
    if not isinstance(value, str):
        return "wrong_type"
    if not value:
        return "empty_field"
    num_bytes = len(value) if value.isascii() else len(value.encode(errors="replace"))
    if num_bytes > field.longest:
        return "too_long"
    return "not_text" if NO_TEXT.search(value) else None


def _detail(code: str, field: Field, type_: EventType) -> str:
    told = {
        "missing_field": "is missing",
        "wrong_type": "is no text",
        "empty_field": "is empty",
        "too_long": f"is longer than {field.longest} bytes of UTF-8",
        "not_text": "holds characters that cannot be stored",
    }[code]
    return (
        f"The field {field.name} {told}; {type_.contract.name} expects text of 1 to {field.longest} bytes, so"
        f" correct the sender, or {_FILE} and the contract."
    )


def _rows(type_: EventType, found: Sequence[tuple[object, ...]], key: TokenKey, version: str) -> pl.DataFrame:
    contract, entry = type_.contract, type_.entry
    head = {"position": pl.Int64, _day(contract): pl.Date, entry.sent: pl.Datetime("us", "UTC")}
    schema = head | {field.column: pl.String for field in type_.fields}
    rows = pl.DataFrame(found, schema=schema, orient="row").with_columns(transform_version=pl.lit(version))
    masked = [tokens(rows[field.column], field.column, key) for field in type_.fields if field.is_masked]
    parts = [
        pl.col(column).str.extract(_VERSION, number).cast(pl.Int64).alias(name)
        for column, names in entry.version.items()
        for number, name in enumerate(names, start=1)
    ]
    made = rows.with_columns(*masked, *parts)
    return made.select(name for name in contract.columns if name != "evidence_id")


def _day(contract: Contract) -> str:
    if contract.day is None:
        raise ValueError(f"{contract.table} has no day")
    return contract.day
