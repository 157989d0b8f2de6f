"""Contract of `ops.reveals`."""

import dataframely as dy

from data_platform.contracts.contract import Contract


class Reveals(dy.Schema):
    """Every look at what a token or a seal hides. Rows are only ever added."""

    reveal_id = dy.Int64(primary_key=True, description="Its number.")
    revealed_at = dy.Datetime(time_unit="us", time_zone="UTC", description="When.")
    revealed_by = dy.String(min_length=1, description="Account of the operating system that asked.")
    reason = dy.String(min_length=10, description="Why, in that person's words.")
    subject = dy.String(min_length=1, description="Token, or place of a message, that was asked for.")
    num_found = dy.Int64(min=0, description="How many messages were shown.")


CONTRACT = Contract(table="ops.reveals", rows=Reveals, kept_in="warehouse")
