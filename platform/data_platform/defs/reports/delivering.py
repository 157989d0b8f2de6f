"""The IO manager of reports: delivers what an asset makes of each day, and tells of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from data_platform.defs.io_managers import Metadata, days_of, markdown, tell_all
from data_platform.defs.reports.making import ReportMaker
from data_platform.defs.resources import Storage
from data_platform.errors import PermanentError
from data_platform.publish.delivered import Report
from data_platform.publish.delivery import Delivery, deliver
from data_platform.publish.mailing import Mailer
from data_platform.publish.protocol import Provenance
from data_platform.stack import Stack


@dataclass(frozen=True)
class Reports:
    """What an asset of reports returns: who makes the report of each day."""

    of_day: Callable[[date], ReportMaker]


class ReportIOManager(dg.IOManager):
    """Files in the store of reports, with their rows in `reports.reports_generated`."""

    def handle_output(self, context: dg.OutputContext, obj: Reports) -> None:
        """Delivers day after day; those that cannot be delivered are named once the others are."""
        storage: Storage = context.resources.storage
        stack = storage.open()
        by = Provenance(context.asset_spec.code_version or "0", context.run_id, storage.end_of_reading())
        done: dict[date, Metadata] = {}
        failed: dict[date, PermanentError] = {}
        days = days_of(context.asset_partition_keys)
        for day in days:
            maker = obj.of_day(day)
            try:
                delivery = deliver(stack.warehouse, stack.reports, Report(maker.report.name, day), maker, by=by)
            except PermanentError as error:
                failed[day] = error
                continue
            mailer = Mailer(stack.warehouse, stack.reports, stack.settings)
            for failure in mailer.tell(delivery.files, maker.report.title, maker.report.recipients):
                context.log.warning("%s", failure)
            done[day] = _metadata(stack, maker, delivery)
        tell_all(context, done, failed, num_days=len(days), word="delivered")

    def load_input(self, context: dg.InputContext) -> Any:  # noqa: ANN401
        """Nothing is made of a report."""
        raise dg.DagsterInvariantViolationError(f"{context.asset_key.to_user_string()} is delivered, not read.")


def _metadata(stack: Stack, maker: ReportMaker, delivery: Delivery) -> Metadata:
    first = delivery.files[0]
    facts: Metadata = {
        "dagster/partition_row_count": dg.MetadataValue.int(first.num_rows),
        "num_bytes": dg.MetadataValue.int(sum(file.num_bytes for file in delivery.files)),
        "version": dg.MetadataValue.int(first.version),
        "status": dg.MetadataValue.text(delivery.status),
        "skew_seconds": dg.MetadataValue.float(first.skew_seconds),
        "dagster/uri": dg.MetadataValue.text(first.download_link),
        "manifest": dg.MetadataValue.text(stack.reports.location(first.manifest_key)),
    }
    facts |= {f"report_id ({file.file_format})": dg.MetadataValue.text(file.report_id) for file in delivery.files}
    if maker.head.width:
        facts["preview"] = dg.MetadataValue.md(markdown(maker.head))
    return facts


report_io_manager = dg.IOManagerDefinition(resource_fn=lambda _: ReportIOManager(), required_resource_keys={"storage"})
