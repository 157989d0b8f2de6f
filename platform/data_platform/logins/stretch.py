"""What can be known of the logins between two snapshots: a counter rose, and its last login says when at the latest.

A stretch is the time from one snapshot (or the month's start, when every counter was 0) to the next. The bounds hold
under two assumptions that no reader of such a counter can do without: the clocks of app and database agree to the
second, and a correction that hides under as many logins of the same stretch is not seen. What does not belong here:
which snapshots there are (`days.py`).
"""

from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

KEY = ["user_id", "device"]


@dataclass(frozen=True)
class Counters:
    """The counters of one month as a snapshot held them.

    Attributes:
        day: Day of the snapshot; None for the month's start.
        read_at: When they were read (UTC).
        rows: Columns of `KEY`, `user_type`, `num_logins`, `last_login_at`.
        has_rejects: Whether the snapshot held rows that could not be used: one that is missing may be among them.
        began_anew: Whether the counters are known to have been reset since the snapshot before.
    """

    day: date | None
    read_at: datetime
    rows: pl.LazyFrame
    has_rejects: bool = False
    began_anew: bool = False


@dataclass(frozen=True)
class Bounds:
    """What is known of a number of logins, as expressions over the columns of `Stretch.logins`; high may be null."""

    low: pl.Expr
    high: pl.Expr
    estimate: pl.Expr


WHOLE = Bounds(pl.col("low"), pl.col("high"), pl.col("estimate"))
"""The logins of the whole stretch."""


def between(start: Bounds, end: Bounds) -> Bounds:
    """The logins from one instant to another, where those up to each are known."""
    low = (end.low - start.high).clip(0).fill_null(0)
    return Bounds(low, end.high - start.low, end.estimate - start.estimate)


