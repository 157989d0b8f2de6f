"""Daily logins: the differences of neighbouring snapshots, each with what is known of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from data_platform.contracts.daily_logins import DailyLogins
from data_platform.contracts.outcome import Outcome
from data_platform.contracts.tallies import Tallies
from data_platform.errors import PermanentError
from data_platform.logins.days import DAY, Needs, days_between, month_of, needs, start_of
from data_platform.logins.rules import Rules
from data_platform.logins.stretch import KEY, WHOLE, Bounds, Counters, Stretch, between

_NAMED = 3
_ALL_AT_ONCE = 0.5
_EMPTY = pl.LazyFrame(
    schema={
        "user_id": pl.Int64,
        "device": pl.String,
        "user_type": pl.String,
        "num_logins": pl.Int64,
        "last_login_at": pl.Datetime("us", "UTC"),
    }
)


class CounterFell(PermanentError):
    """Counters fell by more than a correction may; the day is not published."""


@dataclass(frozen=True)
class Taken:
    """A snapshot that is published: its evidence, and whether some of its rows could not be used."""

    evidence_id: str
    has_rejects: bool


@dataclass(frozen=True)
class Events:
    """Logins as the queue told of them, of the days that are published and over.

    Attributes:
        evidence: For each day the content hash of its rows.
        rows_of: From such a day to its rows, columns of `KEY` and `logged_in_at`.
    """

    evidence: Mapping[date, str]
    rows_of: Callable[[date], pl.DataFrame]

    def of(self, days: Sequence[date]) -> pl.LazyFrame | None:
        """The rows of those of the days that are there; None where none is."""
        found = [self.rows_of(day).lazy() for day in days if day in self.evidence]
        return pl.concat(found) if found else None


NO_EVENTS = Events({}, dict[date, pl.DataFrame]().__getitem__)


@dataclass(frozen=True)
class Sources:
    """What daily logins are made of.

    Attributes:
        taken: The published snapshots, by day.
        rows_of: From a day to the rows of its snapshot, columns of `MonthlySnapshots`.
        history: Columns of `LoginHistory`.
        zone: IANA name of the zone that decides the day.
        events: What a queue told of the same logins.
    """

    taken: dict[date, Taken]
    rows_of: Callable[[date], pl.DataFrame]
    history: pl.LazyFrame
    zone: str
    rules: Rules
    events: Events = NO_EVENTS

    def counters(self, day: date | None, month: date) -> Counters:
        """The counters of a month in the snapshot of a day, or at the month's start."""
        if day is None:
            return Counters(None, start_of(month, self.zone), _EMPTY)
        rows = self.rows_of(day)
        # An empty snapshot says nothing of when it was read: not before its day had ended.
        read_at = rows["read_at"][0] if rows.height else start_of(day + DAY, self.zone)
        of_month = rows.lazy().filter(pl.col("month") == month)
        return Counters(day, read_at, of_month, self.taken[day].has_rejects, began_anew=day in self.rules.resets)

    def stretch(self, earlier: date | None, later: date, others: Sequence[date], month: date) -> Stretch:
        """The time from the snapshot of one day to that of another; `others` are the month's before the first."""
        before, after = self.counters(earlier, month), self.counters(later, month)
        new = after.rows.join(before.rows, on=KEY, how="anti").select(KEY).collect() if others else None
        return Stretch(
            before,
            after,
            self._seen_earlier(new, others, month, later) if new is not None and new.height else None,
            self.rules.tolerance,
            month_begins_at=start_of(month, self.zone),
            ends_at=start_of(later + DAY, self.zone) if month_of(later) == month else None,
            zone=self.zone,
            events=self.events.of(days_between(earlier or month, later + DAY)),
        )

    def _seen_earlier(
        self, keys: pl.DataFrame, others: Sequence[date], month: date, later: date
    ) -> pl.LazyFrame | None:
        """Those of the keys that an earlier snapshot had, with what their days until then were counted to.

        A reset that was declared while a row was gone leaves no bound to what was counted and lost meanwhile.
        """
        found: list[pl.DataFrame] = []
        for number, day in enumerate(others):
            rows = self.counters(day, month).rows.join(keys.lazy(), on=KEY, how="semi")
            seen = rows.select(*KEY, counter="num_logins").collect()
            if seen.height:
                # What came after that day's midnight was left for the next day, which then had no row.
                before = others[number - 1] if number else None
                last = self.stretch(before, day, others[: max(number - 1, 0)], month)
                rest = last.rest(start_of(day + DAY, self.zone))
                counted = pl.col("counter") - pl.col("rest_estimate").fill_null(0)
                seen = seen.lazy().join(rest, on=KEY, how="left").select(*KEY, counter=counted).collect()
            is_bounded = not any(day < reset <= later for reset in self.rules.resets)
            found.append(seen.with_columns(is_bounded=pl.lit(is_bounded)))
        newest = pl.concat(found).unique(KEY, keep="last", maintain_order=True)
        return newest.lazy() if newest.height else None


