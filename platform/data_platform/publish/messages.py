"""The ledger of messages: what became of each that was received, written in one step with the row that it became.

A batch is noted before its evidence is kept. Once that is there, `settle` decides about its messages; whoever comes
after a crash finds the note and settles what is kept. Whether a message came before is looked up by its id and by its
content, whenever that was. What does not belong here: queues (`queues/`), and what a message says (the products).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from data_platform import contracts
from data_platform.contracts.contract import Contract
from data_platform.contracts.message_ledger import OUTCOMES
from data_platform.errors import TransientError
from data_platform.publish.arrivals import note_evidence
from data_platform.publish.shelves import day_list
from data_platform.warehouse.connection import Transaction, Warehouse

KIND = "messages"
"""Kind of the evidence that batches are."""

CONFLICT = "conflicting_id"
"""Reason of a reject: an earlier message had its id and another body."""

_CONFLICT_DETAIL = (
    "An earlier message has the same id and another body; the earlier one stands, so ask who sends it which is true."
)
_LEDGER = contracts.of_table("ops.message_ledger")
_ARRIVING = "json_to_recordset($1::json) AS a(message_id text, fingerprint uuid, sent_at timestamptz)"
_KNOWN = (
    f"WITH arriving AS MATERIALIZED (SELECT * FROM {_ARRIVING})"
    " SELECT DISTINCT l.message_id, l.fingerprint, NULL::timestamptz AS sent_at"
    " FROM arriving a JOIN ops.message_ledger l"
    " ON hashtextextended(l.message_id, 0) = hashtextextended(a.message_id, 0) AND l.message_id = a.message_id"
    " UNION ALL SELECT DISTINCT NULL, l.fingerprint, l.sent_at FROM arriving a JOIN ops.message_ledger l"
    " ON l.sent_at = a.sent_at AND l.fingerprint = a.fingerprint AND l.outcome IN ('stored', 'rejected')"
)
"""Earlier messages with one of some ids (no `sent_at`), and those with one of some contents (no `message_id`)."""


class BatchGone(TransientError):
    """The note of a batch is no longer there: another run has taken it for the rest of a crash."""


@dataclass(frozen=True)
class Batch:
    """Messages that were received together, as the books know them."""

    batch_id: int
    evidence_id: str
    num_messages: int


@dataclass(frozen=True)
class Settling:
    """What there is to decide about a batch.

    Attributes:
        num_bytes: Size of its evidence.
        messages: One row a message: `position` from 1, `message_id`, `fingerprint` (16 bytes), `sent_at`,
            `table_name`, `day`, `byte_from` and `byte_to` of its line; `reason` and `detail` of one that cannot be
            used, else null.
        rows: For each table the rows of those that can be used: the contract's columns.
        rule_version: Version of the rules that judged them.
    """

    batch: Batch
    num_bytes: int
    messages: pl.DataFrame
    rows: Mapping[str, pl.DataFrame]
    rule_version: str


def begin(warehouse: Warehouse, evidence_id: str, queue: str, num_messages: int, run_id: str) -> Batch:
    """Notes a batch whose evidence is about to be kept."""
    with warehouse.transaction() as transaction:
        batch_id = transaction.query(
            "INSERT INTO ops.message_batches (evidence_id, queue, num_messages, run_id) VALUES ($1, $2, $3, $4)"
            " RETURNING batch_id",
            evidence_id, queue, num_messages, run_id,
        ).item()  # fmt: skip
    return Batch(batch_id, evidence_id, num_messages)


def unsettled(warehouse: Warehouse) -> list[Batch]:
    """Batches that nobody has decided about yet, in the order of receiving."""
    with warehouse.transaction() as transaction:
        found = transaction.query(
            "SELECT batch_id, evidence_id, num_messages FROM ops.message_batches WHERE settled_at IS NULL ORDER BY 1"
        )
    return [Batch(**row) for row in found.to_dicts()]


def runs_of(warehouse: Warehouse, queue: str) -> set[str]:
    """The runs that ever received messages of a queue."""
    with warehouse.transaction() as transaction:
        found = transaction.query("SELECT DISTINCT run_id FROM ops.message_batches WHERE queue = $1", queue)
    return set(found["run_id"])


def account(warehouse: Warehouse) -> pl.DataFrame:
    """What became of the messages of each queue.

    Returns:
        `queue`, `num_received`, `num_stored`, `num_duplicate`, `num_conflicting`, `num_rejected` and `num_in_flight`:
        the second is the sum of those after it.
    """
    with warehouse.transaction() as transaction:
        return transaction.query("SELECT * FROM ops.message_account ORDER BY queue")


def forget(warehouse: Warehouse, batch: Batch) -> None:
    """Removes the note of a batch whose evidence was never kept: its messages are still the queue's."""
    with warehouse.transaction() as transaction:
        transaction.run("DELETE FROM ops.message_batches WHERE batch_id = $1 AND settled_at IS NULL", batch.batch_id)


