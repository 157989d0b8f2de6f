"""The sensor that asks for each report as soon as it is due, and the job that it starts."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from data_platform.defs.asking import for_stretch
from data_platform.defs.reports.assets import report_types
from data_platform.defs.resources import Storage
from data_platform.publish.delivered import current
from data_platform.reports.due import days_due, due_at, tries

deliver_reports = dg.define_asset_job(
    "deliver_reports",
    selection=dg.AssetSelection.assets(*(report.name for report in report_types)),
    description="Delivers the report of a day.",
)


@dg.sensor(job=deliver_reports, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def reports_sensor(storage: Storage) -> Iterator[dg.RunRequest]:
    """Asks for the report of each day that is due and was not delivered; again and again, at growing pauses.

    It looks at the clock instead of a schedule's, so that the zone is a setting, and an hour that fell into a restart
    is caught up with.
    """
    stack = storage.open()
    now, zone = datetime.now(UTC), stack.settings.business_timezone
    for report in report_types:
        delivered = {file.report_date for file in current(stack.warehouse, report.name)}
        for day in days_due(report.schedule, delivered, now, zone):
            why = f"due:{tries(due_at(report.schedule, day, zone), now)}"
            yield for_stretch(dg.AssetKey(report.name), day, day, why)