def logins(day: date, sources: Sources) -> Outcome:
    """Logins per user and device of one day, with bounds.

    Args:
        day: The day, in the sources' zone.
        sources: Snapshots, history and rules.

    Returns:
        Columns of `DailyLogins`, one row for each counter of the day's month in the later snapshot, and a tally for
        each snapshot that decides the numbers.

    Raises:
        NoSnapshot: No snapshot was taken that could tell.
        CounterFell: A counter fell by more than the rules' tolerance; the sentence names the rows.
    """
    need = needs(day, sources.taken, sources.rules.days_with_month_before)
    stretch = sources.stretch(need.earlier, need.later, need.months_earlier, month_of(day))
    history, has_history = _history(sources.history, day)
    found = (
        stretch.logins()
        .join(history, on=KEY, how="left", maintain_order="left")
        .join(_rest(sources, need), on=KEY, how="left", maintain_order="left")
    )
    end = _end(sources, need, stretch, has_history=has_history)
    number = _number(sources, need, stretch, end, has_history=has_history)
    correction = pl.col("rise") - WHOLE.estimate if need.books_the_rest else pl.lit(0, dtype=pl.Int64)
    rows = (
        found.with_columns(
            day=pl.lit(day),
            number_low=number.low,
            number_high=number.high,
            num_logins=number.estimate,
            correction=correction,
            num_later=pl.col("rise") - end.estimate - correction,
            from_snapshot=pl.lit(need.earlier, dtype=pl.Date),
            to_snapshot=pl.lit(need.later),
            is_broken=(pl.col("kind") == "reset") & pl.lit(not stretch.after.began_anew),
        )
        .with_columns(low="number_low", high="number_high")
        .with_columns(reason=_reason(need, has_history=has_history))
        .with_columns(status=_status())
        .collect()
    )
    _refuse_falls(need, rows, sources.rules.tolerance)
    doubtful = rows.filter(pl.col("status") != "exact").height
    return Outcome(
        rows.select(DailyLogins.column_names()),
        tally=_tally(need, sources, rows.height),
        facts={"num_logins": float(rows["num_logins"].sum()), "share_not_exact": doubtful / max(rows.height, 1)},
    )


def _number(sources: Sources, need: Needs, stretch: Stretch, end: Bounds, *, has_history: bool) -> Bounds:
    """The logins of the day, given those from the earlier snapshot to its end."""
    if need.begins_with_a_snapshot:
        low, high, estimate = (pl.col(f"rest_{name}") for name in ("low", "high", "estimate"))
        has_rest = pl.col("rest_kind").is_not_null()
        return Bounds(
            end.low + low.fill_null(0),
            end.high + pl.when(has_rest).then(high).otherwise(0),
            end.estimate + estimate.fill_null(0),
        )
    if need.day.day == 1:
        return end
    guess = pl.col("history_before").fill_null(0) - pl.col("counter_before") if has_history else None
    start = stretch.until(start_of(need.day, sources.zone), ends_a_snapshots_day=False, guess=guess)
    return between(start, end)


def _end(sources: Sources, need: Needs, stretch: Stretch, *, has_history: bool) -> Bounds:
    """The logins from the earlier snapshot to the day's end."""
    is_guessed = has_history and not need.ends_with_a_snapshot
    guess = pl.col("history_until").fill_null(0) - pl.col("counter_before") if is_guessed else None
    return stretch.until(start_of(need.day + DAY, sources.zone), ends_a_snapshots_day=need.books_the_rest, guess=guess)


