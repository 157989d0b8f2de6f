"""What a drain in a process of its own is told: where it works, and what happens to it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from data_platform.defs.logins.draining import office_of
from data_platform.lake.store import Store
from data_platform.publish.draining import Limits, Office
from data_platform.settings import Settings
from data_platform.stack import Stack
from data_platform.warehouse.connection import Warehouse
from platform_tests.queues.file_queue import FileQueue

ZONE = "America/New_York"
LIMITS = Limits(batch_messages=5, linger_seconds=0.05, wait_seconds=0, num_receivers=2)


@dataclass(frozen=True)
class Plan:
    """What happens to a drain.

    Attributes:
        accident: What happens: a name of `steps.ACCIDENTS`.
        step: At which step: its number, or the first of that name; None for none.
        clock: What the process takes for the time when it begins; None for the true one.
        mutant: The mistake that it is made with; a name of `MUTANTS`.
    """

    accident: str = "die"
    step: int | str | None = None
    clock: datetime | None = None
    mutant: str | None = None
    limits: Limits = LIMITS


NOTHING_HAPPENS = Plan()


@dataclass(frozen=True)
class Place:
    """Where a drain works: all that a process has to be told."""

    url: str
    folder: Path
    lake: str

    @property
    def queue(self) -> FileQueue:
        return FileQueue(self.folder / "queue")

    @property
    def ring(self) -> Path:
        return self.folder / "keys.json"

    def stack(self) -> Stack:
        settings = Settings(privacy_keys=SecretStr(self.ring.as_uri()), business_timezone=ZONE, local_dir=self.folder)
        lake = Store(self.lake)
        return Stack(settings, Warehouse(SecretStr(self.url)), lake, lake, None, lake, None)

    def office(self, run: str) -> Office:
        return office_of(self.stack(), run)


@dataclass(frozen=True)
class Task:
    """A drain to do in a process; what it came to is told in a file."""

    place: Place
    plan: Plan
    told: Path
