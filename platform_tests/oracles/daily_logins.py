"""Daily logins, slow and obvious: one counter at a time, in plain Python, from the rules alone."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)

Counted = tuple[str, int, datetime | None]
"""User type, counter and last login."""

Snapshot = tuple[datetime, bool, dict[tuple[date, int, str], Counted]]
"""When it was read, whether it has rejects, and its counters by month, user and device."""

Known = tuple[int, int | None, int]
"""Least, most (unknown: None) and estimate."""


class Unknown(Exception):
    """No snapshot tells anything of the day."""


class Fell(Exception):
    """Counters fell too far; the argument is a list of user, device, from and to, the deepest fall first."""


@dataclass(frozen=True)
class Span:
    """One counter between two snapshots."""

    kind: str
    base: int
    counter: int
    last: datetime | None
    begin: datetime
    end: datetime
    tolerance: int
    is_bounded: bool
    told: tuple[datetime, ...]
    """When each login of the span was, if a queue told of all of them; else nothing."""

    @property
    def rise(self) -> int:
        return self.counter - self.base

    @property
    def known(self) -> Known:
        """The logins of the whole span."""
        up = max(self.rise, 0)
        if self.kind in ("steady", "clock"):
            return up, up, up
        if self.kind == "correction":
            return 0, self.tolerance + self.rise, up
        replaced = self.counter if self.rise < 0 else up
        if self.kind == "reset":
            return 0, None, replaced
        return 0, self.counter if self.is_bounded else None, replaced

    def until(self, instant: datetime, *, is_booked: bool, hint: int | None = None) -> Known:
        """The logins up to an instant; what nobody can date counts where it is booked."""
        least, most, estimate = self.known
        if instant >= self.end:
            return self.known
        if self.told:
            number = sum(at < instant for at in self.told)
            return number, number, number
        if self.kind not in ("steady", "clock"):
            return 0, most, estimate if is_booked else 0
        if self.kind == "steady":
            if self.rise <= 0 or (self.last and self.last < instant):
                return self.known
            assert self.last
            top, finish = self.rise - 1, self.last
        else:
            top, finish = least, self.end
        if hint is None:
            passed = (instant - self.begin).total_seconds()
            hint = round(top * (passed / (finish - self.begin).total_seconds())) if finish > self.begin else 0
        return 0, top, min(max(hint, 0), top)


@dataclass(frozen=True)
class App:
    """All that is known of an app's counters."""

    snapshots: dict[date, Snapshot]
    history: dict[tuple[date, int, str], int]
    zone: str
    tolerance: int
    resets: set[date]
    days_with_month_before: int
    events: list[tuple[int, str, datetime]]
    """Logins that a queue told of."""

    def midnight(self, day: date) -> datetime:
        """The beginning of a day."""
        return datetime.combine(day, time(), ZoneInfo(self.zone)).astimezone(UTC)

    def read_at(self, day: date) -> datetime:
        read_at, _, rows = self.snapshots[day]
        return read_at if rows else self.midnight(day + DAY)

    def holds(self, day: date, month: date) -> bool:
        """Whether the snapshot of a day was asked for the counters of a month."""
        is_new = day + DAY == month
        is_old = day.day <= self.days_with_month_before and first(first(day) - DAY) == month
        return is_new or is_old or first(day) == month

    def row(self, day: date, month: date, key: tuple[int, str]) -> Counted | None:
        return self.snapshots[day][2].get((month, *key))

    def span(self, month: date, after: date, key: tuple[int, str]) -> Span:
        """What happened to a counter between the snapshot of a day, which has it, and the one before that."""
        now = self.row(after, month, key)
        assert now
        _, counter, last = now
        earlier = sorted(day for day in self.snapshots if month <= day < min(after, next_month(month)))
        begin = self.read_at(earlier[-1]) if earlier else self.midnight(month)
        before = self.row(earlier[-1], month, key) if earlier else None
        seen = [day for day in earlier if self.row(day, month, key)]
        base = 0
        if before:
            base = before[1]
        elif seen:
            # What came after the day when it was seen last is in no day's number yet.
            found = self.row(seen[-1], month, key)
            assert found
            base = found[1] - self.rest(month, seen[-1], key)[0][2]
        end, since = self.read_at(after), begin.replace(microsecond=0)
        rise = counter - base
        is_used = last is None or (last > since and (before is None or last != before[2]))
        if after in self.resets:
            kind = "reset"
        elif seen and not before:
            kind = "row_returned"
        elif not before and earlier and self.snapshots[earlier[-1]][1] and counter > 0:
            kind = "row_was_rejected"
        elif rise < -self.tolerance:
            kind = "reset"
        elif rise <= 0 and base > 0 and is_used and not (before and last == before[2]):
            kind = "correction"
        elif rise > 0 and (last is None or last > end or last < since):
            kind = "clock"
        else:
            kind = "steady"
        # A reset that was declared while the row was gone may have taken any number with it.
        is_bounded = not (seen and not before and any(seen[-1] < of <= after for of in self.resets))
        # So may one after midnight from a row that could not be read then.
        is_bounded = is_bounded and not (kind == "row_was_rejected" and earlier[-1] in self.resets)
        told = tuple(at for *who, at in self.events if tuple(who) == key and begin <= at < end)
        if len(told) != rise or not self.is_whole(kind, told, last):
            told = ()
        return Span(kind, base, counter, last, begin, end, self.tolerance, is_bounded, told)

    def is_whole(self, kind: str, told: tuple[datetime, ...], last: datetime | None) -> bool:
        """Whether events that are as many as the counter rose by may be the logins that it counted."""
        if not told or kind not in ("steady", "clock"):
            return False
        return kind == "clock" or (last is not None and self.day(last) == self.day(max(told)))

    def day(self, at: datetime) -> date:
        return at.astimezone(ZoneInfo(self.zone)).date()

    def rest(self, month: date, day: date, key: tuple[int, str]) -> tuple[Known, str | None]:
        """What of a counter came between a day's end and the reading of its snapshot, and of which kind it is."""
        midnight = self.midnight(day + DAY)
        if first(day + DAY) != month:
            return (0, 0, 0), None
        span = self.span(month, day, key)
        # Who counted logins, but none in this month, has a clock that cannot be trusted.
        is_time = span.last is not None and (span.kind == "steady" or span.last >= self.midnight(month))
        if is_time and span.last is not None and span.last < midnight and span.kind != "clock":
            return (0, 0, 0), None
        rest = minus(span.known, span.until(midnight, is_booked=True))
        return (rest, span.kind) if rest[1] != 0 else ((0, 0, 0), None)

    def hint(self, day: date, month: date, key: tuple[int, str], span: Span, later: date) -> int | None:
        """What the older job says of the logins since the span's beginning, up to a day's beginning."""
        of_month = {of: number for of, number in self.history.items() if first(of[0]) == month}
        if not of_month:
            return None
        hint = sum(number for (of, *who), number in of_month.items() if of < day and tuple(who) == key) - span.base
        # No more than had happened by the end of the last day, as the counter says it.
        if first(later) == month and day <= later:
            hint = min(hint, span.until(self.midnight(later + DAY), is_booked=True)[2])
        return hint