def _rest(sources: Sources, need: Needs) -> pl.LazyFrame:
    """What of the day the snapshot at its beginning had already counted: it was read some time after midnight."""
    month = month_of(need.day)
    if not need.begins_with_a_snapshot or need.earlier is None:
        kinds = {"rest_low": pl.Int64, "rest_high": pl.Int64, "rest_estimate": pl.Int64, "rest_kind": pl.String}
        return pl.LazyFrame(schema={"user_id": pl.Int64, "device": pl.String, **kinds})
    others = [other for other in need.months_earlier if other != need.earliest]
    stretch = sources.stretch(need.earliest, need.earlier, others, month)
    return stretch.rest(start_of(need.day, sources.zone))


def _history(history: pl.LazyFrame, day: date) -> tuple[pl.LazyFrame, bool]:
    """The older job's sums from the month's start to both ends of the day, and whether it has any of the month."""
    known = history.filter(pl.col("day").dt.month_start() == month_of(day)).collect()
    sums = known.group_by(KEY).agg(
        history_before=pl.col("num_logins").filter(pl.col("day") < day).sum(),
        history_until=pl.col("num_logins").filter(pl.col("day") <= day).sum(),
    )
    return sums.lazy(), known.height > 0


def _reason(need: Needs, *, has_history: bool) -> pl.Expr:
    """Why a number is not exact, or why the counter moved without logins."""
    if need.is_seen_whole:
        of_day = "late_read"
    elif has_history:
        of_day = "history"
    else:
        of_day = "missing_snapshot" if need.earlier else "no_earlier_snapshot"
    is_exact = (pl.col("low") == pl.col("high")).fill_null(value=False)
    own, of_rest = pl.col("kind"), pl.col("rest_kind")
    return (
        pl.when(is_exact & (pl.col("correction") == 0))
        .then(None)
        .when(is_exact)
        .then(pl.lit("correction"))
        .when(own != "steady")
        .then(own)
        .when(of_rest != "steady")
        .then(of_rest)
        .otherwise(pl.lit(of_day))
    )


def _status() -> pl.Expr:
    return (
        pl.when((pl.col("low") == pl.col("high")).fill_null(value=False))
        .then(pl.lit("exact"))
        .otherwise(
            pl.col("reason").replace_strict(
                {"history": "imputed", "no_earlier_snapshot": "baseline"}, default="bounded", return_dtype=pl.String
            )
        )
    )


def _refuse_falls(need: Needs, rows: pl.DataFrame, tolerance: int) -> None:
    fell = rows.filter("is_broken")
    if fell.is_empty():
        return
    named = ", ".join(
        f"user {row['user_id']} on {row['device']} from {row['counter_before']:,} to {row['counter']:,}"
        for row in fell.sort("rise", *KEY).head(_NAMED).iter_rows(named=True)
    )
    had_logins = rows.filter(pl.col("counter_before") > 0).height
    if fell.height > _ALL_AT_ONCE * had_logins:
        looks = "so many at once look like a reset, or like a database that was restored"
    else:
        looks = "so few of them look like corrections of single rows"
    raise CounterFell(
        f"Between the snapshots of {need.earlier or 'the start of the month'} and {need.later} {fell.height:,} of"
        f" {had_logins:,} counters of {need.day:%Y-%m} fell by more than {tolerance} ({named}): {looks}; the old"
        f" version of {need.day} stays, so ask the app's makers, then declare {need.later} under `resets` in"
        " logins/rules.yaml or raise its `tolerance`."
    )


def _tally(need: Needs, sources: Sources, num_rows: int) -> pl.DataFrame:
    events = [sources.events.evidence[day] for day in need.event_days if day in sources.events.evidence]
    of = {sources.taken[day].evidence_id: num_rows if day == need.later else 0 for day in sorted(need.days)}
    of |= dict.fromkeys(events, 0)
    return pl.DataFrame(
        {
            "day": [need.day] * len(of),
            "evidence_id": list(of),
            "num_in": list(of.values()),
            "num_used": list(of.values()),
            "num_rejected": [0] * len(of),
            "num_duplicate": [0] * len(of),
        },
        schema=Tallies.create_empty().schema,
    )
