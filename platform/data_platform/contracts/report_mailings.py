"""Contract of `reports.mailings`."""

import dataframely as dy

from data_platform.contracts.contract import PERSONAL, Contract


class ReportMailings(dy.Schema):
    """A mail about one version of a report to one recipient: there before it is handed over, so none goes twice."""

    report_type = dy.String(primary_key=True, regex="^[a-z][a-z0-9_]*$", description="Name of the report.")
    report_date = dy.Date(primary_key=True, description="The report's day.")
    version = dy.Int64(primary_key=True, min=1, description="Version of the report.")
    recipient = dy.String(primary_key=True, min_length=3, metadata=PERSONAL, description="Mail address.")
    begun_at = dy.Datetime(time_unit="us", time_zone="UTC", description="When it was about to be handed over.")
    sent_at = dy.Datetime(
        nullable=True, time_unit="us", time_zone="UTC",
        description="When the mail server took it; null while that is not known, or where it failed.",
    )  # fmt: skip
    failure = dy.String(nullable=True, min_length=1, description="Why the mail server did not take it.")


CONTRACT = Contract(table="reports.mailings", rows=ReportMailings, kept_in="warehouse")
