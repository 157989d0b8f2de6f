"""Checks of the drained queue: what came in is what was booked, at every moment."""

import dagster as dg

from data_platform import settings
from data_platform.defs.logins.event_assets import login_messages
from data_platform.defs.resources import Storage
from data_platform.logins import event_types
from data_platform.logins.event_types import EventType
from data_platform.publish import messages
from data_platform.warehouse.connection import Transaction

_MOST_REJECTED = 0.05


@dg.asset_check(asset=login_messages)
def nothing_is_lost(storage: Storage) -> dg.AssetCheckResult:
    """Messages received = stored + duplicate + conflicting + rejected + in flight, for each queue."""
    sums = messages.account(storage.open().warehouse).drop("queue").sum().fill_null(0).row(0, named=True)
    known = sum(number for name, number in sums.items() if name != "num_received")
    return dg.AssetCheckResult(passed=known == sums["num_received"], metadata={**sums})


@dg.asset_check(asset=login_messages)
def ledger_agrees_with_batches(storage: Storage) -> dg.AssetCheckResult:
    """The lines of the ledger add up to what each batch says of itself, and stored lines to the rows of the tables."""
    query = (settings.sql_folder() / "checks" / "ledger_agrees.sql").read_text(encoding="utf-8")
    with storage.open().warehouse.transaction() as transaction:
        wrong = transaction.query(query).to_dicts()
        without_row = {
            type_.contract.table: _num_without_row(transaction, type_) for type_ in event_types.load().by_name.values()
        }
    return dg.AssetCheckResult(
        passed=not wrong and not any(without_row.values()),
        metadata={
            "num_batches_that_differ": len(wrong),
            "batches": [row["batch_id"] for row in wrong[:10]],
            "stored_lines_without_row": without_row,
        },
    )


def _num_without_row(transaction: Transaction, type_: EventType) -> int:
    contract = type_.contract
    statement = transaction.quoted(
        "SELECT count(*) FROM ops.message_ledger l JOIN (SELECT batch_id, evidence_id FROM ops.message_batches"
        " WHERE settled_at IS NOT NULL ORDER BY batch_id DESC LIMIT 100) AS last_batches USING (batch_id)"
        " WHERE l.table_name = $1 AND l.outcome = 'stored' AND NOT EXISTS (SELECT FROM %I.%I r"
        " WHERE (r.%I, r.evidence_id, r.position) = (l.day, last_batches.evidence_id, l.position))",
        contract.schema, contract.name, contract.day or "",
    )  # fmt: skip
    return transaction.query(statement, contract.table).item()


@dg.asset_check(asset=login_messages)
def few_are_rejected(storage: Storage) -> dg.AssetCheckResult:
    """Few messages of the last batches cannot be used, or conflict: more are a sender that has changed."""
    with storage.open().warehouse.transaction() as transaction:
        found = transaction.query(
            "SELECT coalesce(sum(num_messages), 0)::bigint AS num_messages,"
            " coalesce(sum(num_rejected + num_conflicting), 0)::bigint AS num_rejected FROM (SELECT * FROM"
            " ops.message_batches WHERE settled_at IS NOT NULL ORDER BY batch_id DESC LIMIT 100) AS last_batches"
        ).row(0, named=True)
    share = found["num_rejected"] / max(found["num_messages"], 1)
    return dg.AssetCheckResult(
        passed=share <= _MOST_REJECTED, severity=dg.AssetCheckSeverity.WARN, metadata={**found, "share": share}
    )
