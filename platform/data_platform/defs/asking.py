"""What sensors ask for: runs whose key names their cause, so that the same cause never asks twice.

What does not belong here: what is behind (each product's own sensor).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date

import dagster as dg

from data_platform.defs.partitions import range_tags, stretches
from data_platform.lake.evidence import ChangedWhileRead
from data_platform.lake.store import NoSuchObject
from data_platform.publish.arrivals import Arrivals, Landed

AHEAD_OF_BACKFILLS = {"dagster/priority": "10"}
"""Tags of a run that a sensor asks for: it leaves the queue before a backfill's, which have no priority."""

_READ_IN_A_TICK = 256 * 2**20  # bytes; a tick has a minute, so larger files are read by the run that the tick asks for


def receive(context: dg.SensorEvaluationContext, arrivals: Arrivals) -> list[Landed]:
    """Keeps what has landed as evidence.

    Returns:
        What is too large for a tick, and is left to a run of its day.
    """
    unread = _READ_IN_A_TICK
    too_large: list[Landed] = []
    for landed in arrivals.unseen():
        if landed.entry.num_bytes > unread:
            too_large.append(landed)
            continue
        unread -= landed.entry.num_bytes
        try:
            arrivals.receive(landed)
        except (ChangedWhileRead, NoSuchObject) as error:
            context.log.warning("%s", error)  # the next tick looks again; the other files need not wait
    return too_large


def for_days(key: dg.AssetKey, behind: Mapping[date, Iterable[str]]) -> Iterator[dg.RunRequest]:
    """A run of an asset alone for each stretch of days, each with the content that it should be made of."""
    for first, last in stretches(behind):
        content = sorted(content for day in behind if first <= day <= last for content in behind[day])
        yield for_stretch(key, first, last, digest(content))


def for_stretch(key: dg.AssetKey, first: date, last: date, why: str) -> dg.RunRequest:
    """A run of an asset alone over a stretch of days."""
    run_key = f"{key.to_user_string()}:{first}:{last}:{why}"
    return dg.RunRequest(run_key=run_key, asset_selection=[key], tags=range_tags((first, last)) | AHEAD_OF_BACKFILLS)


def is_going_on(context: dg.SensorEvaluationContext, job_name: str) -> bool:
    """Whether a run of a job has not ended yet: what it publishes decides what is left."""
    unfinished = [
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
    ]
    return bool(context.instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=unfinished), limit=1))


def digest(content: Iterable[str]) -> str:
    """A short name of a content: a new version of a day asks again, and a day that failed is not tried for ever."""
    return hashlib.sha256("\n".join(content).encode()).hexdigest()[:16]
