"""Contract of `sessions.mobile_events`."""

import dataframely as dy
import polars as pl

from data_platform.contracts.contract import PERSONAL, Contract


class MobileEvents(dy.Schema):
    """Something that happened in the mobile app, once, however often and in however many files it was delivered."""

    day = dy.Date(description="UTC day of `created_at`.")
    created_at = dy.Datetime(time_unit="us", time_zone="UTC", description="When it happened, by the app's clock.")
    anonymous_id = dy.String(min_length=1, metadata=PERSONAL, description="Who, as the app numbers them; lower case.")
    device_id = dy.String(min_length=1, metadata=PERSONAL, description="On which device; lower case.")
    event_name = dy.String(min_length=1, description="What happened, in the app's own words.")
    received_at = dy.Datetime(
        time_unit="us", time_zone="UTC", nullable=True, description="When the app's makers received it; null: not said."
    )
    zone = dy.String(nullable=True, description="Business zone, such as a city.")
    app_version = dy.String(nullable=True, description="Version of the app.")
    os_name = dy.String(nullable=True, description="Operating system of the device.")
    evidence_id = dy.String(
        primary_key=True, regex="^[0-9a-f]{64}$", description="SHA-256 of the file that holds it; the first of several."
    )
    record_no = dy.Int64(primary_key=True, min=1, description="Ordinal of its record in that file, from 1.")

    @dy.rule()
    def day_is_that_of_the_event(cls) -> pl.Expr:
        """A row belongs to the UTC day on which it happened."""
        return pl.col("day") == pl.col("created_at").dt.date()


CONTRACT = Contract(table="sessions.mobile_events", rows=MobileEvents, kept_in="lake", day="day")

CONTENT = MobileEvents.column_names()[1:9]
"""What an event is: rows that agree in all of these are one event. Rows of a day lie in their order."""
