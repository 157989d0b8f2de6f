"""The days. One start, one definition for every asset that has days."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import dagster as dg

from data_platform.contracts.days import FIRST_DAY

_FIRST, _LAST = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

# A key is a calendar day of BUSINESS_TIMEZONE, which is read when a run starts; the set of keys is made while
# definitions load, without a look at settings. It ends with tomorrow in UTC: enough for every zone ahead of UTC.
daily = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), end_offset=2)


def stretches(days: Iterable[date], *, longest_gap: timedelta = timedelta(days=1)) -> list[tuple[date, date]]:
    """First and last day of each group of days whose neighbours are no further apart than the gap."""
    groups: list[tuple[date, date]] = []
    for day in sorted(days):
        if groups and day - groups[-1][1] <= longest_gap:
            groups[-1] = groups[-1][0], day
        else:
            groups.append((day, day))
    return groups


def range_tags(stretch: tuple[date, date] | None) -> dict[str, str]:
    """Tags that make a run of a job of assets cover a stretch of days."""
    if not stretch:
        return {}
    return {
        _FIRST: stretch[0].isoformat(),
        _LAST: stretch[1].isoformat(),
    }


def days_of_tags(tags: Mapping[str, str]) -> list[date]:
    """The days that such tags, or those of a single partition, name."""
    first = tags.get(_FIRST) or tags.get("dagster/partition")
    if not first:
        return []
    last = date.fromisoformat(tags.get(_LAST) or first)
    return [date.fromisoformat(first) + timedelta(days=n) for n in range((last - date.fromisoformat(first)).days + 1)]
