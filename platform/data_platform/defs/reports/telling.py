"""The job that sends the mails which did not go when their report was delivered, and its schedule."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from data_platform.defs.reports.assets import report_types
from data_platform.defs.resources import Storage
from data_platform.publish.delivered import current
from data_platform.publish.mailing import Mailer

_NEWS = timedelta(days=7)  # of an older report nobody is told by itself


@dg.op(out=dg.Out(dg.Nothing))
def tell_recipients(context: dg.OpExecutionContext, storage: Storage) -> None:
    """Tells the recipients of each report of the last week who were not told; one of whom that is unknown is left."""
    stack = storage.open()
    mailer = Mailer(stack.warehouse, stack.reports, stack.settings)
    first = datetime.now(UTC) - _NEWS
    for report in report_types:
        every = current(stack.warehouse, report.name) if report.recipients else []
        delivered = [file for file in every if file.delivered_at >= first]
        for day in sorted({file.report_date for file in delivered}):
            files = [file for file in delivered if file.report_date == day]
            for failure in mailer.tell(files, report.title, report.recipients):
                context.log.warning("%s", failure)


@dg.job
def mail_reports() -> None:
    """Sends the mails about reports that did not go at first."""
    tell_recipients()


mail_reports_hourly = dg.ScheduleDefinition(
    job=mail_reports, cron_schedule="20 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
