"""Nothing that is sent is lost and nothing counts twice, whatever dies at whatever moment."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from data_platform.lake.store import LakeError
from data_platform.local import postgres
from data_platform.publish.draining import Limits
from data_platform.queues.sqs import Message
from data_platform.settings import sql_folder
from data_platform.warehouse.migrate import migrate
from platform_tests.queues import kill_rig
from platform_tests.queues import stand as stands
from platform_tests.queues.file_queue import FileQueue, Temper
from platform_tests.queues.kill_rig import Copies
from platform_tests.queues.plans import Plan
from platform_tests.queues.schedules import happen
from platform_tests.queues.stand import Stand

_FIRST_SETTLED = "after UPDATE ops.message_batches SET settled_at ="
_NOTED = "before a write to the lake"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of a Postgres that only these tests use, and kill."""
    folder = tmp_path_factory.mktemp("drained")
    with stands.own_postgres(folder / "postgres") as server:
        migrate(SecretStr(server.url("warehouse")), sql_folder() / "migrations")
        yield folder


@pytest.fixture(scope="module")
def copies() -> Iterator[Copies]:
    with kill_rig.copies() as server:
        yield server


@pytest.fixture
def made(home: Path, copies: Copies) -> Callable[[int], Stand]:
    def made(seed: int = 0) -> Stand:
        url = postgres.ensure(home / "postgres", ["warehouse"]).url("warehouse")
        return stands.make(url, home, copies, seed, home=home / "postgres")

    return made


@pytest.fixture
def stand(made: Callable[[int], Stand]) -> Stand:
    stand = made(0)
    stand.bag.send_one_of_each()
    return stand


def test_a_bag_of_all_kinds_is_booked_once(stand: Stand) -> None:
    assert stand.drain() == "done"
    assert stand.checker.faults(at_rest=True) == []


def test_messages_that_come_again_years_later_change_no_row(stand: Stand) -> None:
    stand.rest()
    before = stand.checker.events()
    stand.place.queue.bring_back(1_000, random.Random(1))
    stand.rest()
    assert stand.checker.events() == before


def test_every_look_in_mid_drain_adds_up(made: Callable[[int], Stand]) -> None:
    stand = made(1)
    stand.bag.send_some(120)
    stand.place.queue.become(Temper(twice=0.1, forgets=0.1, refuses=0.1))
    drain, num_looks = stand.start(), 0
    while not drain.is_over() or not num_looks:
        stand.look()
        num_looks += 1
    assert drain.end() == "done"
    stand.rest()


# Killed


def _killed_at(stand: Stand, steps: list[str | int]) -> None:
    for step in steps:
        stand.bag.send_one_of_each()
        assert stand.drain(Plan(step=step)) in {"killed", "done"}, step
        stand.look()
        stand.rest()


def test_a_drain_killed_at_a_step_is_finished_by_the_next(stand: Stand) -> None:
    drain = stand.start()
    assert drain.end() == "done"
    names = [*dict.fromkeys(drain.steps)]
    assert len(names) > 30
    _killed_at(stand, [*names[random.Random(2).randrange(7) :: 7]])


@pytest.mark.soak
def test_a_drain_killed_at_any_step_is_finished_by_the_next(made: Callable[[int], Stand]) -> None:
    stand = made(2)
    stand.bag.send_one_of_each()
    drain = stand.start()
    assert drain.end() == "done"
    for begin in range(0, len(drain.steps) + 5, 20):
        stand = made(begin)
        _killed_at(stand, [*range(begin, begin + 20)])


def test_a_drain_killed_at_any_time_is_finished_by_the_next(stand: Stand) -> None:
    rng = random.Random(3)
    for _ in range(4):
        drain = stand.start()
        time.sleep(rng.uniform(0, 0.3))
        drain.kill()
        drain.end()
        stand.look()
        stand.bag.send_some(5)
    stand.rest()


def test_a_batch_that_was_noted_and_not_kept_is_forgotten_and_comes_again(stand: Stand) -> None:
    assert stand.drain(Plan(step=_NOTED)) == "killed"
    assert [*stand.checker.lake.rglob("evidence/*/*")] == []
    assert stand.drain_here().num_resumed == 0
    stand.rest()


def test_a_batch_that_was_kept_is_settled_before_its_messages_come_again(stand: Stand) -> None:
    assert stand.drain(Plan(step="after a write to the lake")) == "killed"
    drained = stand.drain_here()
    assert drained.num_resumed > 0
    stand.rest()


def test_evidence_that_a_killed_drain_left_is_brought_to_the_disk_before_it_is_settled(stand: Stand) -> None:
    """A rename that no fsync followed may be undone by a power cut, when the messages are no longer in the queue."""
    assert stand.drain(Plan(step="after a write to the lake")) == "killed"
    [left] = stand.checker.lake.rglob("evidence/*/*")
    drain = stand.start()
    assert drain.end() == "done"
    fsynced = drain.steps.index(f"after an fsync in {left.parent.name}")
    assert fsynced < drain.steps.index("before copy into ops.message_ledger")
    stand.rest()


# Accidents


