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
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import polars as pl
import psycopg2
import psycopg2.extensions
from pydantic import SecretStr
from rich.table import Table

from benchmarks.login_events.pieces import breakdown
from benchmarks.login_events.stand import (
    BATCH,
    EMPTY,
    FULL,
    Backends,
    Given,
    Taken,
    drained,
    fill,
    messages,
    office_in,
    ring_in,
    run,
    show,
    taking,
)  # fmt: skip
from benchmarks.measure import in_turns, ratio, turns
from data_platform.local import postgres
from data_platform.local.postgres import Server
from data_platform.privacy import keyring
from data_platform.privacy.keyring import KeyRing
from data_platform.privacy.tokens import tokens
from data_platform.queues.sqs import Message
from data_platform.settings import sql_folder
from data_platform.warehouse.migrate import migrate

_USUAL_TABLE = """
CREATE TABLE usual_logins (message_id text PRIMARY KEY, user_id text, device_type text, masked_ip text,
    masked_device_id text, locale text, app_version text, logged_in_at timestamptz)
"""
_USUAL_INSERT = """
INSERT INTO usual_logins VALUES (%s, %s, %s, %s, %s, %s, %s, to_timestamp(%s)) ON CONFLICT (message_id) DO NOTHING
"""


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
            fill(server.url(FULL), options.known_messages)
            breakdown(server, place, options)
            _rates(server, place, options)
            _masking(keyring.read_ring(ring_in(place)), options)
        finally:
            postgres.release(place / "postgres")


def _rates(server: Server, folder: Path, options: argparse.Namespace) -> None:
    used = Backends(folder)
    names = {EMPTY: "drain, nothing known", FULL: f"drain, {options.known_messages:,} known", "usual": "usual consumer"}
    run(server.url(EMPTY), "TRUNCATE ops.message_ledger", _USUAL_TABLE)

    def drain(database: str) -> Taken:
        office, taken = office_in(server.url(database), folder), list[Taken]()
        given = list(messages(options.messages))
        with taking(options.messages, used, taken):
            drained(office, Given(iter(given)), options.messages)
        return taken[0]

    def usual() -> Taken:
        taken = list[Taken]()
        given = list(messages(options.usual_messages))
        # Closed after the measuring: the server's part of a connection that has ended is told later.
        with closing(psycopg2.connect(server.url(EMPTY))) as connection, taking(options.usual_messages, used, taken):
            _usual_consumer(connection, given)
        return taken[0]

    ways: dict[str, Callable[[], Taken]] = {
        names[EMPTY]: lambda: drain(EMPTY),
        names[FULL]: lambda: drain(FULL),
        names["usual"]: usual,
    }
    table = Table(
        "way", "messages a second", "min-max", "cpu s of 10,000: here", "in Postgres", "to the usual consumer",
        title=f"{options.messages:,} new messages a round, in batches of {BATCH:,}", title_justify="left",
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
    show(table)
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
    show(table)


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

    drained(office_in(url, folder), Given(messages(marks[-1]), deleted), marks[-1])
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
    show(table)
