"""What a batch of messages takes, piece by piece."""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
from rich.table import Table

from benchmarks.login_events.stand import BATCH, FULL, Backends, Given, drained, messages, office_in, show
from data_platform.lake import evidence
from data_platform.local.postgres import Server
from data_platform.logins import events
from data_platform.publish import draining
from data_platform.publish import messages as ledger
from data_platform.publish.draining import Office
from data_platform.warehouse.connection import Transaction


class _Stopwatch:
    """Wall and processor seconds by piece of work, of each the pieces inside it left out."""

    def __init__(self, server: Backends) -> None:
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


def breakdown(server: Server, folder: Path, options: argparse.Namespace) -> None:
    office, watch = office_in(server.url(FULL), folder), _Stopwatch(Backends(folder))
    for _ in range(2):  # the first come to cold caches
        drained(office, Given(messages(BATCH)), BATCH)
    num_batches = max(options.messages // BATCH, 1)
    with ExitStack() as wrapped:
        for owner, name, piece in _PIECES:
            wrapped.enter_context(mock.patch.object(owner, name, watch.around(piece, getattr(owner, name))))
        for name, told in (("query", _query_piece), ("run", _query_piece), ("copy_in", _copy_piece)):
            wrapped.enter_context(mock.patch.object(Transaction, name, watch.around(told, getattr(Transaction, name))))
        commit = watch.around("transaction: commit", adbc.Connection.commit)
        wrapped.enter_context(mock.patch.object(adbc.Connection, "commit", commit))
        for _ in range(num_batches):
            given = list(messages(BATCH))
            with watch.piece("receive, and wait for threads"):
                drained(office, Given(iter(given)), BATCH)
    table = Table(
        "piece", "wall ms", "share", "cpu ms here", "in Postgres", title_justify="left",
        title=f"A batch of {BATCH:,}, its pieces one after the other, {options.known_messages:,} known; mean of"
        f" {num_batches}",
    )  # fmt: skip
    whole = [sum(spent[place] for spent in watch.spent.values()) for place in range(3)]
    for name, spent in {**dict(sorted(watch.spent.items())), "whole": whole}.items():
        wall, here, there = (seconds / num_batches * 1000 for seconds in spent)
        table.add_row(name, f"{wall:,.0f}", f"{spent[0] / whole[0]:.0%}", f"{here:,.0f}", f"{there:,.0f}")
    show(table)
    for where, place in (("wall time", 0), ("processor time here", 1), ("processor time in Postgres", 2)):
        largest = sorted(watch.spent, key=lambda name, place=place: -watch.spent[name][place])[:4]
        told = (f"{name} {watch.spent[name][place] / whole[place]:.0%}" for name in largest if whole[place])
        print(f"Most of the {where}: {', '.join(told)}.")
    print()