@pytest.mark.parametrize("accident", ["lose the lock", "lose all connections", "pass time"])
@pytest.mark.parametrize("step", [_NOTED, _FIRST_SETTLED, "before deleting"])
def test_a_drain_that_meets_an_accident_loses_nothing(stand: Stand, accident: str, step: str) -> None:
    outcome = stand.drain(Plan(accident, step))
    assert outcome == ("done" if accident == "pass time" else "WarehouseUnavailable")
    stand.look()
    stand.rest()


def test_a_drain_whose_postgres_is_killed_loses_nothing(stand: Stand) -> None:
    drain = stand.start(Plan("stop", _FIRST_SETTLED))
    assert drain.end() == "stopped"
    stand.kill_postgres()
    drain.go_on()
    assert drain.end() == "WarehouseUnavailable"
    stand.look()
    stand.rest()


@pytest.mark.parametrize("year", [1971, 2090])
def test_a_clock_that_is_wrong_rejects_no_message_and_moves_none_to_another_day(stand: Stand, year: int) -> None:
    assert stand.drain(Plan(clock=datetime(year, 1, 1, tzinfo=UTC))) == "done"
    assert stand.checker.faults(at_rest=True) == []


@pytest.mark.parametrize("step", [_NOTED, "after a write to the lake", "before copy into ops.message_ledger"])
def test_a_drain_that_lost_its_lock_and_the_one_that_took_it_count_each_message_once(stand: Stand, step: str) -> None:
    first = stand.start(Plan("stop", step))
    assert first.end() == "stopped"
    stand.take_lock_away()
    stand.place.queue.pass_time()
    second = stand.start()
    stand.look()
    first.go_on()
    assert first.end() in {"WarehouseUnavailable", "BatchGone"}
    assert second.end() == "done"
    stand.look()
    stand.rest()


def test_a_drain_while_another_is_on_receives_nothing(stand: Stand) -> None:
    first = stand.start(Plan("stop", _NOTED))
    assert first.end() == "stopped"
    received = stand.place.queue.depth()
    assert stand.drain() == "DrainIsOn"
    assert stand.place.queue.depth() == received
    first.go_on()
    assert first.end() == "done"
    assert stand.checker.faults(at_rest=True) == []


def test_a_disk_that_is_full_deletes_nothing_and_rejects_nothing(stand: Stand, small_disk: Path) -> None:
    for _ in range(10):
        stand.bag.send_large(250_000)
    queue, roomy = stand.place.queue, stand.place
    stand.place = replace(roomy, lake=(small_disk / "lake").as_uri())
    office = stand.place.office("full")
    with pytest.raises(LakeError):
        office.drain([queue], Limits(linger_seconds=30, wait_seconds=0))
    assert not any(message.is_gone for message in queue.truth())
    assert stand.checker.events() == {}
    stand.place = roomy
    stand.rest()


class _Garbled(FileQueue):
    def receive(self, *, wait_seconds: int) -> list[Message]:
        raise KeyError("MessageId")


def test_an_answer_of_the_queue_that_nobody_foresaw_fails_the_drain(stand: Stand) -> None:
    with pytest.raises(KeyError, match="MessageId"):
        stand.place.office("here").drain([_Garbled(stand.place.queue.path)], Limits())


# At random


@pytest.mark.parametrize("seed", range(1, 16))
def test_a_random_schedule_loses_and_doubles_nothing(made: Callable[[int], Stand], seed: int) -> None:
    happen(made(seed), seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1_000, 2_000))
def test_a_thousand_random_schedules_lose_and_double_nothing(made: Callable[[int], Stand], seed: int) -> None:
    happen(made(seed), seed)


# The rig can fail


@pytest.mark.parametrize(
    ("mutant", "step", "finding"),
    [
        ("acknowledges first", _NOTED, "lost:"),
        ("knows nothing of before", "before deleting", "double:"),
        ("forgets what a crash left", "after a write to the lake", "is still in flight"),
        ("keeps no evidence", None, "is not there"),
        ("writes rows apart", _FIRST_SETTLED, "double:"),
        ("counts no days", None, "appended days are"),
        ("drops rejects", None, "rejects too few"),
        ("rejects what is of another day", None, "is rejected, and its reason is None"),
    ],
)
def test_the_rig_notices_a_drain_that(stand: Stand, mutant: str, step: str | None, finding: str) -> None:
    stand.drain(Plan(step=step, mutant=mutant))
    found = stand.checker.faults()
    if not found:
        stand.place.queue.pass_time()
        stand.drain(Plan(mutant=mutant))
        found = stand.checker.faults(at_rest=True)
    assert any(finding in fault for fault in found), found


def test_the_rig_notices_a_drain_that_does_not_wait_for_another(stand: Stand) -> None:
    plan = Plan("stop", "before copy into ops.message_ledger", mutant="does not wait")
    first = stand.start(plan)
    assert first.end() == "stopped"
    stand.take_lock_away()
    stand.place.queue.pass_time()
    assert stand.drain(replace(plan, step=None)) == "done"
    first.go_on()
    first.end()
    found = stand.checker.faults()
    assert any("double:" in fault for fault in found), found
