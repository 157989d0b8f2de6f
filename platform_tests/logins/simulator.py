"""Made-up apps by chance: users log in, counters are read late or not at all, rows come and go.

What no reader could see is left out: a correction or a fall only happens where no login of the same stretch hides it.
"""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from platform_tests.logins.world import DAY, Counted, Event, Key, Row, Snapshot, World, start_of

SECOND = timedelta(seconds=1)
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)

# Zones, with first days around which something happens there.
CALENDARS = [
    ("UTC", [date(2028, 2, 26), date(2026, 12, 29), date(2026, 4, 28)]),
    ("America/New_York", [date(2026, 3, 5), date(2026, 10, 29), date(2026, 2, 26)]),
    ("Europe/Berlin", [date(2026, 3, 27), date(2026, 10, 22), date(2028, 2, 27)]),
    ("Asia/Kolkata", [date(2026, 1, 29), date(2026, 6, 10)]),
    ("Pacific/Auckland", [date(2026, 4, 2), date(2026, 9, 24), date(2026, 12, 28)]),
    ("America/Santiago", [date(2026, 4, 2), date(2026, 9, 3)]),
    ("America/Havana", [date(2026, 3, 5), date(2026, 10, 30)]),
]


def simulate(seed: int) -> World:
    return _Simulation(random.Random(seed)).world


