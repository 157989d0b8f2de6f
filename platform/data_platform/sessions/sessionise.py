"""A day's sessions, from the events of that day and what little of its neighbours they reach into."""

from collections import Counter
from datetime import date

import polars as pl
import polars_hash as plh

from data_platform.contracts.outcome import Outcome
from data_platform.contracts.sessions import Sessions
from data_platform.contracts.tallies import Tallies
from data_platform.sessions.chains import Chain, chain
from data_platform.sessions.days import DAY, Days
from data_platform.sessions.parts import KEY
from data_platform.sessions.rides import rides_of
from data_platform.sessions.verdicts import judged, with_rides

_NAMESPACE = "6ba7b812-9dad-11d1-80b4-00c04fd430c8"  # of object identifiers, RFC 4122, appendix C


def sessions_of(day: date, days: Days, zone: str) -> Outcome:
    """The sessions that start on a day.

    Args:
        day: UTC day.
        days: What is published of mobile events.
        zone: IANA name of the zone that decides the business day.

    Returns:
        Columns of `Sessions`; a tally of the events that the sessions are made of, by file.
    """
    found = chain(day, days)
    last: date = found.sessions.select(pl.col("ended_at").dt.date().max()).item() or day
    rides = rides_of(days.rides_between(day - DAY, last + DAY), days.rules.longest_ride)
    verdicts = judged(with_rides(found.sessions, rides), days.rules, days.known_until(last))
    rows = (
        _with_rides_before(verdicts)
        .with_columns(
            day=pl.lit(day),
            ended_on=pl.col("ended_at").dt.date(),
            business_day=pl.col("started_at").dt.convert_time_zone(zone).dt.date(),
            session_id=_session_id(),
            rules_version=pl.lit(days.rules.version),
        )
        .select(Sessions.column_names())
    )
    return Outcome(rows, tally=_tally(day, found, days), facts=_facts(rows))


def _session_id() -> pl.Expr:
    instant = pl.col("started_at").to_physical().cast(pl.String)
    return plh.concat_str("anonymous_id", "device_id", instant, separator="\x1f").uuidhash.uuid5(_NAMESPACE)


def _with_rides_before(sessions: pl.DataFrame) -> pl.DataFrame:
    """Adds the rides that the user's earlier sessions of the day started; most users have no other session."""
    num, order = pl.col("num_rides"), ["started_at", "device_id"]
    several = sessions.filter(pl.col("anonymous_id").is_duplicated())
    before = several.select(
        *KEY, "started_at", num_rides_before_on_day=num.cum_sum().over("anonymous_id", order_by=order) - num
    )
    both = sessions.join(before, on=[*KEY, "started_at"], how="left", maintain_order="left")
    return both.with_columns(pl.col("num_rides_before_on_day").fill_null(0))


def _tally(day: date, found: Chain, days: Days) -> pl.DataFrame:
    """Events by file: those of the day, without what belongs to earlier sessions, with what later days add."""
    num = Counter(days.num_by_file(day))
    num.subtract(days.num_by_file(day, found.begun_earlier))
    for later, gone_on in found.gone_on.items():
        num.update(days.num_by_file(later, gone_on))
    return pl.DataFrame(
        [(day, file, used, used, 0, 0) for file, used in sorted(num.items()) if used],
        schema=Tallies.create_empty().schema,
        orient="row",
    )


def _facts(rows: pl.DataFrame) -> dict[str, float]:
    """Numbers of the day that the UI plots: a session that only ends an earlier one's ride is no visit of its own."""
    visits = rows.filter(pl.col("verdict") != "continued")
    wanted = visits.filter(pl.col("verdict") != "no_intent").height
    booked = visits.filter(pl.col("verdict") == "booked").height
    return {
        "num_sessions": float(rows.height),
        "booking_rate": booked / max(visits.height, 1),
        "plain_booking_rate": float(rows["plain_booked"].sum()) / max(rows.height, 1),
        "share_looking": wanted / max(visits.height, 1),
        "num_open": float(rows["is_open"].sum()),
    }
