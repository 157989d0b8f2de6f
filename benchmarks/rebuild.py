"""Whole histories in one Dagster run over an asset: the time beside that of the bare work, and the memory.

Daily logins: sixty days for a million users. Sessions: thirty days of ten million events, beside the same days made by
a plain loop that neither stores nor checks them, and beside the bare copying of their rows.
"""

import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
from rich.console import Console

from benchmarks.logins import NUM_USERS, counters, put_snapshot
from benchmarks.sessions import samples
from data_platform import settings
from data_platform.contracts import mobile_events, sessions
from data_platform.contracts.outcome import Outcome
from data_platform.definitions import defs
from data_platform.defs.sessions.sources import known_days
from data_platform.lake.store import Store
from data_platform.local.postgres import Server
from data_platform.publish import protocol
from data_platform.publish.shelves import LakeShelf, select
from data_platform.sessions import rules
from data_platform.sessions.sessionise import sessions_of
from data_platform.stack import open_stack

FIRST_DAY, NUM_LOGIN_DAYS = date(2026, 9, 1), 60
NUM_EVENTS, NUM_EVENT_DAYS = 10_000_000, 30
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
Measured = tuple[float, int]


def main(server: Server, database: str) -> None:
    """Measures and prints."""
    for history in (_logins, _sessions):
        with tempfile.TemporaryDirectory() as folder:
            os.environ |= {"WAREHOUSE_URL": server.url(database), "LAKE_URI": (Path(folder) / "lake").as_uri()}
            history()


def _logins() -> None:
    lake = Store(settings.load().lake)
    for number in range(NUM_LOGIN_DAYS):
        put_snapshot(lake, FIRST_DAY + timedelta(days=number), counters(FIRST_DAY + timedelta(days=number)))
    what = f"{NUM_LOGIN_DAYS} days of {NUM_USERS:,} users"
    for asset in ("monthly_snapshots", "daily_logins"):
        _say(asset, f"{what} in one run, checks included", _apart(one_run, asset, NUM_LOGIN_DAYS))


def _sessions() -> None:
    what = f"{NUM_EVENTS:,} events of {NUM_EVENT_DAYS} days"
    _apart(publish_events)
    loop = _apart(bare_loop)
    run = _apart(one_run, "sessions", NUM_EVENT_DAYS)
    copy = _apart(bare_copy)
    _say("sessions", f"{what}, made by a loop and thrown away", loop)
    _say("sessions", f"{what}, copied into an empty table with the same indexes", copy)
    _say("sessions", f"{what} in one run, checks included", run)
    Console().print(f"One run to the loop: {run[0] / loop[0]:.2f}; to both: {run[0] / (loop[0] + copy[0]):.2f}.")


def _apart(way: Callable[..., float], *arguments: object) -> Measured:
    """Runs a way in a process of its own, so that its peak is its own; its seconds, and peak memory in bytes."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        measured = pool.apply(_measured, (way, arguments))
        pool.close()
        pool.join()
    return measured


def _measured(way: Callable[..., float], arguments: tuple[object, ...]) -> Measured:
    return way(*arguments), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def one_run(asset: str, num_days: int) -> float:
    """Runs one asset over its days; seconds."""
    last = FIRST_DAY + timedelta(days=num_days - 1)
    tags = {"dagster/asset_partition_range_start": str(FIRST_DAY), "dagster/asset_partition_range_end": str(last)}
    with dg.DagsterInstance.ephemeral() as instance:
        began = time.perf_counter()
        result = (
            defs()
            .resolve_job_def("everything")
            .execute_in_process(run_config=_QUIET, instance=instance, tags=tags, asset_selection=[dg.AssetKey(asset)])
        )
        made = {event.partition for event in result.get_asset_materialization_events()}
        if len(made) != num_days:
            raise RuntimeError(f"expected a materialisation of each of {num_days} days, found {len(made)}")
        return time.perf_counter() - began


def publish_events() -> float:
    """Publishes days of mobile events; seconds."""
    stack = open_stack(settings.load())
    began = time.perf_counter()
    for day, rows in samples.days(NUM_EVENTS, NUM_EVENT_DAYS):
        by = protocol.Provenance("bench", "bench", protocol.clock(stack.warehouse))
        protocol.publish(
            stack.warehouse, LakeShelf(stack.lake), mobile_events.CONTRACT, Outcome(rows), days=[day], by=by
        )
    return time.perf_counter() - began


def bare_loop() -> float:
    """Makes the sessions of every day; seconds."""
    stack = open_stack(settings.load())
    began = time.perf_counter()
    known = known_days(stack, rules.load())
    for day in sorted(known.num_events):
        sessions_of(day, known, stack.settings.business_timezone)
    return time.perf_counter() - began


def bare_copy() -> float:
    """Copies the published sessions into a table like theirs; seconds of copying."""
    stack = open_stack(settings.load())
    with stack.warehouse.transaction() as transaction:
        transaction.run("CREATE TABLE sessions.bare (LIKE sessions.sessions INCLUDING ALL)")
        seconds = 0.0
        for number in range(NUM_EVENT_DAYS):
            rows = select(transaction, sessions.CONTRACT, [FIRST_DAY + timedelta(days=number)])
            began = time.perf_counter()
            transaction.copy_in("sessions", "bare", rows)
            seconds += time.perf_counter() - began
    return seconds


def _say(asset: str, what: str, measured: Measured) -> None:
    seconds, peak = measured
    Console().print(f"{asset}: {what}: {seconds:.1f} s, peak memory {peak / 2**30:.2f} GiB.")
