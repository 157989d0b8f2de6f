"""Contract of `sessions.delivered_events`."""

import dataframely as dy

from data_platform.contracts.contract import Contract


class DeliveredEvents(dy.Schema):
    """How many events of a day a delivered file holds: which files the events of a day are to be found in."""

    day = dy.Date(primary_key=True, description="Delivery day of the file.")
    evidence_id = dy.String(primary_key=True, regex="^[0-9a-f]{64}$", description="SHA-256 of the file.")
    event_day = dy.Date(primary_key=True, description="UTC day of the events.")
    num_events = dy.Int64(min=1, description="Records of that day in the file that can be used, repetitions included.")


CONTRACT = Contract(table="sessions.delivered_events", rows=DeliveredEvents, kept_in="warehouse", day="day")
