"""All that a drain needs, which tests send to, drain, damage and look at."""

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from data_platform.local import postgres
from data_platform.privacy import keyring
from data_platform.publish.draining import Drained, DrainIsOn
from platform_tests.local.embedded_postgres import kill_postmaster
from platform_tests.queues.bags import Bag
from platform_tests.queues.checker import Checker
from platform_tests.queues.file_queue import CALM
from platform_tests.queues.kill_rig import Copies, Drain
from platform_tests.queues.plans import LIMITS, NOTHING_HAPPENS, ZONE, Place, Plan
from platform_tests.queues.steps import LOCK

TABLES = (
    "ops.message_batches, ops.message_ledger, ops.appended_days, ops.rejects, ops.tallies, ops.publications,"
    " ops.evidence, ops.arrivals, logins.user_logins, logins.user_logouts"
)
_PATIENCE = 60.0
_ROUNDS = 6


@dataclass
class Stand:
    """A queue, a warehouse and a lake, empty at first.

    Attributes:
        home: Folder of the Postgres that may be killed; None where others use it too.
    """

    place: Place
    copies: Copies
    bag: Bag
    checker: Checker
    home: Path | None

    def start(self, plan: Plan = NOTHING_HAPPENS) -> Drain:
        """Begins a drain in a process of its own."""
        return self.copies.start(self.place, plan)

    def drain(self, plan: Plan = NOTHING_HAPPENS) -> str:
        """Drains in a process of its own, and says how that ended."""
        return self.start(plan).end()

    def drain_here(self) -> Drained:
        """Drains in this process; waits while the connection of a killed one still holds the lock."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return self.place.office("here").drain([self.place.queue], LIMITS)
            except DrainIsOn:
                assert time.monotonic() < deadline, "somebody drains for ever"
                time.sleep(0.01)

    def look(self) -> None:
        """Nothing is lost or double at this moment."""
        assert self.checker.faults() == []

    def rest(self) -> None:
        """Lets the queue be calm and time pass, and drains until nothing is left; then all that was sent is booked."""
        queue = self.place.queue
        queue.become(CALM)
        for _ in range(_ROUNDS):
            queue.pass_time()
            self.drain_here()
            if not any((queue.depth().waiting, queue.depth().in_flight)):
                break
        assert self.checker.faults(at_rest=True) == []

    def kill_postgres(self) -> None:
        """Kills the server, and lets the next one recover what was committed."""
        assert self.home
        kill_postmaster(self.home)
        assert postgres.ensure(self.home, ["warehouse"]).url("warehouse") == self.place.url

    def take_lock_away(self) -> None:
        """Ends the connection that holds the lock of the drain, as a server does that wants rid of idle ones."""
        self.run(f"SELECT pg_terminate_backend(pid, 5000) FROM ({LOCK}) AS of")

    def run(self, statement: str) -> None:
        """Does something in the warehouse as somebody else."""
        with closing(psycopg2.connect(self.place.url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement)


def make(url: str, folder: Path, copies: Copies, seed: int = 0, *, home: Path | None = None) -> Stand:
    """An empty one; a key ring that is in the folder is used again."""
    copies.end_all()
    place = Place(url, folder, (folder / "lake").as_uri())
    shutil.rmtree(folder / "lake", ignore_errors=True)
    keyring.ensure_ring(place.ring)
    place.queue.make(seed)
    bag = Bag(place.queue, random.Random(seed))
    stand = Stand(place, copies, bag, Checker(url, folder / "lake", place.ring, place.queue, ZONE, bag.reasons), home)
    stand.run(f"TRUNCATE {TABLES}")
    return stand


@contextmanager
def own_postgres(home: Path) -> Iterator[postgres.Server]:
    """A server that tests may kill."""
    try:
        yield postgres.ensure(home, ["warehouse"])
    finally:
        postgres.stop(home)