def settle(warehouse: Warehouse, settling: Settling) -> dict[str, int]:
    """Decides about every message of a batch, and writes rows, rejects and ledger in one transaction.

    Returns:
        How many messages came to each outcome.

    Raises:
        BatchGone: Another run took the batch for the rest of a crash; nothing was written.
        WarehouseUnavailable: The warehouse went away; nothing was written.
    """
    batch, messages = settling.batch, settling.messages
    with warehouse.transaction() as transaction:
        noted = transaction.query(
            "SELECT settled_at IS NOT NULL AS settled FROM ops.message_batches WHERE batch_id = $1 FOR UPDATE",
            batch.batch_id,
        )
        if not noted.height:
            raise BatchGone("A batch of messages was settled by another run; nothing was written, run it again.")
        if noted.item():
            return {}
        # Two batches may hold the same message: the second waits, and sees what became of it.
        transaction.query("SELECT pg_advisory_xact_lock(hashtext('ops.message_ledger'))::text")
        lock_appended(transaction, messages.select("table_name", "day").unique())
        arriving = messages.select("message_id", pl.col("fingerprint").bin.encode("hex"), "sent_at").write_json()
        known = transaction.query(_KNOWN, arriving)
        has_id = pl.col("message_id").is_not_null()
        outcome = outcomes(messages, known.filter(has_id), known.filter(~has_id))
        ledger = messages.with_columns(outcome=outcome, batch_id=pl.lit(batch.batch_id, dtype=pl.Int64))
        note_evidence(transaction, batch.evidence_id, KIND, settling.num_bytes)
        _write(transaction, settling, ledger)
        counts = {name: ledger.filter(outcome=name).height for name in OUTCOMES}
        transaction.run(
            "UPDATE ops.message_batches SET settled_at = clock_timestamp(), num_stored = $2, num_duplicate = $3,"
            " num_conflicting = $4, num_rejected = $5 WHERE batch_id = $1",
            batch.batch_id, *counts.values(),
        )  # fmt: skip
        return counts


def outcomes(messages: pl.DataFrame, known_ids: pl.DataFrame, known_contents: pl.DataFrame) -> pl.Series:
    """What becomes of each message of a batch.

    The same id with the same body is a duplicate, with another body it conflicts with the earlier one. A body that was
    sent at the same instant under another id is a duplicate too: an event has no time of its own beside that, so two
    equal bodies of different instants are two events.

    Args:
        messages: Columns `message_id`, `fingerprint`, `sent_at`, `reason`, in the order of receiving.
        known_ids: `message_id` and `fingerprint` of earlier messages with one of these ids.
        known_contents: `sent_at` and `fingerprint` of earlier messages, stored or rejected, with one of these contents.
    """
    by_id, by_body = ["message_id"], ["message_id", "fingerprint"]
    known = known_ids.select(by_body)
    rows = messages.lazy().select(*by_body, "sent_at", "reason").with_row_index("n")
    rows = rows.join(known.lazy().unique().with_columns(knows_body=True), on=by_body, how="left", maintain_order="left")
    rows = rows.join(
        known.lazy().select(by_id).unique().with_columns(knows_id=True), on=by_id, how="left", maintain_order="left"
    )
    contents = known_contents.lazy().select("sent_at", "fingerprint").unique().with_columns(knows_content=True)
    rows = rows.join(contents, on=["sent_at", "fingerprint"], how="left", maintain_order="left")
    again = pl.col("knows_body").fill_null(value=False) | ~pl.struct(by_body).is_first_distinct()
    conflicts = pl.col("knows_id").fill_null(value=False) | ~pl.col("message_id").is_first_distinct()
    rows = rows.with_columns(
        outcome=pl.when(again).then(pl.lit("duplicate")).when(conflicts).then(pl.lit("conflicting"))
    )
    # Only what is no duplicate or conflict by its id can stand for others of its content.
    first = pl.col("n") == pl.col("n").filter(pl.col("outcome").is_null()).min().over("sent_at", "fingerprint")
    is_copy = pl.col("sent_at").is_not_null() & (pl.col("knows_content").fill_null(value=False) | ~first)
    return (
        rows.with_columns(
            outcome=pl.when(pl.col("outcome").is_not_null())
            .then("outcome")
            .when(is_copy)
            .then(pl.lit("duplicate"))
            .when(pl.col("reason").is_not_null())
            .then(pl.lit("rejected"))
            .otherwise(pl.lit("stored"))
        )
        .collect()
        .get_column("outcome")
    )


