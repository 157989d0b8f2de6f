"""A drain whose steps are counted, so that it dies, stops or meets with an accident at the one that a test names.

A step is a statement, a commit, a write to the lake, an fsync or a call of the queue: before it and after it. Only to
be used in a process that nothing else goes on in: the platform is tampered with.
"""

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, NoReturn

import psycopg2

from data_platform.errors import TransientError
from data_platform.lake import multipart
from data_platform.lake.store import LakeError, Store
from data_platform.logins import events
from data_platform.publish import draining
from data_platform.queues.sqs import Message
from data_platform.warehouse.connection import Transaction, Warehouse
from platform_tests.queues.file_queue import BETWEEN_CALLS, FileQueue
from platform_tests.queues.mutants import MUTANTS
from platform_tests.queues.plans import Task

LOCK = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND objid::bigint = hashtext('ops.message_batches')::bigint & 4294967295"
)
"""The connection that holds the lock of the drain."""


def work(task: Task) -> NoReturn:
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (0, 1):
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        steps = _Steps(task)
        steps.watch()
        if task.plan.clock:
            _turn_clock(task.plan.clock)
        if task.plan.mutant:
            MUTANTS[task.plan.mutant]()
        outcome = "done"
        try:
            task.place.office(f"run {os.getpid()}").drain(
                [_WatchedQueue(task.place.queue.path, touch=steps)], task.plan.limits
            )
        except TransientError as error:
            outcome = type(error).__name__
        task.told.write_text("\n".join([outcome, *steps.names]))
        status = 0
    except Exception:  # noqa: BLE001 (whatever it is, the test is told)
        task.told.write_text(traceback.format_exc())
    finally:
        os._exit(status)


class _Steps:
    """Counts the steps of a process, and lets the accident happen at the one that was named."""

    def __init__(self, task: Task) -> None:
        self.names = list[str]()
        self._task = task
        self._is_full = False
        self._lock = threading.Lock()

    def __call__(self, step: str) -> None:
        with self._lock:
            place, is_first = len(self.names), step not in self.names
            self.names.append(step)
        if self._task.plan.step == place or (self._task.plan.step == step and is_first):
            ACCIDENTS[self._task.plan.accident](self)
        if self._is_full and step == "before a write to the lake":
            raise LakeError("The disk of the test is full; nothing is the matter.")

    def watch(self) -> None:
        """Makes the steps of the platform known to us."""
        self._around(Transaction, "run", lambda _, sql, *__: _short(sql))
        self._around(Transaction, "query", lambda _, sql, *__: _short(sql))
        self._around(Transaction, "copy_in", lambda _, schema, table, __: f"copy into {schema}.{table}")
        self._around(Store, "create", lambda *_, **__: "a write to the lake")
        self._around(multipart, "made_durable", lambda *paths: f"an fsync in {paths[-1].name}")
        transaction = Warehouse.transaction
        touch = self

        @contextmanager
        def watched(self: Warehouse) -> Iterator[Transaction]:
            with transaction(self) as opened:
                yield opened
                touch("before a commit")
            touch("after a commit")

        Warehouse.transaction = watched

    def _around(self, owner: object, name: str, told: Callable[..., str]) -> None:
        work = getattr(owner, name)

        def watched(*values: Any, **named: Any) -> Any:
            step = told(*values, **named)
            self(f"before {step}")
            done = work(*values, **named)
            self(f"after {step}")
            return done

        setattr(owner, name, watched)

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()

    def stop(self) -> None:
        with BETWEEN_CALLS:
            # To this thread: one to the process may come to another, and this one would let go of the lock before.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    def lose_lock(self) -> None:
        """Somebody ends the connection that holds the lock of the drain."""
        self._end(f"pid IN ({LOCK})")

    def lose_connections(self) -> None:
        """Somebody ends all connections."""
        self._end("datname = current_database()")

    def _end(self, which: str) -> None:
        connection = psycopg2.connect(self._task.place.url)
        ended = (
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {which}"
        )
        connection.cursor().execute(ended)
        connection.close()

    def fill_disk(self) -> None:
        self._is_full = True

    def pass_time(self) -> None:
        """So much time passes that everything in hand is visible again."""
        self._task.place.queue.pass_time()


ACCIDENTS: dict[str, Callable[[_Steps], None]] = {
    "die": _Steps.die,
    "stop": _Steps.stop,
    "lose the lock": _Steps.lose_lock,
    "lose all connections": _Steps.lose_connections,
    "fill the disk": _Steps.fill_disk,
    "pass time": _Steps.pass_time,
}


def _short(sql: str) -> str:
    return " ".join(sql.split()[:5])


@dataclass(frozen=True)
class _WatchedQueue(FileQueue):
    touch: Callable[[str], None] = print

    def receive(self, *, wait_seconds: int) -> list[Message]:
        self.touch("before receiving")
        found = super().receive(wait_seconds=wait_seconds)
        self.touch("after receiving")
        return found

    def delete(self, receipts: Sequence[str]) -> list[str]:
        self.touch("before deleting")
        left = super().delete(receipts)
        self.touch("after deleting")
        return left


def _turn_clock(begin: datetime) -> None:
    start = time.monotonic()

    class Turned(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(begin.timestamp() + time.monotonic() - start, tz)

    for module in (draining, events):
        vars(module)["datetime"] = Turned
    time.time = lambda: begin.timestamp() + time.monotonic() - start
