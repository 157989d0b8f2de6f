"""Contract of `ops.message_batches`."""

import dataframely as dy
import polars as pl

from data_platform.contracts.contract import Contract


class MessageBatches(dy.Schema):
    """Messages that were received together and are kept as one sealed piece of evidence."""

    batch_id = dy.Int64(primary_key=True, description="Its number, in the order of receiving.")
    evidence_id = dy.String(regex="^[0-9a-f]{64}$", description="SHA-256 of the sealed batch.")
    queue = dy.String(min_length=1, description="Queue that they were received from.")
    run_id = dy.String(min_length=1, description="Run that received them.")
    num_messages = dy.Int64(min=1, description="Messages received.")
    num_stored = dy.Int64(min=0, description="Those that are rows.")
    num_duplicate = dy.Int64(min=0, description="Those that an earlier message stands for.")
    num_conflicting = dy.Int64(min=0, description="Those whose id came before with another body.")
    num_rejected = dy.Int64(min=0, description="Those that cannot be used.")
    received_at = dy.Datetime(time_unit="us", time_zone="UTC", description="When the batch was noted.")
    settled_at = dy.Datetime(
        nullable=True, time_unit="us", time_zone="UTC", description="When it was decided; null while in flight."
    )

    @dy.rule()
    def nothing_is_lost(cls) -> pl.Expr:
        """Each message of a settled batch has its outcome."""
        decided = pl.sum_horizontal("num_stored", "num_duplicate", "num_conflicting", "num_rejected")
        return (decided == pl.col("num_messages")) | pl.col("settled_at").is_null() & (decided == 0)


CONTRACT = Contract(table="ops.message_batches", rows=MessageBatches, kept_in="warehouse")