def lock_appended(transaction: Transaction, of: pl.DataFrame) -> None:
    """Holds off publishers of some tables' days (columns `table_name` and `day`) until the transaction ends."""
    # The locks are taken in the order of the rows: a function that does something runs after the sorting.
    transaction.query(
        "SELECT pg_advisory_xact_lock_shared(hashtext(table_name), number)::text FROM (SELECT * FROM ("
        " SELECT table_name, 0 AS number FROM json_to_recordset($1::json) AS d(table_name text) UNION ALL"
        " SELECT table_name, day - date '1970-01-01' FROM json_to_recordset($1::json) AS d(table_name text, day date)"
        ') AS named ORDER BY table_name COLLATE "C", number) AS locks',
        of.write_json(),
    )


def _write(transaction: Transaction, settling: Settling, ledger: pl.DataFrame) -> None:
    stored = ledger.filter(outcome="stored")
    for table, rows in settling.rows.items():
        contract = contracts.of_table(table)
        transaction.copy_in(contract.schema, contract.name, rows.join(stored, on="position", how="semi"))
    transaction.copy_in("ops", "message_ledger", ledger.select(_LEDGER.columns))
    transaction.copy_in("ops", "rejects", _rejects(settling, ledger))
    count_appended(transaction, ledger.group_by("table_name", "day").agg(num_records=pl.len()))


def count_appended(transaction: Transaction, counts: pl.DataFrame) -> None:
    """Adds to the records that came in for some tables' days; what is taken away is negative.

    Args:
        transaction: Books it.
        counts: Columns `table_name`, `day` and `num_records`.
    """
    transaction.run(
        "INSERT INTO ops.appended_days (table_name, day, num_records)"
        " SELECT table_name, day, sum(num_records)::bigint FROM json_to_recordset($1::json)"
        " AS c(table_name text, day date, num_records bigint) GROUP BY 1, 2 ORDER BY 1, 2"
        " ON CONFLICT (table_name, day) DO UPDATE SET num_records = appended_days.num_records + excluded.num_records",
        counts.write_json(),
    )


def _rejects(settling: Settling, ledger: pl.DataFrame) -> pl.DataFrame:
    refused = ledger.filter(pl.col("outcome").is_in(["conflicting", "rejected"]))
    rows = refused.with_columns(evidence_id=pl.lit(settling.batch.evidence_id)).select("table_name", *reject_columns())
    return rows.with_columns(rule_version=pl.lit(settling.rule_version))


def reject_columns() -> list[pl.Expr]:
    """The columns of `Rejects`, out of those of the ledger with `reason`, `detail` and the span in the evidence."""
    is_conflict = pl.col("outcome") == "conflicting"
    return [
        *map(pl.col, ("day", "evidence_id")),
        pl.col("position").alias("record_no"),
        pl.col("position").alias("line"),
        *map(pl.col, ("byte_from", "byte_to")),
        pl.lit(1, dtype=pl.Int64).alias("num_records"),
        pl.when(is_conflict).then(pl.lit(CONFLICT)).otherwise("reason").alias("reason"),
        pl.when(is_conflict).then(pl.lit(_CONFLICT_DETAIL)).otherwise("detail").alias("detail"),
    ]


def of_day(warehouse: Warehouse, day: date) -> pl.DataFrame:
    """The ledger of a day, of every table, in the order of receiving.

    Returns:
        Columns `batch_id`, `evidence_id`, `position`, `table_name`, `day`, `outcome`.
    """
    with warehouse.transaction() as transaction:
        return transaction.query(
            "SELECT l.batch_id, b.evidence_id, l.position, l.table_name, l.day, l.outcome FROM ops.message_ledger l"
            " JOIN ops.message_batches b USING (batch_id) WHERE l.day = $1 ORDER BY 1, 3",
            day,
        )


