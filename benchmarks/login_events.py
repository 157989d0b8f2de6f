"""Login events out of a queue that costs nothing, into ledger, evidence and tables, with durable commits.

The rate of a whole drain into an empty ledger and into one that knows many messages, taken in turns with the usual
consumer: a message at a time, JSON, HMAC, an INSERT and a commit each. What the parts of a batch take. The memory of a
process that drains many. Masking beside the bare HMAC of the distinct values.
"""

import argparse
import hmac
import itertools
import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import psutil
import psycopg2
import psycopg2.extensions
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from benchmarks.measure import in_turns, ratio, turns
from data_platform.defs.logins.draining import office_of
from data_platform.lake import evidence
from data_platform.lake.store import Store
from data_platform.local import postgres
from data_platform.local.postgres import Server
from data_platform.logins import events
from data_platform.privacy import keyring
from data_platform.privacy.keyring import KeyRing
from data_platform.privacy.tokens import tokens
from data_platform.publish import draining
from data_platform.publish import messages as ledger
from data_platform.publish.draining import Limits, Office
from data_platform.queues.sqs import Depth, Message
from data_platform.settings import Settings, sql_folder
from data_platform.stack import Stack
from data_platform.warehouse.connection import Transaction, Warehouse
from data_platform.warehouse.migrate import migrate

EMPTY, FULL = "empty", "full"
_AT_ONCE = 10  # SQS hands out no more
_BATCH = Limits().batch_messages
_FOREVER = 1e9
_YEARS = timedelta(days=730)
_KNOWN = """
INSERT INTO ops.message_ledger
SELECT (n - {known}) / {batch} - 1, n % {batch} + 1, gen_random_uuid()::text, gen_random_uuid(), at,
    CASE n % 10 WHEN 0 THEN 'logins.user_logouts' ELSE 'logins.user_logins' END, (at AT TIME ZONE 'UTC')::date, 'stored'
FROM (SELECT n, timestamptz '{first}' + n * interval '1 second' * ({seconds} / {known}) AS at
    FROM generate_series(0, {known} - 1) AS n) AS known
"""
_USUAL_TABLE = """
CREATE TABLE usual_logins (message_id text PRIMARY KEY, user_id text, device_type text, masked_ip text,
    masked_device_id text, locale text, app_version text, logged_in_at timestamptz)
"""
_USUAL_INSERT = """
INSERT INTO usual_logins VALUES (%s, %s, %s, %s, %s, %s, %s, to_timestamp(%s)) ON CONFLICT (message_id) DO NOTHING
"""
_numbers = itertools.count(time.time_ns())  # another process has others


def add_options(parser: argparse._ArgumentGroup) -> None:  # pyright: ignore[reportPrivateUsage]  # it has no public name
    """The flags of this benchmark."""
    for flag, default, told in (
        ("--messages", 50_000, "messages of a round"),
        ("--message-rounds", 3, "rounds"),
        ("--known-messages", 2_000_000, "messages known before"),
        ("--usual-messages", 2_000, "messages of the usual consumer in a round"),
        ("--drained-messages", 400_000, "messages to watch memory over"),
        ("--masked-values", 1_000_000, "values to mask"),
    ):
        parser.add_argument(flag, type=int, default=default, help=f"{told} (default: {default:,})")


def main(options: argparse.Namespace) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        server = postgres.ensure(place / "postgres", [EMPTY, FULL])
        try:
            for database in (EMPTY, FULL):
                migrate(SecretStr(server.url(database)), sql_folder() / "migrations")
            keyring.ensure_ring(place / "keys.json")
            # First: a process is told a peak of at least what the one that started it held then.
            _memory(server, place, options)
            _fill(server.url(FULL), options.known_messages)
            _breakdown(server, place, options)
            _rates(server, place, options)
            _masking(keyring.read_ring(_ring_in(place)), options)
        finally:
            postgres.release(place / "postgres")


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
    for start in range(0, num, _AT_ONCE):
        yield [_message(next(_numbers), first + number) for number in range(start, min(start + _AT_ONCE, num))]


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


def _ring_in(folder: Path) -> SecretStr:
    return SecretStr((folder / "keys.json").as_uri())


