"""Contract of `ops.final_days`."""

import dataframely as dy

from data_platform.contracts.contract import Contract


class FinalDays(dy.Schema):
    """A day that nobody publishes again, because what it was made of was deleted when it had been kept long enough."""

    table_name = dy.String(primary_key=True, regex=r"^[a-z_]+\.[a-z_]+$", description="Table with its schema.")
    day = dy.Date(primary_key=True, description="Partition of the table.")
    is_gone = dy.Bool(description="Whether the rows of the day were deleted too; if not, they stay as they are.")
    final_at = dy.Datetime(time_unit="us", time_zone="UTC", description="Since when.")


CONTRACT = Contract(table="ops.final_days", rows=FinalDays, kept_in="warehouse")
