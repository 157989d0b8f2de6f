"""What an app's counters look like to the product: frames out of plain rows, and small worlds made by hand."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from data_platform.contracts.login_history import LoginHistory
from data_platform.contracts.monthly_snapshots import MonthlySnapshots
from data_platform.logins import daily
from data_platform.logins.daily import Events, Sources, Taken
from data_platform.logins.rules import Rules
from platform_tests.logins.world import Snapshot, World, start_of

JUNE = date(2026, 6, 1)


def evidence_id(day: date) -> str:
    return f"{day.toordinal():064x}"


def sources_of(world: World) -> Sources:
    taken = {day: Taken(evidence_id(day), snapshot.has_rejects) for day, snapshot in world.snapshots.items()}
    history = [(day, user, device, "basic", number) for (day, user, device), number in world.history.items()]
    return Sources(
        taken,
        {day: rows_of(world, day) for day in world.snapshots}.__getitem__,
        pl.LazyFrame(history, schema=LoginHistory.create_empty().schema, orient="row"),
        world.zone,
        Rules(
            tolerance=world.tolerance,
            resets=world.resets,
            days_with_month_before=world.days_with_month_before,
            max_minutes_late=60,
            max_share_not_exact=0.05,
            event_user_id=None,
        ),
        Events({day: evidence_id(day)[::-1] for day in world.told}, lambda day: events_of(world, day)),
    )


def events_of(world: World, day: date) -> pl.DataFrame:
    schema = {"user_id": pl.Int64, "device": pl.String, "logged_in_at": pl.Datetime("us", "UTC")}
    return pl.DataFrame(world.told[day], schema=schema, orient="row")


def rows_of(world: World, day: date) -> pl.DataFrame:
    snapshot = world.snapshots[day]
    rows = [
        (day, month, user, device, user_type, counter, last, snapshot.read_at)
        for (month, user, device), (user_type, counter, last) in snapshot.rows.items()
    ]
    return pl.DataFrame(rows, schema=MonthlySnapshots.create_empty().schema, orient="row")


def at(text: str | None) -> datetime | None:
    """A moment of June 2026, such as `09T12:00`; or any other, in full."""
    full = f"2026-06-{text}" if text and text.index("T") == len("09") else text
    return datetime.fromisoformat(full).replace(tzinfo=UTC) if full else None


class Example(World):
    """A world made by hand, of June 2026 in UTC: days are numbers, and each user has one device."""

    def __init__(self) -> None:
        super().__init__("UTC", tolerance=10, days_with_month_before=3)

    def read(
        self,
        day: int | date,
        *rows: tuple[int, int, str | None],
        late: timedelta = timedelta(0),
        has_rejects: bool = False,
        month: date = JUNE,
    ) -> "Example":
        """Adds the rows (user, counter, last login) of a month to the snapshot of a day."""
        day = of_june(day)
        read_at = start_of(day + timedelta(days=1), self.zone) + late
        found = {(month, user, "web"): ("basic", counter, at(last)) for user, counter, last in rows}
        there = self.snapshots[day].rows if day in self.snapshots else {}
        self.snapshots[day] = Snapshot(read_at, has_rejects, there | found)
        return self

    def had(self, day: int, user: int, number: int) -> "Example":
        """Adds a row of the older job."""
        self.history[of_june(day), user, "web"] = number
        return self

    def rows(self, day: int | date) -> dict[int, dict[str, Any]]:
        found = daily.logins(of_june(day), sources_of(self)).rows
        return {row["user_id"]: row for row in found.to_dicts()}

    def known(self, day: int | date, user: int = 1) -> tuple[int, int, int | None, str, str | None]:
        """Number, low, high, status and reason."""
        row = self.rows(day)[user]
        return row["num_logins"], row["low"], row["high"], row["status"], row["reason"]


def of_june(day: int | date) -> date:
    return day if isinstance(day, date) else JUNE.replace(day=day)
