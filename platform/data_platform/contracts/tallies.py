"""Contract of `ops.tallies`."""

import dataframely as dy
import polars as pl

from data_platform.contracts.contract import Contract


class Tallies(dy.Schema):
    """How many records of one evidence went into one published day, and what became of each: nothing is lost."""

    day = dy.Date(nullable=True, description="Partition of the table; null for a table published whole.")
    evidence_id = dy.String(regex="^[0-9a-f]{64}$", description="SHA-256 of the evidence.")
    num_in = dy.Int64(min=0, description="Records that came in.")
    num_used = dy.Int64(min=0, description="Records that the published rows are made of.")
    num_rejected = dy.Int64(min=0, description="Records in `ops.rejects`.")
    num_duplicate = dy.Int64(min=0, description="Records that another record stands for.")

    @dy.rule()
    def nothing_is_lost(cls) -> pl.Expr:
        """What came in was used, rejected or a duplicate."""
        return pl.col("num_in") == pl.col("num_used") + pl.col("num_rejected") + pl.col("num_duplicate")


CONTRACT = Contract(table="ops.tallies", rows=Tallies, kept_in="warehouse")
