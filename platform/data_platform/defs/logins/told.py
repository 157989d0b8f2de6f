"""What the queue told of logins, for the days of the counters."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache

import polars as pl

from data_platform.contracts import user_logins
from data_platform.logins import rules
from data_platform.logins.daily import NO_EVENTS, Events
from data_platform.logins.days import ended_day
from data_platform.publish import reading
from data_platform.stack import Stack

_DAYS_AT_HAND = 64  # a month, and those around it


def hashes_of_told_days(stack: Stack) -> Mapping[date, str]:
    """Days of events that are published and over, with their content hashes; none where users cannot be matched."""
    if rules.load().user_of_event is None:
        return {}
    last = ended_day(datetime.now(UTC), stack.settings.business_timezone)
    published = reading.publications(stack.warehouse, user_logins.CONTRACT)
    return {version.day: version.content_hash for version in published if version.day and version.day <= last}


def told_events(stack: Stack) -> Events:
    """The published events, with users as the counters number them; those of other users are left out."""
    pattern = rules.load().user_of_event
    if pattern is None:
        return NO_EVENTS

    @lru_cache(maxsize=_DAYS_AT_HAND)
    def rows_of(day: date) -> pl.DataFrame:
        rows = reading.read(stack.warehouse, stack.lake, user_logins.CONTRACT, [day])
        user_id = pl.col("user_id").str.extract(pattern.pattern).cast(pl.Int64)
        told = rows.select(user_id, "logged_in_at", device="device_type")
        return told.drop_nulls().select("user_id", "device", "logged_in_at").collect()

    return Events(hashes_of_told_days(stack), rows_of)
