"""Where reports are delivered in tests, and what is said there."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from data_platform.errors import PlatformError
from data_platform.lake.store import Store
from data_platform.publish.delivery import Delivery
from data_platform.warehouse.connection import Warehouse
from platform_tests.publish.deliveries import Stand

FORMATS = ["csv", "parquet"]
AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


def of_stores(warehouse: Warehouse, lake: Store, reports: Store, folder: Path) -> Stand:
    stand = Stand(warehouse, lake, reports, folder / "meters.txt", AWS)
    stand.say("a,1", "b,2")
    return stand


def steps_of(stand: Stand, day: date) -> list[str]:
    """The steps of a delivery that goes through."""
    steps: list[str] = []
    by = stand.by("whole")
    stand.watched(steps.append).deliver("", stand.maker(day, touch=steps.append), by=by)
    return steps


def one_sentence(error: BaseException) -> str:
    """What a platform's error says, proven to be one line that ends as a sentence does."""
    assert isinstance(error, PlatformError), repr(error)
    assert "\n" not in str(error)
    assert str(error).endswith(".")
    return str(error)


@contextmanager
def halted(stand: Stand, step: str, **changes: Any) -> Iterator[Future[Delivery]]:
    """A delivery in another thread that has stopped at a step, and goes on at the end."""
    reached, released = threading.Event(), threading.Event()

    def touch(name: str) -> None:
        if name == step and not reached.is_set():
            reached.set()
            assert released.wait(60)

    watched = stand.watched(touch)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(watched.deliver, "slow", stand.maker(touch=touch, **changes))
        try:
            assert reached.wait(60)
            yield slow
        finally:
            released.set()
