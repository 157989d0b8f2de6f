"""Checks of the sessions product, day by day: what its rules promise, looked at again in what is published."""

from collections.abc import Sequence
from datetime import date

import dagster as dg
import polars as pl

from data_platform import settings
from data_platform.contracts import mobile_events as events_contract
from data_platform.contracts import sessions as sessions_contract
from data_platform.defs.day_checks import DayFinding, day_check
from data_platform.defs.sessions.assets import mobile_events, sessions
from data_platform.lake import frames
from data_platform.publish import reading
from data_platform.sessions import rules
from data_platform.sessions.parts import KEY
from data_platform.sessions.placing import misplaced
from data_platform.stack import Stack

_NAMED = 5


def knows_every_event_name(stack: Stack, days: Sequence[date]) -> list[DayFinding]:
    """The rules say of every event what it is; one that they do not know is kept, and counts as no step."""
    known = list(rules.load().step_of)
    findings: list[DayFinding] = []
    for day, events in _events(stack, days).items():
        unknown = events.filter(~pl.col("event_name").is_in(known)).group_by("event_name").len().collect()
        most = unknown.sort("len", "event_name", descending=[True, False]).head(_NAMED)
        names = ", ".join(f"{name} ({num:,})" for name, num in most.iter_rows())
        facts: dict[str, float | str] = {"num_unknown": float(unknown["len"].sum()), "unknown": names}
        findings.append(DayFinding(day, unknown.is_empty(), facts))
    return findings


def every_event_is_in_one_session(stack: Stack, days: Sequence[date]) -> list[DayFinding]:
    """Each published event lies in a session, and each session has as many events as it says."""
    query = (settings.sql_folder() / "checks" / "sessions_of_day.sql").read_text(encoding="utf-8")
    made = {version.day for version in reading.publications(stack.warehouse, sessions_contract.CONTRACT, days)}
    findings: list[DayFinding] = []
    for day, events in _events(stack, days).items():
        if day not in made:
            continue
        with stack.warehouse.transaction() as transaction:
            of_day = transaction.query(query, day)
        times = of_day.with_columns(pl.col("started_at", "ended_at").cast(pl.Datetime("us", "UTC")))
        num_events, num_sessions = misplaced(events.select(*KEY, "created_at").collect(), times)
        facts: dict[str, float | str] = {
            "num_events_without_session": num_events,
            "num_sessions_that_count_wrong": num_sessions,
        }
        findings.append(DayFinding(day, num_events == num_sessions == 0, facts))
    return findings


def _events(stack: Stack, days: Sequence[date]) -> dict[date, pl.LazyFrame]:
    """The published events of those of the days that have some."""
    versions = reading.publications(stack.warehouse, events_contract.CONTRACT, days)
    return {v.day: frames.scan(stack.lake, [v.object_key]) for v in versions if v.day and v.object_key and v.num_rows}


mobile_events_day_checks = [day_check(mobile_events, knows_every_event_name, severity=dg.AssetCheckSeverity.WARN)]
sessions_day_checks = [day_check(sessions, every_event_is_in_one_session, severity=dg.AssetCheckSeverity.ERROR)]