@dataclass(frozen=True)
class Stretch:
    """The time between two snapshots, and the counters at both ends.

    Attributes:
        before: The earlier counters.
        after: The later counters.
        seen_earlier: Columns of `KEY`, `counter` and `is_bounded`: rows of `after` that `before` lacks although an
            earlier snapshot of the month had them, with what their days until then were counted to, and whether they
            have counted no more since than they show now.
        tolerance: The most that a counter may fall as a late correction.
        month_begins_at: When the month of the counters began.
        ends_at: The midnight that `after` is the snapshot of; None where it is of another month.
        zone: IANA name of the zone that decides the day.
        events: Columns of `KEY` and `logged_in_at`: logins that a queue told of, around the stretch; None where there
            are none. A counter that rose by just as many as it was told of had its logins when they say.
    """

    before: Counters
    after: Counters
    seen_earlier: pl.LazyFrame | None
    tolerance: int
    month_begins_at: datetime
    ends_at: datetime | None
    zone: str
    events: pl.LazyFrame | None = None

    def logins(self) -> pl.LazyFrame:
        """What happened to each counter of `after`.

        Returns:
            Columns of `KEY`, `user_type`, `last_login_at`, `counter` and `counter_before`; `rise`, their difference;
            `kind`, a reason of `DailyLogins`, or `steady` where there is nothing to say; `low`, `high` and `estimate`
            of the logins in the stretch, high being null where it is not known; `told_at`, when each of them was, where
            events tell all of them, else null.
        """
        before = self.before.rows.select(*KEY, found_before="num_logins", login_before="last_login_at")
        rows = self.after.rows.select(*KEY, "user_type", "last_login_at", counter="num_logins")
        rows = rows.join(before, on=KEY, how="left", maintain_order="left")
        if self.seen_earlier is None:
            rows = rows.with_columns(found_earlier=pl.lit(None, dtype=pl.Int64), is_bounded=pl.lit(value=True))
        else:
            earlier = self.seen_earlier.select(*KEY, "is_bounded", found_earlier="counter")
            rows = rows.join(earlier, on=KEY, how="left", maintain_order="left")
        rows = rows.with_columns(counter_before=pl.coalesce("found_before", "found_earlier", 0))
        rows = rows.with_columns(rise=pl.col("counter") - pl.col("counter_before")).with_columns(kind=self._kind())
        kind, rise = pl.col("kind"), pl.col("rise")
        return (
            rows.with_columns(
                low=pl.when(kind.is_in(["steady", "clock"])).then(rise.clip(0)).otherwise(0),
                high=pl.when(kind.is_in(["steady", "clock"]))
                .then(rise.clip(0))
                .when(kind == "correction")
                .then(self.tolerance + rise)
                .when(kind == "row_returned")
                .then(pl.when(pl.col("is_bounded")).then("counter"))
                # Of a reset after midnight nobody knows what it took from a row that could not be read then.
                .when((kind == "row_was_rejected") & pl.lit(not self.before.began_anew))
                .then("counter"),
                estimate=pl.when(kind.is_in(["reset", "row_returned"]) & (rise < 0))
                .then(pl.col("counter"))
                .otherwise(rise.clip(0)),
            )
            .drop("found_before", "found_earlier", "is_bounded", "login_before")
            .pipe(self._with_events)
        )

    def _with_events(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        if self.events is None:
            return rows.with_columns(told_at=pl.lit(None, dtype=pl.List(pl.Datetime("us", "UTC"))))
        within = pl.col("logged_in_at").is_between(self.before.read_at, self.after.read_at, closed="left")
        told = self.events.filter(within).group_by(KEY).agg(told_at="logged_in_at")
        # The counter's own last login has to be of the day that the events' last one is of.
        lasts = pl.col("last_login_at"), pl.col("told_at").list.max()
        own, of_events = (at.dt.convert_time_zone(self.zone).dt.date() for at in lasts)
        kind = pl.col("kind")
        is_whole = (pl.col("told_at").list.len() == pl.col("rise")) & (
            (kind == "clock") | ((kind == "steady") & (own == of_events))
        )
        joined = rows.join(told, on=KEY, how="left", maintain_order="left")
        return joined.with_columns(told_at=pl.when(is_whole).then("told_at"))

    def _kind(self) -> pl.Expr:
        rise, last = pl.col("rise"), pl.col("last_login_at")
        since = self.before.read_at.replace(microsecond=0)  # logins are stamped in whole seconds
        was_there = pl.col("found_before").is_not_null()
        # A login since `before`, whatever the counter says.
        was_used = last.ne_missing(pl.col("login_before")) & (last.is_null() | (last > since))
        is_odd = last.is_null() | (last > self.after.read_at) | (last < since)
        return (
            pl.when(pl.lit(self.after.began_anew))
            .then(pl.lit("reset"))
            .when(pl.col("found_earlier").is_not_null())
            .then(pl.lit("row_returned"))
            .when(~was_there & pl.lit(self.before.has_rejects) & (pl.col("counter") > 0))
            .then(pl.lit("row_was_rejected"))
            .when(rise < -self.tolerance)
            .then(pl.lit("reset"))
            .when((rise <= 0) & (pl.col("counter_before") > 0) & was_used)
            .then(pl.lit("correction"))
            .when((rise > 0) & is_odd)
            .then(pl.lit("clock"))
            .otherwise(pl.lit("steady"))
        )

    def until(self, midnight: datetime, *, ends_a_snapshots_day: bool, guess: pl.Expr | None = None) -> Bounds:
        """The logins from `before` to a midnight in the stretch.

        Args:
            midnight: Not before `before`.
            ends_a_snapshots_day: Whether `after` is the snapshot of the day that ends: what nobody can date is
                estimated to lie before it.
            guess: A better estimate than time alone gives, such as the older job's.
        """
        if midnight >= self.after.read_at:
            return WHOLE
        kind, last, rise = pl.col("kind"), pl.col("last_login_at"), pl.col("rise")
        is_over = (kind == "steady") & ((last < midnight) | (rise <= 0))
        is_open = kind.is_in(["steady", "clock"])
        # A last login that came later is not among them; by a clock that cannot be trusted, all of them may be.
        most = pl.when(kind == "steady").then(rise - 1).otherwise(rise)
        end = pl.when(kind == "steady").then(last).otherwise(pl.lit(self.after.read_at))
        share = (midnight - self.before.read_at).total_seconds() / (end - self.before.read_at).dt.total_seconds(
            fractional=True
        )
        by_time = (most * share.fill_nan(0)).round().cast(pl.Int64, strict=False)
        if guess is not None and self.ends_at and midnight < self.ends_at < self.after.read_at:
            # Not more than until the midnight of `after`, which no guess is made of.
            guess = pl.min_horizontal(guess, self.until(self.ends_at, ends_a_snapshots_day=True).estimate)
        estimate = (by_time if guess is None else guess).clip(0, most)
        undated = WHOLE.estimate if ends_a_snapshots_day else pl.lit(0)
        told = pl.col("told_at").list.eval(pl.element() < midnight).list.sum().cast(pl.Int64)
        is_told = told.is_not_null()
        return Bounds(
            low=pl.when(is_told).then(told).when(is_over).then(WHOLE.low).otherwise(0),
            high=pl.when(is_told).then(told).when(is_open & ~is_over).then(most).otherwise(WHOLE.high),
            estimate=pl.when(is_told)
            .then(told)
            .when(is_over)
            .then(WHOLE.estimate)
            .when(is_open)
            .then(estimate)
            .otherwise(undated),
        )

    def rest(self, midnight: datetime) -> pl.LazyFrame:
        """The logins from a midnight to `after`, which is the snapshot of the day that ended then.

        Returns:
            Columns of `KEY`, `rest_low`, `rest_high`, `rest_estimate` and `rest_kind`, for the counters that may have
            any.
        """
        rest = between(self.until(midnight, ends_a_snapshots_day=True), WHOLE)
        kind, last = pl.col("kind"), pl.col("last_login_at")
        # A last login before the month says nothing of one that counted in it.
        is_time = (kind == "steady") | (last >= self.month_begins_at)
        is_quiet = (last < midnight) & (kind != "clock") & is_time
        found = self.logins().filter(~is_quiet.fill_null(value=False))
        return found.select(
            *KEY, rest_low=rest.low, rest_high=rest.high, rest_estimate=rest.estimate, rest_kind="kind"
        ).filter((pl.col("rest_high") > 0).fill_null(value=True))
