"""The landing prefix of lead files, the sensor that watches it, and the job that it starts."""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from data_platform.contracts import leads, raw_leads
from data_platform.contracts.days import FIRST_DAY
from data_platform.defs.asking import AHEAD_OF_BACKFILLS, digest, receive
from data_platform.defs.resources import Storage
from data_platform.defs.trying_again import until_done
from data_platform.leads.delivery import named_day
from data_platform.publish import reading
from data_platform.publish.arrivals import Arrivals
from data_platform.publish.currency import days_behind_arrivals, is_behind
from data_platform.stack import Stack

update_leads = dg.define_asset_job(
    "update_leads",
    selection=dg.AssetSelection.assets("raw_leads", "leads"),
    description="Reads what was delivered on a day and brings the leads table up to date.",
)


def lead_arrivals(stack: Stack) -> Arrivals:
    """The landing prefix of lead files in a running stack."""
    zone = stack.settings.business_timezone
    return Arrivals(stack.warehouse, stack.lake, stack.landing, "leads", zone, FIRST_DAY, named_day)


@dg.sensor(job=update_leads, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def lead_files_sensor(context: dg.SensorEvaluationContext, storage: Storage) -> Iterator[dg.RunRequest]:
    """Keeps new lead files as evidence, and asks for each day whose content is not yet in the tables.

    A file counts by its content: one that was renamed, touched or dropped again asks for nothing.
    """
    yield from until_done(context, _wanted(context, storage.open()))


def _wanted(context: dg.SensorEvaluationContext, stack: Stack) -> Iterator[dg.RunRequest]:
    arrivals = lead_arrivals(stack)
    for landed in receive(context, arrivals):
        yield _request(landed.day, landed.entry.key, landed.entry.version)
    behind = days_behind_arrivals(stack.warehouse, raw_leads.CONTRACT, arrivals)
    for day, evidence in behind.items():
        yield _request(day, *sorted(evidence))
    records = reading.publications(stack.warehouse, raw_leads.CONTRACT)
    current = next(iter(reading.publications(stack.warehouse, leads.CONTRACT)), None)
    if records and not behind and is_behind(current, current.code_version if current else None, records):
        # A run that published the records and then failed: the table alone is missing.
        made_of = sorted(f"{version.day} {version.content_hash}" for version in records)
        yield dg.RunRequest(
            run_key=f"leads:{digest(made_of)}", asset_selection=[dg.AssetKey("leads")], tags=AHEAD_OF_BACKFILLS
        )


def _request(day: date, *content: str) -> dg.RunRequest:
    return dg.RunRequest(run_key=f"{day}:{digest(content)}", partition_key=day.isoformat(), tags=AHEAD_OF_BACKFILLS)