def _office(url: str, folder: Path) -> Office:
    lake = Store((folder / "lake").as_uri())
    settings = Settings(local_dir=folder, privacy_keys=_ring_in(folder))
    return office_of(Stack(settings, Warehouse(SecretStr(url)), lake, lake, None, lake, None), "bench")


def _run(url: str, *statements: str) -> None:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True  # VACUUM asks for it
        for statement in statements:
            cursor.execute(statement)


def _fill(url: str, known: int) -> None:
    """Makes a ledger know messages, in the order of sending; its indexes are made after, the same as they were."""
    began = time.perf_counter()
    first = datetime.now(UTC) - _YEARS
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'message_ledger'")
        indexes = {name: made for name, made in cursor.fetchall() if not name.endswith("_pkey")}
    _run(
        url,
        *(f"DROP INDEX ops.{name}" for name in indexes),
        "ALTER TABLE ops.message_ledger DROP CONSTRAINT message_ledger_pkey",
        "SET maintenance_work_mem = '1GB'",
        _KNOWN.format(known=known, batch=_BATCH, first=first.isoformat(), seconds=f"{_YEARS.total_seconds()}"),
        "ALTER TABLE ops.message_ledger ADD PRIMARY KEY (batch_id, position)",
        *indexes.values(),
        "VACUUM (ANALYZE) ops.message_ledger",
        "CHECKPOINT",
    )
    print(f"{known:,} known messages were written in {time.perf_counter() - began:.0f} s.", flush=True)


class _Server:
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
def _taking(num: int, server: _Server, into: list[Taken]) -> Iterator[None]:
    began, here, there = time.perf_counter(), time.process_time(), server.cpu_seconds()
    yield
    seconds, here_after = time.perf_counter() - began, time.process_time()
    into.append(Taken(num, seconds, here_after - here, server.cpu_seconds() - there))


def _drained(office: Office, queue: Given, num: int) -> None:
    drained = office.drain([queue], Limits(messages=num, seconds=_FOREVER, wait_seconds=0))
    if drained.counts != {"stored": num, "duplicate": 0, "conflicting": 0, "rejected": 0}:
        raise RuntimeError(f"expected {num} messages to be stored, found {drained.counts}")


def _rates(server: Server, folder: Path, options: argparse.Namespace) -> None:
    used = _Server(folder)
    names = {EMPTY: "drain, nothing known", FULL: f"drain, {options.known_messages:,} known", "usual": "usual consumer"}
    _run(server.url(EMPTY), "TRUNCATE ops.message_ledger", _USUAL_TABLE)

    def drain(database: str) -> Taken:
        office, taken = _office(server.url(database), folder), list[Taken]()
        given = list(messages(options.messages))
        with _taking(options.messages, used, taken):
            _drained(office, Given(iter(given)), options.messages)
        return taken[0]

    def usual() -> Taken:
        taken = list[Taken]()
        given = list(messages(options.usual_messages))
        # Closed after the measuring: the server's part of a connection that has ended is told later.
        with closing(psycopg2.connect(server.url(EMPTY))) as connection, _taking(options.usual_messages, used, taken):
            _usual_consumer(connection, given)
        return taken[0]

    ways: dict[str, Callable[[], Taken]] = {
        names[EMPTY]: lambda: drain(EMPTY),
        names[FULL]: lambda: drain(FULL),
        names["usual"]: usual,
    }
    table = Table(
        "way", "messages a second", "min-max", "cpu s of 10,000: here", "in Postgres", "to the usual consumer",
        title=f"{options.messages:,} new messages a round, in batches of {_BATCH:,}", title_justify="left",
    )  # fmt: skip
    found = turns(ways, rounds=options.message_rounds)
    load = f"{os.getloadavg()[0]:.1f} processes wanted the {os.cpu_count()} cores in the last minute."
    for name, taken in found.items():
        rates, scale = [one.rate for one in taken], 10_000 / taken[0].num
        table.add_row(
            name,
            f"{statistics.median(rates):,.0f}",
            f"{min(rates):,.0f}-{max(rates):,.0f}",
            f"{statistics.median(one.cpu_here for one in taken) * scale:.2f}",
            f"{statistics.median(one.cpu_there for one in taken) * scale:.2f}",
            f"{_to(found, name, names['usual']):.1f}",
        )
    _print(table)
    print(f"With {options.known_messages:,} known, to none: {_to(found, names[FULL], names[EMPTY]):.2f} of the rate.")
    print(f"{load}\n", flush=True)


