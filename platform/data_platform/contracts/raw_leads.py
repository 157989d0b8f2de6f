"""Contract of `leads.raw_leads`."""

import dataframely as dy
import polars as pl

from data_platform.contracts.contract import PERSONAL, Contract


class RawLeads(dy.Schema):
    """A record of a licensing file as it was delivered, every value as text, with the place of its bytes."""

    day = dy.Date(primary_key=True, description="Delivery day of the file.")
    evidence_id = dy.String(primary_key=True, regex="^[0-9a-f]{64}$", description="SHA-256 of the file.")
    record_no = dy.Int64(primary_key=True, min=1, description="Ordinal of the record in the file, from 1.")
    line = dy.Int64(min=1, description="Physical line where the record starts, from 1.")
    byte_from = dy.Int64(min=0, description="First byte of the record in the file.")
    byte_to = dy.Int64(min=1, description="Byte after the record, its line end included.")
    source = dy.String(min_length=1, description="Name of the source whose layout the file has.")
    headers = dy.List(dy.String(), description="Column names of the file, as delivered.")
    values = dy.List(
        dy.String(), metadata=PERSONAL, description="The record's values as text, in the order of `headers`."
    )
    repair = dy.String(nullable=True, description="How the text had to be mended to be read; null when it had not.")

    @dy.rule()
    def one_value_a_header(cls) -> pl.Expr:
        """A record has as many values as its file has columns."""
        return pl.col("headers").list.len() == pl.col("values").list.len()


CONTRACT = Contract(table="leads.raw_leads", rows=RawLeads, kept_in="lake", day="day")