def move(warehouse: Warehouse, moved: pl.DataFrame) -> None:
    """Books messages under other tables or days, since the rules now say that they are of another type or day.

    Args:
        warehouse: Holds the ledger.
        moved: Columns `batch_id`, `position`, `table_name` and `day` as they were, `belongs_to` and `belongs_on`.
    """
    was = moved.select("table_name", "day")
    becomes = moved.select(table_name="belongs_to", day="belongs_on")
    with warehouse.transaction() as transaction:
        lock_appended(transaction, pl.concat([was, becomes]).unique())
        found = transaction.query(
            "WITH moved AS (SELECT * FROM json_to_recordset($1::json) AS m"
            " (batch_id bigint, position bigint, table_name text, day date, belongs_to text, belongs_on date)),"
            " done AS (UPDATE ops.message_ledger l SET table_name = m.belongs_to, day = m.belongs_on FROM moved m"
            " WHERE (l.batch_id, l.position, l.table_name, l.day) = (m.batch_id, m.position, m.table_name, m.day)"
            " RETURNING m.table_name, m.day, m.belongs_to, m.belongs_on)"
            " SELECT table_name, day, belongs_to, belongs_on, count(*) AS num FROM done GROUP BY 1, 2, 3, 4",
            moved.write_json(),
        )
        taken = found.select("table_name", "day", num_records=-pl.col("num"))
        given = found.select(table_name="belongs_to", day="belongs_on", num_records="num")
        count_appended(transaction, pl.concat([taken, given]))


def days_behind(warehouse: Warehouse, contract: Contract) -> dict[date, int]:
    """Days of a table that messages came in for since they were last published, with how many came in at all."""
    with warehouse.transaction() as transaction:
        found = transaction.query(
            "SELECT a.day, a.num_records FROM ops.appended_days a WHERE a.table_name = $1 AND a.num_records <>"
            " coalesce((SELECT sum(t.num_in) FROM ops.tallies t WHERE t.table_name = $1 AND t.day = a.day), 0)"
            " ORDER BY 1",
            contract.table,
        )
    return dict(found.iter_rows())


def num_appended(transaction: Transaction, contract: Contract, days: Sequence[date | None]) -> dict[date, int]:
    """How many records came in for some days of a table, for those that any did."""
    found = transaction.query(
        "SELECT day, num_records FROM ops.appended_days WHERE table_name = $1 AND ops.is_among(day, $2)",
        contract.table,
        day_list(days),
    )
    return dict(found.iter_rows())


def agree(transaction: Transaction, contract: Contract, days: Sequence[date | None]) -> None:
    """Brings the ledger of some days in line with the rows that were just published of them.

    A message that a mended rule can use is stored from now on, and one that it cannot use any more is rejected.
    """
    statement = transaction.quoted(
        "WITH changed AS ("
        " SELECT l.batch_id, l.position, CASE WHEN r.position IS NULL THEN 'rejected' ELSE 'stored' END AS outcome"
        " FROM ops.message_ledger l JOIN ops.message_batches b USING (batch_id)"
        " LEFT JOIN %I.%I r ON r.evidence_id = b.evidence_id AND r.position = l.position AND r.%I = l.day"
        " WHERE l.table_name = $1 AND ops.is_among(l.day, $2) AND l.outcome IN ('stored', 'rejected')"
        " AND (l.outcome = 'stored') <> (r.position IS NOT NULL)"
        "), moved AS ("
        " UPDATE ops.message_ledger l SET outcome = c.outcome FROM changed c"
        " WHERE (l.batch_id, l.position) = (c.batch_id, c.position) RETURNING c.batch_id, c.outcome"
        "), sums AS ("
        " SELECT batch_id, sum(CASE outcome WHEN 'stored' THEN 1 ELSE -1 END)::bigint AS won FROM moved GROUP BY 1"
        ") UPDATE ops.message_batches b SET num_stored = num_stored + won, num_rejected = num_rejected - won"
        " FROM sums WHERE sums.batch_id = b.batch_id",
        contract.schema, contract.name, contract.day or "",
    )  # fmt: skip
    transaction.run(statement, contract.table, day_list(days))


def note_reveal(warehouse: Warehouse, who: str, reason: str, subject: str, num_found: int) -> None:
    """Books a look at what a token or a seal hides, before it is given."""
    with warehouse.transaction() as transaction:
        transaction.run(
            "INSERT INTO ops.reveals (revealed_by, reason, subject, num_found) VALUES ($1, $2, $3, $4)",
            who, reason, subject, num_found,
        )  # fmt: skip