def _to(found: Mapping[str, list[Taken]], of: str, to: str) -> float:
    """Median over the rounds of one way's rate to another's in the same round."""
    return statistics.median(ours.rate / theirs.rate for ours, theirs in zip(found[of], found[to], strict=True))


def _usual_consumer(connection: psycopg2.extensions.connection, given: Iterable[list[Message]]) -> None:
    """Receives, masks, writes and commits one message after the other; only the receiving costs it nothing."""
    key = b"a key of this consumer's own, 32"

    def masked(text: str | None) -> str | None:
        return None if text is None else hmac.new(key, text.encode(), "sha256").hexdigest()

    with connection.cursor() as cursor:
        for message in itertools.chain.from_iterable(given):
            told = json.loads(message.body)
            row = (
                message.message_id, told["user_id"], told.get("device_type"), masked(told.get("ip")),
                masked(told["device_id"]), told.get("locale"), told.get("app_version"), int(message.sent or 0) / 1000,
            )  # fmt: skip
            cursor.execute(_USUAL_INSERT, row)
            connection.commit()


class _Stopwatch:
    """Wall and processor seconds by piece of work, of each the pieces inside it left out."""

    def __init__(self, server: _Server) -> None:
        self.spent: dict[str, list[float]] = {}
        self._server = server
        self._open: list[str] = []
        self._since = self._now()

    def _now(self) -> tuple[float, float, float]:
        return time.perf_counter(), time.process_time(), self._server.cpu_seconds()

    def _book(self) -> None:
        now = self._now()
        if self._open:
            spent = self.spent.setdefault(self._open[-1], [0.0, 0.0, 0.0])
            for place, (after, before) in enumerate(zip(now, self._since, strict=True)):
                spent[place] += after - before
        self._since = self._now()

    @contextmanager
    def piece(self, name: str) -> Iterator[None]:
        self._book()
        self._open.append(name)
        try:
            yield
        finally:
            self._book()
            self._open.pop()

    def around(self, told: "str | Callable[..., str]", work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: object, **named: object) -> Any:  # noqa: ANN401 (whatever the work returns)
            with self.piece(told if isinstance(told, str) else told(*arguments)):
                return work(*arguments, **named)

        return timed


_PIECES = (
    (draining, "encoded", "encode, with the lines"),
    (draining, "seal", "seal"),
    (Office, "_judged", "judge: frame of messages"),
    (events, "judge", "judge: parse"),
    (events, "_rows", "judge: rows"),
    (events, "tokens", "judge: tokens"),
    (draining, "fingerprints", "fingerprints"),
    (evidence, "fingerprint", "evidence: SHA-256"),
    (evidence, "keep", "evidence: write"),
    (ledger, "begin", "transaction: begin"),
    (ledger, "settle", "transaction: rest of settle"),
    (ledger, "outcomes", "transaction: outcomes"),
    (draining, "_delete", "delete"),
)
_QUERIES = {"hashtextextended(l": "transaction: known ids and contents"}


def _query_piece(_: Transaction, sql: str, *_values: object) -> str:
    return next((piece for part, piece in _QUERIES.items() if part in sql), "transaction: small statements")


def _copy_piece(_: Transaction, _schema: str, table: str, _frame: pl.DataFrame) -> str:
    return "transaction: COPY ledger" if table == "message_ledger" else "transaction: COPY rows"


