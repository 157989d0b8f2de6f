"""Mistakes that a drain could be made with. Each is one that the rig has to notice."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from data_platform.lake import evidence
from data_platform.publish import messages
from data_platform.publish.draining import Office
from data_platform.publish.messages import Settling
from data_platform.queues.sqs import Message
from data_platform.warehouse.connection import Transaction, Value, Warehouse


def _acknowledges_first() -> None:
    drain, prepared = Office._drain, Office._prepared

    def hasty(self: Office, queue: Any, *rest: Any) -> None:
        def told(office: Office, received: Sequence[Message], *more: Any) -> tuple[list[str], bytes, Settling]:
            queue.delete([message.receipt for message in received])
            return prepared(office, received, *more)

        _replace(Office, "_prepared", told)
        drain(self, queue, *rest)

    _replace(Office, "_drain", hasty)


def _knows_nothing_of_before() -> None:
    decide = messages.outcomes
    _replace(messages, "outcomes", lambda new, ids, contents: decide(new, ids.clear(), contents.clear()))


def _forgets_what_a_crash_left() -> None:
    _replace(messages, "unsettled", lambda _: [])


def _does_not_wait() -> None:
    """Nobody holds off another who settles the same messages."""
    _forgets_what_a_crash_left()
    ask = Transaction.query

    def hasty(self: Transaction, sql: str, *values: Value) -> pl.DataFrame:
        if "ops.message_ledger'" in sql:
            return pl.DataFrame()
        return ask(self, sql.replace(" FOR UPDATE", ""), *values)

    _replace(Transaction, "query", hasty)


def _keeps_no_evidence() -> None:
    _replace(evidence, "keep", lambda *_, **__: True)


def _writes_rows_apart() -> None:
    """The rows are there before the ledger is."""
    write, settle = messages._write, messages.settle

    def apart(warehouse: Warehouse, settling: Settling) -> dict[str, int]:
        def first(transaction: Transaction, of: Settling, ledger: pl.DataFrame) -> None:
            with warehouse.transaction() as other:
                for table, rows in of.rows.items():
                    stored = ledger.filter(outcome="stored")
                    other.copy_in("logins", table.removeprefix("logins."), rows.join(stored, on="position", how="semi"))
            write(transaction, Settling(of.batch, of.num_bytes, of.messages, {}, of.rule_version), ledger)

        _replace(messages, "_write", first)
        return settle(warehouse, settling)

    _replace(messages, "settle", apart)


def _counts_no_days() -> None:
    _replace(messages, "count_appended", lambda *_: None)


def _drops_rejects() -> None:
    rejects = messages._rejects
    _replace(messages, "_rejects", lambda *values: rejects(*values).clear())


def _rejects_when_a_day_is_new() -> None:
    """A message of another day than the first one counts as bad."""
    judged = Office._judged

    def strict(self: Office, *values: Any) -> Settling:
        of = judged(self, *values)
        is_other = pl.col("day") != of.messages["day"][0]
        told = of.messages.with_columns(
            reason=pl.when(is_other).then(pl.lit("too_old")).otherwise("reason"),
            detail=pl.when(is_other).then(pl.lit("It is too old.")).otherwise("detail"),
        )
        return Settling(of.batch, of.num_bytes, told, of.rows, of.rule_version)

    _replace(Office, "_judged", strict)


def _replace(owner: object, name: str, by: object) -> None:
    setattr(owner, name, by)


MUTANTS: dict[str, Callable[[], None]] = {
    "acknowledges first": _acknowledges_first,
    "knows nothing of before": _knows_nothing_of_before,
    "forgets what a crash left": _forgets_what_a_crash_left,
    "does not wait": _does_not_wait,
    "keeps no evidence": _keeps_no_evidence,
    "writes rows apart": _writes_rows_apart,
    "counts no days": _counts_no_days,
    "drops rejects": _drops_rejects,
    "rejects what is of another day": _rejects_when_a_day_is_new,
}
