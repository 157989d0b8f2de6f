"""Contract of `ops.message_ledger`."""

import dataframely as dy

from data_platform.contracts.contract import Contract

OUTCOMES = ("stored", "duplicate", "conflicting", "rejected")


class MessageLedger(dy.Schema):
    """What became of a message that was received: one row each time, so that none is lost and none counts twice."""

    batch_id = dy.Int64(primary_key=True, description="Batch that it was received in: a row of `ops.message_batches`.")
    position = dy.Int64(primary_key=True, min=1, description="Place in the batch, from 1.")
    message_id = dy.String(description="Id that the queue gave it.")
    fingerprint = dy.String(
        regex="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        description="Keyed fingerprint of its body: equal for equal bodies, and nothing can be read from it.",
        metadata={"stored_as": "uuid"},
    )
    sent_at = dy.Datetime(
        nullable=True, time_unit="us", time_zone="UTC", description="When it was sent; null where that cannot be read."
    )
    table_name = dy.String(description="Table that its kind of message becomes a row of.")
    day = dy.Date(description="Day that it was sent, in BUSINESS_TIMEZONE; where that cannot be read, received.")
    outcome = dy.String(
        regex=f"^({'|'.join(OUTCOMES)})$",
        description=(
            "stored: it is a row; duplicate: an earlier one stands for it; conflicting: an earlier one with its id had"
            " another body; rejected: it cannot be used, and is in `ops.rejects`."
        ),
    )


CONTRACT = Contract(table="ops.message_ledger", rows=MessageLedger, kept_in="warehouse")
