"""Assets of the logins product."""

from datetime import date, timedelta
from functools import lru_cache

import dagster as dg
import polars as pl

from data_platform.contracts import daily_logins as daily_contract
from data_platform.contracts import login_history as history_contract
from data_platform.contracts import monthly_snapshots as snapshot_contract
from data_platform.contracts.outcome import DayByDay, Outcome
from data_platform.defs import partitions
from data_platform.defs.checks import checks_of
from data_platform.defs.describe import describe
from data_platform.defs.io_managers import EVERY_PUBLISHED_DAY
from data_platform.defs.logins.app import counters_of, daily_login_aggregates, history_of, monthly_login_aggregates
from data_platform.defs.logins.told import told_events
from data_platform.defs.resources import Storage
from data_platform.defs.retries import RETRY_TRANSIENT, permanent_errors_are_final
from data_platform.logins import copied, daily, days, rules, snapshots, stretch
from data_platform.logins.daily import Sources, Taken
from data_platform.logins.daily import logins as logins_of
from data_platform.publish import reading

_DAY, _SELDOM = timedelta(days=1), timedelta(days=365)
_READING = [snapshots, copied, days, rules, rules.FILE]
_COUNTING = [daily, stretch, days, rules, rules.FILE]
_SNAPSHOTS_AT_HAND = 3  # a day needs at most those, and the next day two of them again


@dg.asset(
    partitions_def=partitions.daily,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    deps=[monthly_login_aggregates],
    **describe(snapshot_contract.CONTRACT, group="logins", owner="team:analytics", made_by=_READING, every=_DAY),
)
def monthly_snapshots(storage: Storage) -> DayByDay:
    """The app's login counters as they stood when the day had ended, read in one transaction just after midnight.

    A snapshot is taken once and never overwritten. A past day without one cannot be made up; `daily_logins` says what
    can be known of it all the same.
    """
    stack = storage.open()
    return DayByDay(lambda day: counters_of(stack, day))


@dg.asset(
    retry_policy=RETRY_TRANSIENT,
    deps=[daily_login_aggregates],
    **describe(history_contract.CONTRACT, group="logins", owner="team:analytics", made_by=_READING, every=_SELDOM),
)
def login_history(storage: Storage) -> Outcome:
    """Logins a day as an older job of the app had summed them up. Materialise it again to import what was added.

    It only serves to estimate days that no snapshot covers, and those say so.
    """
    with permanent_errors_are_final():
        return history_of(storage.open())


@dg.asset(
    partitions_def=partitions.daily,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_TRANSIENT,
    ins={"monthly_snapshots": dg.AssetIn(metadata=EVERY_PUBLISHED_DAY)},
    deps=[
        dg.AssetDep(
            "user_logins",
            partition_mapping=dg.TimeWindowPartitionMapping(
                start_offset=-31, end_offset=1, allow_nonexistent_upstream_partitions=True
            ),
        )
    ],
    **describe(daily_contract.CONTRACT, group="logins", owner="team:analytics", made_by=_COUNTING, every=_DAY),
)
def daily_logins(storage: Storage, monthly_snapshots: pl.LazyFrame, login_history: pl.LazyFrame) -> DayByDay:
    """Logins per user, device and day, from neighbouring snapshots of the monthly counter.

    One row per counter row and day, zeros included. `status` says how sure `num_logins` is, and the true number lies
    between `low` and `high`: exact where both midnights were seen, bounded where a snapshot is late or missing. Where
    the events of `user_logins` are as many as a counter rose by, they say on which day each login was.
    """
    stack = storage.open()

    @lru_cache(maxsize=_SNAPSHOTS_AT_HAND)
    def rows_of(day: date) -> pl.DataFrame:
        return monthly_snapshots.filter(pl.col("day") == day).collect()

    published = reading.publications(stack.warehouse, snapshot_contract.CONTRACT)
    taken = {
        version.day: Taken(next(iter(version.evidence)), version.num_rejected > 0)
        for version in published
        if version.day
    }
    zone = stack.settings.business_timezone
    sources = Sources(taken, rows_of, login_history, zone, rules.load(), told_events(stack))
    return DayByDay(lambda day: logins_of(day, sources), num_ahead=1)


monthly_snapshots_checks = checks_of(monthly_snapshots)
login_history_checks = checks_of(login_history)
daily_logins_checks = checks_of(daily_logins)
