"""Sessions by hand: 10 June 2026, UTC, the rules of the house."""

import re
from datetime import UTC, date, datetime

from data_platform.sessions import rules
from data_platform.sessions.rules import Rules
from platform_tests.oracles.sessions import Event, Row
from platform_tests.sessions.world import days_of, found_on, happened

TODAY = date(2026, 6, 10)
HOUSE = rules.load()
EVENTS = {step: list(names) for step, names in HOUSE.events.items()}
MADE_OF = {
    "opened": "Application Opened", "looked": "Scooter Selected - User", "found": "Qr Scanner - Scanned Succeeded",
    "booked": "List Of Payment Shown", "started": "Ride Started - Successful", "failed": "Ride Started - Failed",
    "done": "Ride Done - Successful", "rated": "Rating Screen", "out_of_zone": "Out-Of-Zone",
    "dialogue": "Location Services Dialogue Opened", "unheard": "Vehicle Unlocked By Wire",
}  # fmt: skip
MUCH_LATER = happened("+5 12:00 Application Opened", who="someone else")
"""Known time has gone on: whatever lies on the day is settled."""


def told(*steps: str, who: str = "ann", device: str = "phone") -> list[Event]:
    """Events such as `10:00 started`."""
    spelled = [re.sub(r"\S+$", lambda step: MADE_OF[step[0]], text) for text in steps]
    return happened(*spelled, who=who, device=device, day=TODAY)


def sessions(events: list[Event], day: date = TODAY, zone: str = "UTC", of: Rules = HOUSE) -> list[Row]:
    return found_on(day, days_of(events, of), zone)


def settled(*steps: str) -> list[Row]:
    """The sessions of a user, long ago."""
    return sessions([*told(*steps), *MUCH_LATER])


def settled_one(*steps: str) -> Row:
    [row] = settled(*steps)
    return row


def at(clock: str, day: date = TODAY) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC)


def decision(row: Row) -> tuple[str, str, datetime, str | None]:
    return row["verdict"], row["reason"], row["decided_at"], row["decided_by"]