def logins(day: date, app: App) -> list[dict[str, object]]:
    """The rows of a day, by user and device."""
    month, is_last = first(day), first(day + DAY) != first(day)
    later = min((of for of in app.snapshots if of >= day and app.holds(of, month)), default=None)
    if later is None:
        raise Unknown
    earlier = max((of for of in app.snapshots if month <= of < day), default=None)
    keys = sorted((user, device) for of, user, device in app.snapshots[later][2] if of == month)
    spans = {key: app.span(month, later, key) for key in keys}
    fell = {key: span for key, span in spans.items() if span.kind == "reset" and later not in app.resets}
    if fell:
        deepest = sorted(fell, key=lambda key: (fell[key].rise, key))
        raise Fell([(*key, fell[key].base, fell[key].counter) for key in deepest])
    return [_row(app, day, later, earlier, key, span, is_booked=later == day or is_last) for key, span in spans.items()]


def _row(
    app: App, day: date, later: date, earlier: date | None, key: tuple[int, str], span: Span, *, is_booked: bool
) -> dict[str, object]:
    month = first(day)
    hint = None if later == day else app.hint(day + DAY, month, key, span, later)
    end = span.until(app.midnight(day + DAY), is_booked=is_booked, hint=hint)
    number, of_rest = end, None
    if earlier and earlier == day - DAY:
        if app.row(earlier, month, key):
            rest, of_rest = app.rest(month, earlier, key)
            number = plus(end, rest)
    elif day != month:
        hint = app.hint(day, month, key, span, later)
        number = minus(end, span.until(app.midnight(day), is_booked=False, hint=hint))
    low, high, num_logins = number
    correction = span.rise - span.known[2] if is_booked else 0
    reason = None
    if low == high:
        reason = "correction" if correction else None
    elif span.kind != "steady":
        reason = span.kind
    elif of_rest and of_rest != "steady":
        reason = of_rest
    elif later == day and (day == month or earlier == day - DAY):
        reason = "late_read"
    elif any(first(of) == month for of, _, _ in app.history):
        reason = "history"
    else:
        reason = "missing_snapshot" if earlier else "no_earlier_snapshot"
    unsure = {"history": "imputed", "no_earlier_snapshot": "baseline"}
    counted = app.row(later, month, key)
    assert counted
    return {
        "day": day, "user_id": key[0], "device": key[1], "user_type": counted[0],
        "num_logins": num_logins, "low": low, "high": high,
        "status": "exact" if low == high else unsure.get(str(reason), "bounded"), "reason": reason,
        "correction": correction, "num_later": span.rise - end[2] - correction,
        "from_snapshot": earlier, "to_snapshot": later,
    }  # fmt: skip


def first(day: date) -> date:
    """The first day of a month."""
    return day.replace(day=1)


def next_month(month: date) -> date:
    return first(month + 31 * DAY)


def plus(one: Known, other: Known) -> Known:
    high = None if one[1] is None or other[1] is None else one[1] + other[1]
    return one[0] + other[0], high, one[2] + other[2]


def minus(whole: Known, part: Known) -> Known:
    """What remains of a number of logins without a part of it."""
    low = 0 if part[1] is None else max(whole[0] - part[1], 0)
    high = None if whole[1] is None else whole[1] - part[0]
    return low, high, whole[2] - part[2]
