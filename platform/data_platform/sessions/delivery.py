"""What a file's name tells: the day it was delivered."""

import re
from datetime import date

from data_platform.contracts.days import FIRST_DAY

_YEAR_MONTH_DAY = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)")


def named_day(name: str, arrived_on: date) -> date | None:
    """The delivery day in a name such as `mobile_events_2026-10-05.csv.gz`.

    A date that does not exist, lies after the arrival or before the platform's first day is no delivery day.

    Args:
        name: The file's name.
        arrived_on: The day it arrived.

    Returns:
        The day, or None where the name gives none that can be meant.
    """
    found = _YEAR_MONTH_DAY.search(name)
    if not found:
        return None
    try:
        day = date.fromisoformat(found[1])
    except ValueError:
        return None
    return day if FIRST_DAY <= day <= arrived_on else None
