"""The sensor that takes each day's snapshot as soon as the day has ended, and the job that it starts."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime

import dagster as dg

from data_platform.contracts import daily_logins, monthly_snapshots
from data_platform.defs.asking import for_days, for_stretch, is_going_on
from data_platform.defs.logins.told import hashes_of_told_days
from data_platform.defs.partitions import stretches
from data_platform.defs.resources import Storage
from data_platform.defs.trying_again import until_done
from data_platform.lake import snapshots
from data_platform.logins import rules
from data_platform.logins.days import DAY, days_to_know, ended_day, needs, start_of
from data_platform.logins.snapshots import COUNTERS
from data_platform.publish import reading
from data_platform.publish.reading import Publication
from data_platform.stack import Stack

_SNAPSHOTS, _DAYS = dg.AssetKey("monthly_snapshots"), dg.AssetKey("daily_logins")
_TRY_AGAIN_MINUTES = 5

update_logins = dg.define_asset_job(
    "update_logins",
    selection=dg.AssetSelection.assets(_SNAPSHOTS, _DAYS),
    description="Takes the snapshot of a day that has ended, and brings daily logins up to date.",
)


@dg.sensor(job=update_logins, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def login_counters_sensor(context: dg.SensorEvaluationContext, storage: Storage) -> Iterator[dg.RunRequest]:
    """Asks for the snapshot of the day that ended last, until it is there, and for the days that a snapshot decides.

    It looks at the clock instead of a schedule's, so that the zone is a setting, and a midnight that fell into a
    restart is caught up with: better a late snapshot, whose lateness is known, than none.
    """
    stack = storage.open()
    now, zone = datetime.now(UTC), stack.settings.business_timezone
    due = ended_day(now, zone)
    taken = snapshots.days(stack.lake, COUNTERS)
    published = reading.publications(stack.warehouse, monthly_snapshots.CONTRACT)
    if stack.app and due not in taken:
        tries = (now - start_of(due + DAY, zone)).total_seconds() // (_TRY_AGAIN_MINUTES * 60)
        yield for_stretch(_SNAPSHOTS, due, due, f"due:{tries:.0f}")
    if is_going_on(context, update_logins.name):
        return
    unread = stretches(set(taken) - {version.day for version in published})
    yield from until_done(context, (for_stretch(_SNAPSHOTS, first, last, "unread") for first, last in unread))
    yield from until_done(context, for_days(_DAYS, _days_behind(stack, published)))


def days_and_evidence(published: Iterable[Publication], told: Mapping[date, str]) -> dict[date, frozenset[str]]:
    """Every day that can be known from the published snapshots, with what it is made of.

    Args:
        published: The snapshots.
        told: Days of events with their content hashes.
    """
    evidence = {version.day: version.evidence for version in published if version.day}
    days_with_month_before = rules.load().days_with_month_before
    found: dict[date, frozenset[str]] = {}
    for day in days_to_know(evidence, days_with_month_before):
        need = needs(day, evidence, days_with_month_before)
        of_events = {told[other] for other in need.event_days if other in told}
        found[day] = frozenset(of_events).union(*(evidence[other] for other in need.days))
    return found


def _days_behind(stack: Stack, published: list[Publication]) -> dict[date, frozenset[str]]:
    """Days made of other snapshots than those that are there now, with the evidence that they should be made of."""
    wanted = days_and_evidence(published, hashes_of_told_days(stack))
    made_of = {v.day: v for v in reading.publications(stack.warehouse, daily_logins.CONTRACT) if v.day}
    return {
        day: content
        for day, content in wanted.items()
        if day not in made_of or (made_of[day].evidence != content and not made_of[day].is_final)
    }
