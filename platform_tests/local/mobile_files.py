"""The files of the sample world's mobile events, what they say in the plainest reading, and the sessions in them."""

import csv
import gzip
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise

import polars as pl

from data_platform.local.sample_world.mobile import FIRST_DAY, LAST_DAY, EventFile, event_files
from data_platform.sessions import rules
from data_platform.sessions.days import Days
from data_platform.sessions.delivery import named_day
from data_platform.sessions.events import read, united
from data_platform.sessions.sessionise import sessions_of

FILES = {file.file_name: file for file in event_files()}
PACKED, TYPED, LINES = (FILES[f"mobile_events_2026-10-{name}"] for name in ("08.csv.gz", "14.parquet", "23.jsonl"))
FIRST, SECOND = FILES["mobile_events_2026-10-17.csv"], FILES["mobile_events_2026-10-18.csv"]
CUT, LAST_REGULAR, LATE = (FILES[f"mobile_events_2026-{day}.csv"] for day in ("10-20", "11-01", "11-02"))
PLAIN = [file for name, file in FILES.items() if name.endswith(".csv")]
GAP, DAY, MILLISECOND = timedelta(minutes=15), timedelta(days=1), timedelta(milliseconds=1)
KNOWN_UNTIL = datetime(2026, 11, 1, 20, 8, 41, 507_000, UTC)

Record = dict[str, str]
Key = tuple[str, str]


@dataclass(frozen=True)
class Delivered:
    """A file as the sessions product sees it."""

    name: str
    content: bytes

    @property
    def evidence_id(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def day(self) -> date:
        day = named_day(self.name, arrived_on=date(2026, 11, 2))
        assert day
        return day

    @property
    def num_bytes(self) -> int:
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        yield self.content


def as_delivered(file: EventFile) -> Delivered:
    return Delivered(file.file_name, file.content)


def text_of(file: EventFile) -> str:
    return (gzip.decompress(file.content) if file is PACKED else file.content).decode("ascii")


def lines_of(file: EventFile) -> list[str]:
    """The lines of a delimited file below its header."""
    return text_of(file).splitlines()[1:]


def of_parquet(file: EventFile) -> list[Record]:
    rows = pl.read_parquet(file.content).iter_rows(named=True)
    return [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]


@cache
def records(file: EventFile) -> list[Record]:
    """What a file says, in the plainest way; a record that was cut off is left out."""
    if file is TYPED:
        return of_parquet(file)
    if file is LINES:
        return [{name: value or "" for name, value in json.loads(line).items()} for line in text_of(file).splitlines()]
    found = csv.DictReader(io.StringIO(text_of(file)), delimiter=";")
    return [record for record in found if record["created_at"] is not None]


def instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@cache
def events() -> dict[Key, list[tuple[datetime, str]]]:
    """For each user and device the instants and names of its events that can be used, each once, in order."""
    found: dict[Key, set[tuple[datetime, str]]] = {}
    for record in (record for file in FILES.values() for record in records(file)):
        at = instant(record["created_at"])
        key = (record["anonymous_id"].strip().lower(), record["context_device_id"].strip().lower())
        if at and FIRST_DAY <= at.date() <= LAST_DAY + DAY and all(key) and record["event_name"]:
            found.setdefault(key, set()).add((at, record["event_name"]))
    return {key: sorted(of_key) for key, of_key in found.items()}


def all_records() -> list[Record]:
    return [record for file in FILES.values() for record in records(file)]


def gaps() -> Counter[timedelta]:
    return Counter(later - earlier for of_key in events().values() for (earlier, _), (later, _) in pairwise(of_key))


@cache
def sessions(*, without: str | None = None) -> pl.DataFrame:
    """The product's sessions of all files, or of all but one."""
    read_files = [as_delivered(file) for file in FILES.values() if file.file_name != without]
    found = pl.concat(batch.events for file in read_files for batch in read(file))
    by_day = {
        of_day.item(0, "day"): united(of_day.item(0, "day"), [of_day], {}).rows for of_day in found.partition_by("day")
    }
    days = Days({day: rows.height for day, rows in by_day.items()}, lambda day: by_day[day].lazy(), rules.load())
    return pl.concat(sessions_of(day, days, "America/New_York").rows for day in sorted(by_day))


def kinds(found: pl.DataFrame) -> set[tuple[str, str]]:
    return set(found.select("verdict", "reason").iter_rows())


def longest(found: pl.DataFrame) -> timedelta:
    length = found.select((pl.col("ended_at") - pl.col("started_at")).max()).item()
    assert isinstance(length, timedelta)
    return length
