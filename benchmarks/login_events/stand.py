"""What messages are drained from, and where to: a queue that costs nothing, databases, and how long it took."""

import itertools
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import psycopg2
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from data_platform.defs.logins.draining import office_of
from data_platform.lake.store import Store
from data_platform.publish.draining import Limits, Office
from data_platform.queues.sqs import Depth, Message
from data_platform.settings import Settings
from data_platform.stack import Stack
from data_platform.warehouse.connection import Warehouse

EMPTY, FULL = "empty", "full"
AT_ONCE = 10  # SQS hands out no more
BATCH = Limits().batch_messages
_FOREVER = 1e9
_YEARS = timedelta(days=730)
_KNOWN = """
INSERT INTO ops.message_ledger
SELECT (n - {known}) / {batch} - 1, n % {batch} + 1, gen_random_uuid()::text, gen_random_uuid(), at,
    CASE n % 10 WHEN 0 THEN 'logins.user_logouts' ELSE 'logins.user_logins' END, (at AT TIME ZONE 'UTC')::date, 'stored'
FROM (SELECT n, timestamptz '{first}' + n * interval '1 second' * ({seconds} / {known}) AS at
    FROM generate_series(0, {known} - 1) AS n) AS known
"""
_numbers = itertools.count(time.time_ns())  # another process has others


@dataclass
class Given:
    """A queue in memory that hands out what it is given, and takes note of what is deleted."""

    given: Iterator[list[Message]]
    deleted: Callable[[int], object] = lambda _: None
    name: str = "given"
    visibility_seconds: int = 3600
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def receive(self, *, wait_seconds: int) -> list[Message]:  # noqa: ARG002 (the queue's form)
        with self._lock:
            return next(self.given, [])

    def delete(self, receipts: Sequence[str]) -> list[str]:
        self.deleted(len(receipts))
        return []

    def extend(self, receipts: Sequence[str], seconds: int) -> None:
        pass

    def depth(self) -> Depth:
        return Depth(0, 0, 0)


def messages(num: int) -> Iterator[list[Message]]:
    """New messages, ten at a time: nine logins and a logout, of a million users, sent a millisecond apart."""
    first = int(time.time() * 1000) - num
    for start in range(0, num, AT_ONCE):
        yield [_message(next(_numbers), first + number) for number in range(start, min(start + AT_ONCE, num))]


def _message(number: int, sent: int) -> Message:
    user = number * 2_654_435_761 % 1_000_003
    told = {"user_id": f"424cdd21-063a-43a7-b91b-{user:012d}", "device_id": f"{user % 1000:03d}-47-{user:06d}"}
    if number % 10:
        told |= {
            "device_type": "android" if user % 3 else "ios", "ip": f"199.{user % 223}.{user % 251}.{user % 241}",
            "locale": "RU", "app_version": f"2.{number % 7}.{number % 3}",
        }  # fmt: skip
    else:
        told |= {"event_type": "logout", "cause": "asked for"}
    # Ids are random where they come from; this spreads them alike and costs less.
    spread = number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128
    message_id = f"{spread:032x}"
    return Message(f"{message_id[:8]}-{message_id[8:]}", json.dumps(told), str(sent), 1, f"receipt-{number}")


def ring_in(folder: Path) -> SecretStr:
    return SecretStr((folder / "keys.json").as_uri())


def office_in(url: str, folder: Path) -> Office:
    lake = Store((folder / "lake").as_uri())
    settings = Settings(local_dir=folder, privacy_keys=ring_in(folder))
    return office_of(Stack(settings, Warehouse(SecretStr(url)), lake, lake, None, lake, None), "bench")


def run(url: str, *statements: str) -> None:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True  # VACUUM asks for it
        for statement in statements:
            cursor.execute(statement)


def fill(url: str, known: int) -> None:
    """Makes a ledger know messages, in the order of sending; its indexes are made after, the same as they were."""
    began = time.perf_counter()
    first = datetime.now(UTC) - _YEARS
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'message_ledger'")
        indexes = {name: made for name, made in cursor.fetchall() if not name.endswith("_pkey")}
    run(
        url,
        *(f"DROP INDEX ops.{name}" for name in indexes),
        "ALTER TABLE ops.message_ledger DROP CONSTRAINT message_ledger_pkey",
        "SET maintenance_work_mem = '1GB'",
        _KNOWN.format(known=known, batch=BATCH, first=first.isoformat(), seconds=f"{_YEARS.total_seconds()}"),
        "ALTER TABLE ops.message_ledger ADD PRIMARY KEY (batch_id, position)",
        *indexes.values(),
        "VACUUM (ANALYZE) ops.message_ledger",
        "CHECKPOINT",
    )
    print(f"{known:,} known messages were written in {time.perf_counter() - began:.0f} s.", flush=True)


class Backends:
    """The processor time of the Postgres that a folder holds."""

    def __init__(self, folder: Path) -> None:
        pid_file = folder / "postgres" / "data" / "postmaster.pid"
        self._postmaster = psutil.Process(int(pid_file.read_text().split()[0]))

    def cpu_seconds(self) -> float:
        ended = self._postmaster.cpu_times()
        seconds = ended.user + ended.system + ended.children_user + ended.children_system
        for process in self._postmaster.children():
            try:
                own = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            seconds += own.user + own.system
        return seconds


@dataclass(frozen=True)
class Taken:
    """What some messages took: wall seconds, and processor seconds of this process and of the server."""

    num: int
    seconds: float
    cpu_here: float
    cpu_there: float

    @property
    def rate(self) -> float:
        return self.num / self.seconds


@contextmanager
def taking(num: int, server: Backends, into: list[Taken]) -> Iterator[None]:
    began, here, there = time.perf_counter(), time.process_time(), server.cpu_seconds()
    yield
    seconds, here_after = time.perf_counter() - began, time.process_time()
    into.append(Taken(num, seconds, here_after - here, server.cpu_seconds() - there))


def drained(office: Office, queue: Given, num: int) -> None:
    drained = office.drain([queue], Limits(messages=num, seconds=_FOREVER, wait_seconds=0))
    if drained.counts != {"stored": num, "duplicate": 0, "conflicting": 0, "rejected": 0}:
        raise RuntimeError(f"expected {num} messages to be stored, found {drained.counts}")


def show(table: Table) -> None:
    Console(width=None if sys.stdout.isatty() else 140).print(table)
