"""Contract of `reports.attempts`."""

import dataframely as dy

from data_platform.contracts.contract import Contract


class ReportAttempts(dy.Schema):
    """A delivery that was begun and has not ended; none while nobody delivers and nobody crashed."""

    report_type = dy.String(primary_key=True, regex="^[a-z][a-z0-9_]*$", description="Name of the report.")
    report_date = dy.Date(primary_key=True, description="The report's day.")
    manifest = dy.String(min_length=1, description="The manifest of what is being delivered, as it will be stored.")
    run_id = dy.String(min_length=1, description="Run that began it.")
    begun_at = dy.Datetime(time_unit="us", time_zone="UTC", description="When it was begun.")


CONTRACT = Contract(table="reports.attempts", rows=ReportAttempts, kept_in="warehouse")
