"""What is known of the days around a session: read once, and only as much as is needed."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from data_platform.sessions.parts import COLUMNS, KEY, RIDE_STEPS, Parts, parts_of, ride_events
from data_platform.sessions.rules import Rules

DAY = timedelta(days=1)
_AHEAD = 2  # days that are cut while the ones before them are made and published
_AT_HAND = 2 + _AHEAD  # a day and its neighbours, and what is ahead
_RIDE_COLUMNS = (*KEY, "created_at", "event_name")


def midnight(day: date) -> datetime:
    """When a day begins (UTC)."""
    return datetime.combine(day, time(), UTC)


@dataclass(frozen=True)
class Days:
    """Published days of mobile events.

    Days are cut beside whatever the one who asks does meanwhile, no more than two at a time.

    Attributes:
        num_events: For each published day how many events it has.
        scan: From a published day to its rows, columns of `MobileEvents`, in the order of `CONTENT`.
    """

    num_events: Mapping[date, int]
    scan: Callable[[date], pl.LazyFrame]
    rules: Rules
    _cut: dict[date, Future[Parts]] = field(default_factory=dict[date, Future[Parts]])
    _cutter: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, "cutter"))

    def parts(self, day: date) -> pl.DataFrame:
        """The parts of a day."""
        return self._parts(day).parts

    def look_ahead(self, day: date) -> None:
        """Begins to cut a day and those after it, which are asked for next."""
        for number in range(_AHEAD + 1):
            if self.num_events.get(day + number * DAY):
                self._begin(day + number * DAY)

    def last_before(self, day: date) -> pl.DataFrame:
        """For each user and device seen shortly before a day: `KEY` and `seen_at`, the last time."""
        since = midnight(day) - self.rules.gap
        if not self.num_events.get(day - DAY):
            return pl.DataFrame(schema=dict.fromkeys(KEY, pl.String) | {"seen_at": pl.Datetime("us", "UTC")})
        if day - DAY in self._cut:
            seen = self.parts(day - DAY).lazy().select(*KEY, seen_at="ended_at")
        else:
            seen = self.scan(day - DAY).select(*KEY, seen_at="created_at")
        return seen.filter(pl.col("seen_at") > since).group_by(KEY).agg(pl.col("seen_at").max()).collect()

    def rides_between(self, first: date, last: date) -> pl.DataFrame:
        """The events of rides of some days: `KEY`, `at`, `step`."""
        days = [first + DAY * number for number in range((last - first).days + 1)]
        return pl.concat([self._rides(day) for day in days])

    def known_until(self, day: date) -> datetime:
        """The newest event that is known up to the day after the next, where what lies later makes no difference."""
        later = [other for other, num in self.num_events.items() if num and other > day]
        newest = min(max(later, default=day), day + 2 * DAY)
        if newest == day + 2 * DAY or not self.num_events.get(newest):
            return midnight(newest)
        return self.scan(newest).select(pl.col("created_at").max()).collect().item()

    def num_by_file(self, day: date, only: pl.DataFrame | None = None) -> dict[str, int]:
        """How many events of a day each file gave.

        Args:
            day: A day; one that is not published has none.
            only: Count those of some users until some time: columns `KEY` and `until`.
        """
        if not self.num_events.get(day) or (only is not None and only.is_empty()):
            return {}
        rows = self.scan(day)
        if only is not None:
            latest = only["until"].max()
            near = rows.filter(pl.col("created_at") <= latest).join(only.lazy(), on=KEY)
            rows = near.filter(pl.col("created_at") <= pl.col("until"))
        return dict(rows.group_by("evidence_id").len().collect().iter_rows())

    def _parts(self, day: date) -> Parts:
        return self._begin(day).result()

    def _begin(self, day: date) -> Future[Parts]:
        if day not in self._cut:
            while len(self._cut) >= _AT_HAND:
                self._cut.pop(min(self._cut, key=lambda other: (other >= day - DAY, other)))
            self._cut[day] = self._cutter.submit(self._read, day)
        return self._cut[day]

    def _read(self, day: date) -> Parts:
        rows = self.scan(day) if self.num_events.get(day) else _NOTHING
        return parts_of(rows.select(COLUMNS).collect(), self.rules)

    def _rides(self, day: date) -> pl.DataFrame:
        if day in self._cut or not self.num_events.get(day):
            return self._parts(day).rides
        names = [name for step in RIDE_STEPS for name in self.rules.events[step]]
        rows = self.scan(day).filter(pl.col("event_name").is_in(names)).select(_RIDE_COLUMNS)
        return ride_events(rows.collect(), self.rules)


_NOTHING = pl.LazyFrame(
    schema=dict.fromkeys(COLUMNS, pl.String) | {"created_at": pl.Datetime("us", "UTC")},
)
