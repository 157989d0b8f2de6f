"""What a drain writes as messages come in is what the evidence gives at any later time; publishing drops none of it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from data_platform import contracts
from data_platform.contracts.outcome import Outcome, together
from data_platform.defs.logins.draining import derived_days
from data_platform.lake.store import Store
from data_platform.publish import messages, protocol
from data_platform.publish.draining import Limits
from data_platform.publish.protocol import Overtaken, Provenance
from data_platform.publish.shelves import WarehouseShelf
from data_platform.queues.batches import Received
from data_platform.warehouse.connection import Warehouse
from platform_tests.queues import kill_rig
from platform_tests.queues import stand as stands
from platform_tests.queues.file_queue import CALM, Temper
from platform_tests.queues.kill_rig import Copies
from platform_tests.queues.plans import LIMITS, Plan
from platform_tests.queues.stand import Stand

CONTRACTS = [contracts.of_table(f"logins.{name}") for name in ("user_logins", "user_logouts")]
_BOOKS = (
    "logins.user_logins", "logins.user_logouts", "ops.message_ledger", "ops.appended_days",
    "(SELECT table_name, day, evidence_id, record_no, line, byte_from, byte_to, num_records, reason, detail"
    " FROM ops.rejects)",
    "(SELECT batch_id, num_messages, num_stored, num_duplicate, num_conflicting, num_rejected"
    " FROM ops.message_batches)",
)  # fmt: skip


@pytest.fixture(scope="module")
def copies() -> Iterator[Copies]:
    with kill_rig.copies() as server:
        yield server


@pytest.fixture
def stand(warehouse: Warehouse, copies: Copies, tmp_path: Path) -> Stand:
    return stands.make(warehouse.url.get_secret_value(), tmp_path, copies)


def _state(stand: Stand) -> dict[str, list[Any]]:
    """All rows and books."""
    with stand.place.stack().warehouse.transaction() as transaction:
        found = {of: transaction.query(f"SELECT row_to_json(r)::text AS row FROM {of} AS r") for of in _BOOKS}
    return {of: sorted(frame["row"]) for of, frame in found.items()}


@dataclass(frozen=True)
class Read:
    """What a run is about to publish: derived from what was booked when it began."""

    stand: Stand
    outcomes: dict[str, Outcome]
    by: Provenance

    def publish(self) -> None:
        warehouse = self.stand.place.stack().warehouse
        for contract in CONTRACTS:
            outcome = self.outcomes[contract.table]
            days = sorted(set(outcome.tally["day"]))
            if days:
                protocol.publish(warehouse, WarehouseShelf(), contract, outcome, days=days, by=self.by)


def _read(stand: Stand) -> Read:
    stack = stand.place.stack()
    by = Provenance("c1", "run", protocol.clock(stack.warehouse))
    with stack.warehouse.transaction() as transaction:
        booked = transaction.query("SELECT table_name, day FROM ops.appended_days ORDER BY 2").rows()
    outcomes = {
        contract.table: together(
            [
                Outcome(contract.empty()),
                *map(derived_days(stack, contract, "run"), [d for t, d in booked if t == contract.table]),
            ]
        )
        for contract in CONTRACTS
    }
    return Read(stand, outcomes, by)


def _eventful(stand: Stand) -> None:
    """Drains a mixed bag of messages, with kills and messages that come again."""
    stand.bag.send_one_of_each()
    stand.place.queue.become(Temper(twice=0.1, forgets=0.2))
    for step in ("after a write to the lake", "before UPDATE ops.message_batches SET settled_at =", "before deleting"):
        stand.bag.send_some(12)
        stand.drain(Plan(step=step))
    stand.place.queue.become(CALM)
    stand.rest()
    stand.place.queue.bring_back(10, stand.bag.rng)
    stand.rest()


def test_days_derived_again_are_the_rows_that_the_drain_wrote(stand: Stand) -> None:
    _eventful(stand)
    before = _state(stand)
    _read(stand).publish()
    assert _state(stand) == before
    assert stand.checker.faults(at_rest=True) == []
    warehouse = stand.place.stack().warehouse
    assert [messages.days_behind(warehouse, contract) for contract in CONTRACTS] == [{}, {}]


def test_rows_and_books_that_are_lost_come_back_out_of_the_evidence(stand: Stand) -> None:
    _eventful(stand)
    before = _state(stand)
    stand.run(
        "TRUNCATE ops.message_ledger, ops.appended_days, ops.rejects, logins.user_logins, logins.user_logouts;"
        " UPDATE ops.message_batches SET settled_at = NULL, num_stored = 0, num_duplicate = 0, num_conflicting = 0,"
        " num_rejected = 0"
    )
    stand.drain_here()
    assert _state(stand) == before
    assert stand.checker.faults(at_rest=True) == []


def test_a_publication_that_did_not_see_the_last_messages_drops_none_of_them(stand: Stand) -> None:
    stand.bag.send_some(20)
    stand.rest()
    old = _read(stand)
    stand.bag.send_some(20)
    stand.rest()
    before = _state(stand)
    with pytest.raises(Overtaken, match="messages have come in"):
        old.publish()
    assert _state(stand) == before
    _read(stand).publish()
    assert _state(stand) == before


def test_a_publication_in_the_midst_of_a_drain_waits_and_is_overtaken(stand: Stand) -> None:
    stand.bag.send_one_of_each()
    stand.rest()
    old = _read(stand)
    stand.bag.send_one_of_each()
    drain = stand.start(Plan("stop", "after UPDATE ops.message_batches SET settled_at ="))
    assert drain.end() == "stopped"
    with ThreadPoolExecutor(1) as pool:
        published = pool.submit(old.publish)
        drain.go_on()
        with pytest.raises(Overtaken):
            published.result(60)
    assert drain.end() == "done"
    stand.rest()


def test_publications_all_through_a_drain_drop_nothing(stand: Stand) -> None:
    stand.bag.send_some(60)
    drain = stand.start(Plan(limits=replace(LIMITS, batch_messages=3)))
    num_overtaken = 0
    while not drain.is_over():
        try:
            _read(stand).publish()
        except Overtaken:
            num_overtaken += 1
        stand.look()
    assert drain.end() == "done"
    stand.rest()
    before = _state(stand)
    _read(stand).publish()
    assert _state(stand) == before


class _Interrupted(Store):
    """A lake in which somebody drains just before something is written."""

    stand: Stand

    def create(self, *values: Any, **named: Any) -> bool:
        self.stand.place.office("meanwhile").drain([], Limits())
        return super().create(*values, **named)


def test_messages_put_aside_while_a_drain_is_on_are_booked(stand: Stand) -> None:
    lake = _Interrupted(stand.place.lake)
    object.__setattr__(lake, "stand", stand)
    stand.bag.send_some(3)
    now = datetime.now(UTC)
    received = [Received(name, body, sent, 1, now) for name, body, sent in stand.bag.sent]
    replace(stand.place.office("aside"), lake=lake).put_aside("past", received)
    stand.place.office("next").drain([], Limits())
    [account] = messages.account(stand.place.stack().warehouse).rows(named=True)
    assert (account["num_received"], account["num_in_flight"]) == (3, 0)
    assert stand.checker.faults() == []