class _Simulation:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.zone, starts = chance.choice(CALENDARS)
        self.world = World(self.zone, chance.choice([10, 10, 10, 3, 0]), chance.choice([3, 3, 3, 1, 0]))
        length = chance.choice([4, 6, 8, 8, 10, 12] * 4 + [35, 62])
        first = chance.choice(starts) if chance.random() < 0.2 else chance.choice(starts).replace(day=1)
        self.days = [first + number * DAY for number in range(length)]
        self.world.begins = first
        self.reads = self._plan_reads()
        self.mischief = chance.choice([0, 0.2, 0.5])
        self.rows = [row for user in range(chance.randint(1, 4)) for row in self._rows_of(user)]
        self.rejected = self._reject()
        for row in self.rows:
            self._disturb(row)
        self._reset()
        for day, read_at in self.reads.items():
            self.world.snapshots[day] = self._snapshot(day, read_at)
        self._remember()

    # --- when it is read

    def _plan_reads(self) -> dict[date, datetime]:
        chance = self.chance
        missing = chance.choice([0, 0, 0.2, 0.5])
        lateness = chance.choice([["sharp"], ["sharp", "minutes"], ["minutes"], ["minutes", "hours"], ["hours"]])
        reads: dict[date, datetime] = {}
        is_missing = False
        begin = chance.choice([0, 0, 0, chance.randrange(len(self.days))])
        for day in self.days[begin:]:
            # Days go missing in runs: who was away yesterday often is today.
            is_missing = chance.random() < (0.6 if is_missing and missing else missing)
            midnight = start_of(day + DAY, self.zone)
            late = {
                "sharp": 0.0,
                "minutes": chance.choice([0.4, 7.0, 420.0, chance.uniform(0, 900)]),
                "hours": chance.uniform(0, 22 * 3600),
            }[chance.choice(lateness)]
            if not is_missing:
                reads[day] = midnight + timedelta(microseconds=round(late * 1e6))
        if not reads:
            reads[self.days[-1]] = start_of(self.days[-1] + DAY, self.zone)
        # Whoever asks a second time gets what was read first.
        for day in chance.sample(sorted(reads), k=len(reads) // 3):
            reads.setdefault(day, reads[day] + DAY / 2)
        return reads

    def reads_of(self, month: date) -> list[date]:
        """The snapshots that decide a month: its own, and the next where the last day has none."""
        own = [day for day in self.reads if day.replace(day=1) == month]
        later = [day for day in self.reads if day.replace(day=1) > month and month in self.world.held(day)]
        is_whole = bool(own) and (own[-1] + DAY).replace(day=1) != month
        return own if is_whole else own + later[:1]

    # --- who logs in

    def _rows_of(self, user: int) -> Iterator[Row]:
        for device in self.chance.sample(["web", "ios", "tv, big"], k=self.chance.choice([1, 1, 2])):
            logins = sorted(self._logins())
            clock = self.chance.choice(["right"] * 6 + ["blank", "ahead", "behind", "at times"])
            for month in sorted({day.replace(day=1) for day in (*self.days, self.days[-1] + DAY)}):
                of_month = [at for at in logins if self._day(at).replace(day=1) == month]
                events = [Event(at, "login", self._stamp(at, clock)) for at in of_month]
                row = Row((month, user, device), "basic", events)
                if self.chance.random() < 0.3:
                    first = max(start_of(month, self.zone), start_of(self.days[0], self.zone))
                    born = first + (of_month[0] - first if of_month else DAY) * self.chance.random()
                    row.events.append(Event(born, "create", self._stamp(born, clock)))
                if clock != "right":
                    self.world.irregular.add(row.key)
                if row.events:
                    yield row

    def _logins(self) -> Iterator[datetime]:
        chance = self.chance
        begins, ends = sorted(chance.choices(range(len(self.days) + 1), k=2)) if chance.random() < 0.3 else (0, 99)
        most = chance.choice([1, 3, 30])
        for day in self.days[begins : ends + 1]:
            start, end = start_of(day, self.zone), start_of(day + DAY, self.zone)
            around = [start, end, *(self.reads[d] for d in (day - DAY, day) if d in self.reads)]
            for _ in range(chance.choice([0, 0, 1, chance.randint(0, most)])):
                at = chance.choice(
                    [
                        start + (end - start) * chance.random(),
                        chance.choice(around) + chance.choice([0, 1, -1]) * SECOND * chance.choice([0, 0.3, 1, 200]),
                    ]
                )
                if chance.random() < 0.3:
                    at = at.replace(microsecond=0)
                if start_of(self.days[0], self.zone) <= at:
                    yield at

    def _stamp(self, at: datetime, clock: str) -> datetime | None:
        at = at.replace(microsecond=0)
        wrong = {"blank": None, "ahead": at + 400 * DAY, "behind": LONG_AGO}
        if clock == "at times":
            clock = self.chance.choice(["right", *wrong])
        return at if clock == "right" else wrong[clock]

    def _day(self, at: datetime) -> date:
        return at.astimezone(ZoneInfo(self.zone)).date()

    # --- what else happens

    def _reject(self) -> set[tuple[date, Key]]:
        rate = self.chance.choice([0, 0, 0.1])
        found: set[tuple[date, Key]] = set()
        for day in self.reads:
            for row in self.rows:
                if self.chance.random() < rate and row.key[0] in self.world.held(day):
                    found.add((day, row.key))
                    self.world.irregular.add(row.key)
        return found

    def _sees(self, day: date, row: Row) -> Counted | None:
        return None if (day, row.key) in self.rejected else row.at(self.reads[day])

    def _between(self, start: datetime, end: datetime) -> datetime:
        return start + (end - start) * self.chance.random()

    def _disturb(self, row: Row) -> None:
        chance = self.chance
        if chance.random() < 0.2:
            row.events.append(Event(self._between(self.reads[min(self.reads)], row.events[-1].at), "premium"))
        if chance.random() < self.mischief:
            self._vanish(row)
        for before, after in pairwise(self.reads_of(row.key[0])):
            start, end = self.reads[before], self.reads[after]
            seen = self._sees(before, row)
            is_quiet = not any(event.what == "login" and start <= event.at < end for event in row.events)
            if seen and is_quiet and chance.random() < self.mischief and min(seen[1], self.world.tolerance):
                fall = chance.randint(1, min(seen[1], self.world.tolerance))
                row.events.append(Event(self._between(start, end), "correct", to=fall))

    def _vanish(self, row: Row) -> None:
        """The row is deleted, for ever or for some snapshots; back again it goes on, or begins from nothing."""
        chance, days = self.chance, self.reads_of(row.key[0])
        seen = [number for number, day in enumerate(days) if self._sees(day, row)]
        if not seen or seen[0] == len(days) - 1:
            return
        gone = chance.randint(seen[0] + 1, len(days) - 1)
        hidden_at = self._between(self.reads[days[gone - 1]], self.reads[days[gone]])
        self.world.irregular.add(row.key)
        row.events.append(Event(hidden_at, "hide"))
        how = chance.choice(["deleted", "show", "show anew"]) if gone + 1 < len(days) else "deleted"
        if how == "deleted":
            row.events = [e for e in row.events if e.what != "login" or e.at < hidden_at]
            return
        back_at = self._between(self.reads[days[gone]], self.reads[days[gone + 1]])
        row.events.append(Event(back_at, how, LONG_AGO))
        if how == "show anew":
            # What a row had counted on the days of the one that takes its place is no number of the other.
            lost_from = min(hidden_at, start_of(days[gone] + DAY, self.zone))
            row.events = [e for e in row.events if e.what != "login" or not lost_from <= e.at < back_at]

    def _reset(self) -> None:
        """All counters of a month are set back; undeclared ones only where that can be seen."""
        chance = self.chance
        month = chance.choice(self.days).replace(day=1)
        days = [None, *self.reads_of(month)]
        if chance.random() > self.mischief or len(days) == 1:
            return
        number = chance.randrange(1, len(days))
        before, after = days[number - 1], days[number]
        assert after
        start = self.reads[before] if before else max(start_of(month, self.zone), start_of(self.days[0], self.zone))
        event = Event(self._between(start, self.reads[after]), "set", to=chance.choice([0, 0, 0.5]))
        is_declared = chance.random() < 0.5
        if is_declared:
            self.world.resets[after] = "restored from a backup"
        for row in self.rows:
            if row.key[0] == month and (is_declared or self._shows_fall(row, event, before, after)):
                row.events.append(event)
                self.world.irregular.add(row.key)
                if not is_declared:
                    self.world.fell.add((month, after))

    def _shows_fall(self, row: Row, event: Event, before: date | None, after: date) -> bool:
        seen = self._sees(before, row) if before else None
        left = Row(row.key, "", [*row.events, event]).at(self.reads[after])
        is_seen = seen and left and (after, row.key) not in self.rejected
        return bool(is_seen and seen and left and seen[1] - left[1] > self.world.tolerance)

    # --- what is left of it

    def _snapshot(self, day: date, read_at: datetime) -> Snapshot:
        rows = {
            row.key: seen for row in self.rows if row.key[0] in self.world.held(day) and (seen := self._sees(day, row))
        }
        has_rejects = any(of == day for of, _ in self.rejected)
        return Snapshot(read_at, has_rejects, dict(self.chance.sample(sorted(rows.items()), k=len(rows))))

    def _remember(self) -> None:
        chance = self.chance
        for row in self.rows:
            for event in row.events:
                if event.what == "login":
                    self.world.truth[self._day(event.at), row.key[1], row.key[2]] += 1
        self._tell()
        how = chance.choice(["none", "none", "true", "incomplete", "wrong"])
        for (day, user, device), number in self.world.truth.items():
            if how != "none" and (how == "true" or chance.random() < 0.6):
                self.world.history[day, user, device] = number + (chance.randint(0, 3) if how == "wrong" else 0)

    def _tell(self) -> None:
        """Events are lost and whole days of them are not there; none is invented."""
        chance = self.chance
        rate = chance.choice([0, 0.5, 0.97, 1, 1])
        days = [day for day in (*self.days, self.days[-1] + DAY) if rate and chance.random() < chance.choice([0.8, 1])]
        self.world.told = {day: [] for day in days}
        for row in self.rows:
            for event in row.events:
                day = self._day(event.at)
                if event.what == "login" and day in self.world.told and chance.random() < rate:
                    self.world.told[day].append((row.key[1], row.key[2], event.at))
