"""What a session was about: whether the user looked for a ride, whether they got one, and which event says so."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from data_platform.sessions.parts import AT, KEY
from data_platform.sessions.rules import Rules

_SESSION = (*KEY, "started_at")
_FUNNEL = ("done", "started", "booked", "found", "looked", "opened")


@dataclass(frozen=True)
class _Case:
    """A verdict, where it holds, and what decided it."""

    holds: pl.Expr
    verdict: str
    reason: pl.Expr
    decided_at: pl.Expr
    decided_by: pl.Expr


def with_rides(sessions: pl.DataFrame, rides: pl.DataFrame) -> pl.DataFrame:
    """Sessions with the rides that they started, and the end of a ride that an earlier one started.

    Args:
        sessions: `KEY`, `started_at`, `ended_at` and any others.
        rides: As from `rides_of`, all that start or end in one of them.

    Returns:
        The sessions with `num_rides`, `last_ride_at`, `first_ride_at`, `first_done_at`, `has_end`, `last_has_end` and
        `last_has_done` of their own rides, and `continues_ride_at`, `continued_at` and `continued_by` of the earlier
        session's.
    """
    over = pl.any_horizontal(pl.col("done_at", "rated_at").is_not_null())
    own = (
        _inside(sessions, rides, "ride_at")
        .sort("ride_at")
        .group_by(_SESSION)
        .agg(
            num_rides=pl.len().cast(pl.Int64),
            last_ride_at=pl.col("ride_at").last(),
            first_done_at=pl.col("done_at").first(),
            first_ride_at=pl.col("ride_at").first(),
            has_end=over.any(),
            last_has_end=over.last(),
            last_has_done=pl.col("done_at").last().is_not_null(),
        )
    )
    ends = pl.concat(
        rides.select(*KEY, "ride_at", end_at=f"{step}_at", continued_by=pl.lit(step)).drop_nulls("end_at")
        for step in ("done", "rated")
    )
    earlier = (
        _inside(sessions, ends, "end_at")
        .filter(pl.col("ride_at") < pl.col("started_at"))
        .sort("end_at", "continued_by")
        .group_by(_SESSION)
        .agg(
            continues_ride_at=pl.col("ride_at").first(),
            continued_at=pl.col("end_at").first(),
            continued_by=pl.col("continued_by").first(),
        )
    )
    both = sessions.join(own, on=_SESSION, how="left").join(earlier, on=_SESSION, how="left")
    return both.with_columns(
        pl.col("num_rides").fill_null(0), pl.col("has_end", "last_has_end", "last_has_done").fill_null(value=False)
    )


def judged(sessions: pl.DataFrame, rules: Rules, known_until: datetime) -> pl.DataFrame:
    """Sessions with their verdict.

    Args:
        sessions: As from `with_rides`.
        rules: Gap, longest ride, and the plain reading.
        known_until: The newest event that is known; what lies so near to it that a later event can change it is open.

    Returns:
        The sessions with `verdict`, `reason`, `decided_at`, `decided_by`, `furthest_step`, `plain_booked`,
        `ms_to_ride`, `ms_riding` and `is_open`.
    """
    is_in_time = (pl.col("last_ride_at") + rules.longest_ride >= pl.lit(known_until)).fill_null(value=False)
    cases = _cases(is_in_time & ~pl.col("last_has_end"))
    to_ride = pl.col("ride_started_at") - pl.col("opened_at")
    return sessions.with_columns(
        verdict=_choose(cases, [pl.lit(case.verdict) for case in cases]),
        reason=_choose(cases, [case.reason for case in cases]),
        decided_at=_choose(cases, [case.decided_at for case in cases]),
        decided_by=_choose(cases, [case.decided_by for case in cases]),
        furthest_step=pl.coalesce(pl.when(pl.col(AT[step]).is_not_null()).then(pl.lit(step)) for step in _FUNNEL),
        plain_booked=pl.any_horizontal(pl.col(AT[step]).is_not_null() for step in rules.plain_booked),
        ms_to_ride=pl.when(to_ride >= timedelta(0)).then(to_ride.dt.total_milliseconds()),
        ms_riding=(pl.col("first_done_at") - pl.col("first_ride_at")).dt.total_milliseconds(),
        is_open=(pl.col("ended_at") + rules.gap > pl.lit(known_until)) | (is_in_time & ~pl.col("last_has_done")),
    )


def _cases(rides_on: pl.Expr) -> list[_Case]:
    """Every verdict, the first that holds counting. The event that decides is the first one of its step."""

    def by_step(step: str, verdict: str, reason: str) -> _Case:
        at = pl.col(AT[step])
        return _Case(at.is_not_null(), verdict, pl.lit(reason), at, pl.lit(step))

    of_ride = (
        pl.when("has_end")
        .then(pl.lit("ride_done"))
        .when(rides_on)
        .then(pl.lit("ride_open"))
        .otherwise(pl.lit("end_not_seen"))
    )
    started, opened = pl.col("ride_started_at"), pl.col("opened_at")
    is_rating = pl.col("rated_at") == pl.col("started_at")
    first = pl.when(opened.is_not_null()).then(pl.lit("opened")).when(is_rating).then(pl.lit("rated"))
    return [
        _Case(started.is_not_null(), "booked", of_ride, started, pl.lit("started")),
        _Case(
            pl.col("continues_ride_at").is_not_null(),
            "continued",
            pl.lit("ride_of_earlier_session"),
            pl.col("continued_at"),
            pl.col("continued_by"),
        ),
        by_step("done", "booked", "start_not_seen"),
        by_step("failed", "failed", "failed_at_start"),
        by_step("out_of_zone", "out_of_zone", "out_of_zone"),
        by_step("booked", "abandoned", "after_booked"),
        by_step("found", "abandoned", "after_found"),
        by_step("looked", "looked", "only_looked"),
        _Case(pl.lit(value=True), "no_intent", pl.lit("no_intent"), pl.coalesce(opened, "started_at"), first),
    ]


def _choose(cases: list[_Case], values: list[pl.Expr]) -> pl.Expr:
    return pl.coalesce(pl.when(case.holds).then(value) for case, value in zip(cases, values, strict=True))


def _inside(sessions: pl.DataFrame, events: pl.DataFrame, at: str) -> pl.DataFrame:
    """Events of rides with the session that each lies in; those that lie in none are left out."""
    bounds = sessions.select(*_SESSION, "ended_at").sort("started_at")
    found = events.sort(at).join_asof(
        bounds, left_on=at, right_on="started_at", by=KEY, strategy="backward", coalesce=False, check_sortedness=False
    )
    return found.filter(pl.col(at) <= pl.col("ended_at"))
