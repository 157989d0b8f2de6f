"""Contract of `ops.appended_days`."""

import dataframely as dy

from data_platform.contracts.contract import Contract


class AppendedDays(dy.Schema):
    """A day that rows are appended to as messages come in, whether or not it was published since."""

    table_name = dy.String(primary_key=True, description="The table, with its schema.")
    day = dy.Date(primary_key=True, description="The day.")
    num_records = dy.Int64(min=0, description="Messages of that day so far, whatever became of each.")


CONTRACT = Contract(table="ops.appended_days", rows=AppendedDays, kept_in="warehouse")
