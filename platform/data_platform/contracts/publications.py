"""Contract of `ops.publications`."""

import dataframely as dy

from data_platform.contracts.contract import Contract


class Publications(dy.Schema):
    """One version of one table's day, as it became visible: what, how much, from which code and run.

    Never edited; only `confirmed_at` moves, when a later run comes to the same version.
    """

    publication_id = dy.Int64(primary_key=True, min=1, description="Ordinal; the highest of a table's day is current.")
    table_name = dy.String(regex=r"^[a-z_]+\.[a-z_]+$", description="Table with its schema.")
    day = dy.Date(nullable=True, description="Partition; null for a table published whole.")
    num_rows = dy.Int64(min=0, description="Rows of the day.")
    num_rejected = dy.Int64(min=0, description="Records in `ops.rejects` beside it.")
    content_hash = dy.String(regex="^[0-9a-f]{64}$", description="Hash of the rows, whatever their order.")
    account_hash = dy.String(regex="^[0-9a-f]{64}$", description="Hash of rejects and tallies, whatever their order.")
    object_key = dy.String(
        nullable=True, description="Key of the Parquet object under LAKE_URI; null in the warehouse."
    )
    num_bytes = dy.Int64(nullable=True, min=0, description="Size of that object in bytes; null in the warehouse.")
    code_version = dy.String(min_length=1, description="Version of the code and contract that made the rows.")
    run_id = dy.String(min_length=1, description="Run that published.")
    published_at = dy.Datetime(time_unit="us", time_zone="UTC", description="When it became visible.")

    confirmed_at = dy.Datetime(
        time_unit="us",
        time_zone="UTC",
        description="When the last run that came to this version began to read its inputs.",
    )


CONTRACT = Contract(table="ops.publications", rows=Publications, kept_in="warehouse")