def _breakdown(server: Server, folder: Path, options: argparse.Namespace) -> None:
    office, watch = _office(server.url(FULL), folder), _Stopwatch(_Server(folder))
    for _ in range(2):  # the first come to cold caches
        _drained(office, Given(messages(_BATCH)), _BATCH)
    num_batches = max(options.messages // _BATCH, 1)
    with ExitStack() as wrapped:
        for owner, name, piece in _PIECES:
            wrapped.enter_context(mock.patch.object(owner, name, watch.around(piece, getattr(owner, name))))
        for name, told in (("query", _query_piece), ("run", _query_piece), ("copy_in", _copy_piece)):
            wrapped.enter_context(mock.patch.object(Transaction, name, watch.around(told, getattr(Transaction, name))))
        commit = watch.around("transaction: commit", adbc.Connection.commit)
        wrapped.enter_context(mock.patch.object(adbc.Connection, "commit", commit))
        for _ in range(num_batches):
            given = list(messages(_BATCH))
            with watch.piece("receive, and wait for threads"):
                _drained(office, Given(iter(given)), _BATCH)
    table = Table(
        "piece", "wall ms", "share", "cpu ms here", "in Postgres", title_justify="left",
        title=f"A batch of {_BATCH:,}, its pieces one after the other, {options.known_messages:,} known; mean of"
        f" {num_batches}",
    )  # fmt: skip
    whole = [sum(spent[place] for spent in watch.spent.values()) for place in range(3)]
    for name, spent in {**dict(sorted(watch.spent.items())), "whole": whole}.items():
        wall, here, there = (seconds / num_batches * 1000 for seconds in spent)
        table.add_row(name, f"{wall:,.0f}", f"{spent[0] / whole[0]:.0%}", f"{here:,.0f}", f"{there:,.0f}")
    _print(table)
    for where, place in (("wall time", 0), ("processor time here", 1), ("processor time in Postgres", 2)):
        largest = sorted(watch.spent, key=lambda name, place=place: -watch.spent[name][place])[:4]
        told = (f"{name} {watch.spent[name][place] / whole[place]:.0%}" for name in largest if whole[place])
        print(f"Most of the {where}: {', '.join(told)}.")
    print()


def _memory(server: Server, folder: Path, options: argparse.Namespace) -> None:
    marks = [options.drained_messages // share for share in (8, 4, 2, 1)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        peaks = pool.apply(drained_peaks, (server.url(EMPTY), folder, marks))
        pool.close()
        pool.join()
    table = Table("messages drained", "peak MiB", "to the first", title_justify="left")
    table.title = "Memory of one drain"
    for mark, peak in zip(marks, peaks, strict=True):
        table.add_row(f"{mark:,}", f"{peak / 2**20:,.0f}", f"{peak / peaks[0]:.2f}")
    _print(table)


def drained_peaks(url: str, folder: Path, marks: Sequence[int]) -> list[int]:
    """Drains as many messages as the last mark says, made as they are received; peak bytes at each mark."""
    peaks, num_deleted, unit = list[int](), 0, 1 if sys.platform == "darwin" else 1024
    lock = threading.Lock()

    def deleted(num: int) -> None:
        nonlocal num_deleted
        with lock:  # several threads delete
            num_deleted += num
            if num_deleted >= marks[len(peaks)]:
                peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)

    _drained(_office(url, folder), Given(messages(marks[-1]), deleted), marks[-1])
    return peaks


def _masking(ring: KeyRing, options: argparse.Namespace) -> None:
    table = Table("distinct values", "tokens, s", "bare HMAC of the distinct, s", "ratio", title_justify="left")
    table.title = f"Masking {options.masked_values:,} values"
    for share in (100, 10, 1):
        num = options.masked_values // share
        number = pl.int_range(options.masked_values, dtype=pl.Int64, eager=True)
        values = pl.select(pl.format("199.72.{}", number * 7_919 % num)).to_series()
        distinct = values.unique().to_list()

        def bare(distinct: list[str] = distinct) -> None:
            for value in distinct:
                hmac.digest(ring.token_key.key, value.encode(), "sha256").hex()

        ways = {"tokens": lambda values=values: tokens(values, "ip", ring.token_key), "bare": bare}
        seconds = in_turns(ways, rounds=3)
        table.add_row(
            f"{len(distinct):,}",
            *(f"{statistics.median(seconds[name]):.3f}" for name in ways),
            f"{ratio(seconds, 'tokens', 'bare'):.2f}",
        )
    _print(table)


def _print(table: Table) -> None:
    Console(width=None if sys.stdout.isatty() else 140).print(table)
