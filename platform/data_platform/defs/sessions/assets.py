"""Assets of the sessions product."""

from datetime import date, timedelta

import dagster as dg

from data_platform import intake
from data_platform.contracts import delivered_events as delivered_contract
from data_platform.contracts import mobile_events as events_contract
from data_platform.contracts import sessions as sessions_contract
from data_platform.contracts.outcome import DayByDay, Outcome
from data_platform.defs.checks import checks_of
from data_platform.defs.describe import LANDING_FOLDER, describe
from data_platform.defs.partitions import daily
from data_platform.defs.resources import Storage
from data_platform.defs.retries import RETRY_TRANSIENT, permanent_errors_are_final
from data_platform.defs.sessions.landing import event_arrivals
from data_platform.defs.sessions.sources import events_of_days, known_days, read_and_keep
from data_platform.lake import readings
from data_platform.sessions import chains, days, parts, rides, rules, sessionise, verdicts
from data_platform.sessions import events as event_files

# Files come daily, some hours late: two days without a new one is a sender that stopped.
_EVERY = timedelta(days=2)  # events of a day may be delivered on the next

mobile_event_files = dg.AssetSpec(
    "mobile_event_files",
    group_name="sessions",
    owners=["team:mobile"],
    kinds={"csv"},
    metadata={LANDING_FOLDER: "mobile_events"},
    description="Events of the mobile app, as files dropped in `mobile_events/` of the landing prefix.",
)


@dg.asset(
    partitions_def=daily,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    deps=[mobile_event_files],
    **describe(
        delivered_contract.CONTRACT,
        group="sessions",
        owner="team:analytics",
        made_by=[event_files, intake],
        every=_EVERY,
    ),
)
def delivered_events(context: dg.AssetExecutionContext, storage: Storage) -> Outcome:
    """How many events of each day the files delivered on a day hold, so that a file re-makes exactly those days.

    Whatever landed for the day is first kept as evidence. Records that are no event are in `ops.rejects`.
    """
    stack = storage.open()
    delivery_days = [date.fromisoformat(key) for key in context.partition_keys]
    readings.remove_old(stack.lake)
    with permanent_errors_are_final():
        return event_files.delivered(event_arrivals(stack).receive_days(delivery_days), read_and_keep(stack))


@dg.asset(
    partitions_def=daily,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    deps=[dg.AssetDep(delivered_events, partition_mapping=dg.AllPartitionMapping())],
    **describe(
        events_contract.CONTRACT, group="sessions", owner="team:analytics", made_by=[event_files, intake], every=_EVERY
    ),
)
def mobile_events(context: dg.AssetExecutionContext, storage: Storage) -> DayByDay:
    """What happened in the mobile app on a UTC day: each event once, in whichever files and however often it came.

    A new file is united with what is published of the day; other code makes the day anew, from all of its files.
    """
    [own_version] = context.assets_def.code_versions_by_key.values()
    with permanent_errors_are_final():
        return DayByDay(
            events_of_days(storage.open(), [date.fromisoformat(key) for key in context.partition_keys], own_version)
        )


@dg.asset(
    partitions_def=daily,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    deps=[
        dg.AssetDep(
            mobile_events,
            partition_mapping=dg.TimeWindowPartitionMapping(
                start_offset=-1, end_offset=1, allow_nonexistent_upstream_partitions=True
            ),
        )
    ],
    **describe(
        sessions_contract.CONTRACT,
        group="sessions",
        owner="team:analytics",
        made_by=[parts, days, chains, rides, verdicts, sessionise, rules, rules.FILE],
        every=_EVERY,
    ),
)
def sessions(storage: Storage) -> DayByDay:
    """Visits that start on a UTC day: events of one user and device with less than the gap between neighbours.

    `verdict` and `reason` say whether the user looked for a ride and got one. A late event re-makes only the days that
    its own session touches, and the table is always what a rebuild from all events would make.
    """
    stack = storage.open()
    with permanent_errors_are_final():
        known = known_days(stack, rules.load())
    zone = stack.settings.business_timezone
    return DayByDay(lambda day: sessionise.sessions_of(day, known, zone), num_ahead=4)


delivered_events_checks = checks_of(delivered_events)
mobile_events_checks = checks_of(mobile_events)
sessions_checks = checks_of(sessions)
