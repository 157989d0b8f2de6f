"""The queue of login events: drained into the ledger, and read again out of the evidence."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import lru_cache

import polars as pl

from data_platform.contracts.contract import Contract
from data_platform.contracts.outcome import Outcome
from data_platform.contracts.tallies import Tallies
from data_platform.logins import event_types, events
from data_platform.publish import messages
from data_platform.publish.draining import Drained, Judgement, Limits, Office
from data_platform.publish.messages import Settling
from data_platform.queues.batches import Received
from data_platform.queues.sqs import SqsQueue
from data_platform.stack import Stack

_BATCHES_AT_HAND = 32
_WAS_FIRST = pl.col("outcome").is_in(["stored", "rejected"])


def office_of(stack: Stack, run_id: str) -> Office:
    """Where the messages of login events are kept and booked.

    Raises:
        NoKeyRing: PRIVACY_KEYS is not set.
        KeyRingError: It cannot be used.
    """
    ring = stack.key_ring
    types, zone = event_types.load(), stack.settings.business_timezone

    def judge(received: Sequence[Received]) -> Judgement:
        told = [events.Message(message.body, message.sent, message.received_at) for message in received]
        judged = events.judge(told, types, zone, ring.token_key)
        return Judgement(judged.messages, judged.rows, types.version)

    return Office(stack.warehouse, stack.lake, ring, judge, run_id)


def queues_of(stack: Stack) -> Iterator[SqsQueue]:
    """The queue of login events, then that of its dead letters; none where no setting names one."""
    if queue := stack.login_queue:
        yield queue
        if dead_letters := queue.dead_letters():
            yield dead_letters


def has_messages(stack: Stack) -> bool:
    """Whether the queues hold messages, or a crash has left a batch."""
    return any(queue.depth().waiting for queue in queues_of(stack)) or bool(messages.unsettled(stack.warehouse))


def drain(stack: Stack, run_id: str) -> Drained:
    """Drains the queues; what a crash left is settled also where there is no queue."""
    return office_of(stack, run_id).drain(queues_of(stack), Limits())


def derived_days(stack: Stack, contract: Contract, run_id: str) -> Callable[[date], Outcome]:
    """Derives the days of a table again from the sealed evidence: the same rows as the drain wrote, by the same rules.

    A message that the rules now take for another type, or for one of another day, is booked there first.
    """
    office = office_of(stack, run_id)
    derived = lru_cache(_BATCHES_AT_HAND)(office.derived)

    def of_day(day: date) -> Outcome:
        booked = messages.of_day(stack.warehouse, day)
        batches = [derived(evidence_id) for evidence_id in booked["evidence_id"].unique(maintain_order=True)]
        verdicts = pl.concat([_verdicts(batch) for batch in batches]) if batches else None
        told = booked.join(verdicts, on=["evidence_id", "position"], how="left") if verdicts is not None else None
        if told is None:
            return Outcome(contract.empty())
        is_elsewhere = (pl.col("table_name") != pl.col("belongs_to")) | (pl.col("day") != pl.col("belongs_on"))
        if (moved := told.filter(is_elsewhere)).height:
            messages.move(stack.warehouse, moved)
        mine = told.filter(~is_elsewhere, pl.col("table_name") == contract.table)
        return _outcome(contract, mine, batches)

    return of_day


def _verdicts(batch: Settling) -> pl.DataFrame:
    return batch.messages.select(
        "position", "byte_from", "byte_to", "reason", "detail",
        evidence_id=pl.lit(batch.batch.evidence_id), belongs_to="table_name", belongs_on="day",
    )  # fmt: skip


def _outcome(contract: Contract, mine: pl.DataFrame, batches: Sequence[Settling]) -> Outcome:
    is_used = _WAS_FIRST & pl.col("reason").is_null()
    is_rejected = (pl.col("outcome") == "conflicting") | (_WAS_FIRST & pl.col("reason").is_not_null())
    used = mine.filter(is_used).select("evidence_id", "position")
    rows = [batch.rows[contract.table] for batch in batches if contract.table in batch.rows]
    tally = mine.group_by("day", "evidence_id", maintain_order=True).agg(
        num_in=pl.len().cast(pl.Int64),
        num_used=is_used.sum().cast(pl.Int64),
        num_rejected=is_rejected.sum().cast(pl.Int64),
        num_duplicate=(pl.col("outcome") == "duplicate").sum().cast(pl.Int64),
    )
    return Outcome(
        pl.concat([contract.empty(), *(of_batch.select(contract.columns) for of_batch in rows)]).join(
            used, on=["evidence_id", "position"], how="semi"
        ),
        mine.filter(is_rejected).select(messages.reject_columns()),
        tally.select(Tallies.column_names()),
    )
