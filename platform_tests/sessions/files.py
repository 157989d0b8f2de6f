"""Delivered files of every form, and what they tell in plain words."""

import csv
import dataclasses
import gzip
import hashlib
import io
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import polars as pl

from data_platform.contracts.rejects import Rejects
from data_platform.sessions import events as product
from platform_tests.oracles import sessions as oracle
from platform_tests.oracles.sessions import DAY, Event, Record

COLUMNS = (
    "anonymous_id", "business_zoned", "context_app_version", "context_device_id", "context_os_name", "event_name",
    "received_at", "created_at",
)  # fmt: skip
DELIVERED_ON = date(2026, 6, 12)
FORMS = ("csv", "json", "parquet")


@dataclass(frozen=True)
class Delivered:
    """A file in memory."""

    content: bytes
    day: date = DELIVERED_ON
    name: str = "mobile_events_2026-06-12.csv"
    chunk_bytes: int = 2**20

    @property
    def evidence_id(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def num_bytes(self) -> int:
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        for begin in range(0, len(self.content), self.chunk_bytes):
            yield self.content[begin : begin + self.chunk_bytes]


@dataclass(frozen=True)
class Delivery:
    """A file, and the records that it was made of."""

    file: Delivered
    records: list[Record]

    @property
    def told(self) -> oracle.File:
        return oracle.File(self.file.evidence_id, self.file.day, self.records)


def a_record(**changes: str | None) -> dict[str, str | None]:
    """A record that can be used, but for what is changed."""
    values = ("6F9619FF", "Berlin", "1.9.0", "D-1", "iOS", "Application Opened", None, "2026-06-10T10:11:12.345Z")
    return dict(zip(COLUMNS, values, strict=True)) | changes


def text_of(records: Sequence[Record], columns: Sequence[str] = COLUMNS, delimiter: str = ";") -> bytes:
    """Delimited text, without a line end in any value."""
    written = io.StringIO()
    rows = csv.writer(written, delimiter=delimiter, lineterminator="\n")
    rows.writerows([columns, *([record.get(name, "x") or "" for name in columns] for record in records)])
    return written.getvalue().encode()


def lines_of(records: Iterable[Record]) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def parquet_of(records: Sequence[Record], columns: Sequence[str] = COLUMNS) -> bytes:
    return parquet(pl.DataFrame(records, schema=dict.fromkeys(columns, pl.String)))


def parquet(table: pl.DataFrame) -> bytes:
    written = io.BytesIO()
    table.write_parquet(written)
    return written.getvalue()


def read(content: bytes, **how: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events and rejects."""
    batches = list(product.read(dataclasses.replace(Delivered(content), **how)))
    rejects = pl.concat(batch.rejects for batch in batches)
    assert Rejects.is_valid(rejects)
    return pl.concat(batch.events for batch in batches), rejects


def account(content: bytes) -> tuple[int, int, int]:
    """Records in, used and rejected."""
    [counts] = product.delivered([Delivered(content)]).tally.select("num_in", "num_used", "num_rejected").rows()
    return counts


def reasons(content: bytes) -> list[str]:
    return read(content)[1]["reason"].to_list()


def users(content: bytes, **how: Any) -> list[str]:
    return read(content, **how)[0]["anonymous_id"].to_list()


def many(number: int) -> list[Record]:
    return [a_record(anonymous_id=f"user {place}") for place in range(number)]


def deliveries(events: Iterable[Event], choice: random.Random) -> list[Delivery]:
    """Files that tell of all the events, some more than once, in any order and form, with records that are none."""
    known = sorted(events, key=lambda event: event.order)
    records = [spelled(event, choice) for event in known for _ in range(choice.choice([1, 1, 1, 2, 3]))]
    records += [_spoiled(spelled(event, choice), choice) for event in known if choice.random() < 1 / 8]
    choice.shuffle(records)
    num_files = choice.randint(1, 4)
    parts: list[list[Record]] = [[] for _ in range(num_files)]
    for record in records:
        choice.choice(parts).append(record)
    last = max((event.day for event in known), default=DELIVERED_ON)
    days = [last, last, last + DAY, last + 40 * DAY, last - DAY, last - 3 * DAY]
    files = [_delivery(part, choice.choice(days), choice) for part in parts if part]
    return list({delivery.file.evidence_id: delivery for delivery in files}.values())


def spelled(event: Event, choice: random.Random) -> Record:
    """One of the ways to write an event."""
    blank = choice.choice([None, "", "  "])
    values = (
        _in_any_case(event.anonymous_id, choice), event.zone or blank, event.app_version or blank,
        _in_any_case(event.device_id, choice), event.os_name or blank, event.event_name,
        _written(event.received_at, choice) if event.received_at else blank, _written(event.created_at, choice),
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def _in_any_case(name: str, choice: random.Random) -> str:
    return "".join(choice.choice([letter.lower(), letter.upper()]) for letter in name)


def _written(at: datetime, choice: random.Random) -> str:
    offset = choice.choice([timedelta(0), timedelta(hours=2), timedelta(hours=-9, minutes=-30), timedelta(hours=14)])
    precision = "milliseconds" if at.microsecond % 1000 == 0 and choice.random() < 1 / 2 else "microseconds"
    kind = choice.choice(["offset", "zulu", "zoneless", "zoneless with a space"])
    if kind == "offset":
        return at.astimezone(timezone(offset)).isoformat(timespec=precision)
    plain = at.astimezone(UTC).replace(tzinfo=None)
    text = plain.isoformat(sep=" " if kind.endswith("space") else "T", timespec=precision)
    return f"{text}Z" if kind == "zulu" else text


def _spoiled(record: Record, choice: random.Random) -> Record:
    names = ["anonymous_id", "context_device_id", "event_name", "created_at", "received_at", "created_at"]
    name = choice.choice(names)
    if name.endswith("_at"):
        bad = ["yesterday", "2026-02-30T00:00:00Z", "2019-12-31T23:59:59.999999Z", "1970-01-01 00:00:00", "12.06.2026"]
        return dict(record) | {name: choice.choice([*bad, "2093-01-01T00:00:00Z"])}
    blank = {name: choice.choice([None, "", " "])}
    return dict(record) | blank | ({"event_name": None} if choice.random() < 1 / 4 else {})


def _delivery(records: list[Record], day: date, choice: random.Random) -> Delivery:
    columns = choice.sample(COLUMNS, len(COLUMNS))
    form = choice.choice(FORMS)
    if form == "csv":
        content = text_of(records, [*columns, "original_timestamp"], choice.choice(";;,\t|"))
    elif form == "json":
        told = [{name: record[name] for name in columns} for record in records]
        some = [
            {name: value for name, value in of.items() if value is not None or choice.random() < 1 / 2} for of in told
        ]
        content = lines_of(some)
    else:
        content = parquet_of(records, columns)
    if choice.random() < 1 / 2:
        content = gzip.compress(content, mtime=0)
    chunk_bytes = choice.choice([7, 64, 1000, 2**20])
    return Delivery(Delivered(content, day, f"mobile_events_{day}.{form}", chunk_bytes), records)
