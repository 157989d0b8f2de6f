"""The landing prefix of lead files, the sensor that watches it, and the job that it starts."""

import hashlib
from collections.abc import Iterable, Iterator

import dagster as dg

from data_platform.contracts import leads, raw_leads
from data_platform.defs.resources import Storage
from data_platform.lake.evidence import ChangedWhileRead
from data_platform.lake.store import NoSuchObject
from data_platform.leads.delivery import FIRST_DAY, named_day
from data_platform.publish import reading
from data_platform.publish.arrivals import Arrivals
from data_platform.publish.currency import days_behind_arrivals, is_behind
from data_platform.stack import Stack

_READ_IN_A_TICK = 256 * 2**20  # bytes; a tick has a minute, so larger files are read by the run that the tick asks for

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
    stack = storage.open()
    arrivals = lead_arrivals(stack)
    unread = _READ_IN_A_TICK
    for landed in arrivals.unseen():
        if landed.entry.num_bytes > unread:
            yield _request(landed.day.isoformat(), landed.entry.key, landed.entry.version)
            continue
        unread -= landed.entry.num_bytes
        try:
            arrivals.receive(landed)
        except (ChangedWhileRead, NoSuchObject) as error:
            context.log.warning("%s", error)  # the next tick looks again; the other files need not wait
    behind = days_behind_arrivals(stack.warehouse, raw_leads.CONTRACT, arrivals)
    for day, evidence in behind.items():
        yield _request(day.isoformat(), *sorted(evidence))
    records = reading.publications(stack.warehouse, raw_leads.CONTRACT)
    current = next(iter(reading.publications(stack.warehouse, leads.CONTRACT)), None)
    if records and not behind and is_behind(current, current.code_version if current else None, records):
        # A run that published the records and then failed: the table alone is missing.
        made_of = sorted(f"{version.day} {version.content_hash}" for version in records)
        yield dg.RunRequest(run_key=f"leads:{_digest(made_of)}", asset_selection=[dg.AssetKey("leads")])


def _request(day: str, *content: str) -> dg.RunRequest:
    # The key names the content, so that a new version of a day asks again, and a day that failed is not tried for ever.
    return dg.RunRequest(run_key=f"{day}:{_digest(content)}", partition_key=day)


def _digest(content: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(content).encode()).hexdigest()[:16]
