"""Contract of `ops.rejects`."""

import dataframely as dy
import polars as pl

from data_platform.contracts.contract import Contract


class Rejects(dy.Schema):
    """A piece of evidence that could not be used, with its place, so that it can be shown and replayed.

    The bytes themselves stay in the evidence: read `byte_from` to `byte_to` of it. The detail never quotes them.
    """

    day = dy.Date(nullable=True, description="Partition of the table that it is missing from; null for a whole table.")
    evidence_id = dy.String(regex="^[0-9a-f]{64}$", description="SHA-256 of the evidence that holds the bytes.")
    record_no = dy.Int64(nullable=True, min=1, description="Ordinal of the record in the file; null for a whole file.")
    line = dy.Int64(nullable=True, min=1, description="Physical line where it starts, from 1; null for a whole file.")
    byte_from = dy.Int64(min=0, description="First byte of its span in the evidence.")
    byte_to = dy.Int64(min=0, description="Byte after its span in the evidence.")
    num_records = dy.Int64(min=0, description="Records that the span holds: 1, or all of them for a whole file.")
    reason = dy.String(regex="^[a-z][a-z0-9_]*$", description="Stable code of the rule that it broke.")
    detail = dy.String(min_length=1, description="One sentence: what was expected, where, and how to mend it.")

    @dy.rule()
    def span_is_forward(cls) -> pl.Expr:
        """A span does not end before it starts."""
        return pl.col("byte_from") <= pl.col("byte_to")


CONTRACT = Contract(table="ops.rejects", rows=Rejects, kept_in="warehouse")
