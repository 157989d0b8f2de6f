"""What a file's name tells: the day it was delivered."""

import re
from datetime import date

from data_platform.contracts.days import FIRST_DAY

_MONTH_DAY_YEAR = re.compile(r"(?<!\d)(\d{2})-(\d{2})-(\d{4})(?!\d)")


def named_day(name: str, arrived_on: date) -> date | None:
    """The delivery day in a name such as `07-07-2023 Texas DHHS.csv`.

    A date that does not exist, lies after the arrival or before the platform's first day is no delivery day.

    Args:
        name: The file's name.
        arrived_on: The day it arrived.

    Returns:
        The day, or None where the name gives none that can be meant.
    """
    found = _MONTH_DAY_YEAR.search(name)
    if not found:
        return None
    month, day_of_month, year = (int(part) for part in found.groups())
    try:
        day = date(year, month, day_of_month)
    except ValueError:
        return None
    return day if FIRST_DAY <= day <= arrived_on else None
