"""Contract of `ops.arrivals`."""

import dataframely as dy

from data_platform.contracts.contract import Contract


class Arrivals(dy.Schema):
    """An object seen in the landing prefix: the same content may arrive often, under one name or many."""

    landing_key = dy.String(primary_key=True, description="Its key under LANDING_URI.")
    landing_version = dy.String(primary_key=True, description="The store's own mark of that version of the object.")
    evidence_id = dy.String(regex="^[0-9a-f]{64}$", description="SHA-256 of its content.")
    arrived_at = dy.Datetime(time_unit="us", time_zone="UTC", description="When it was put there.")
    arrived_on = dy.Date(description="That day in BUSINESS_TIMEZONE.")
    named_day = dy.Date(nullable=True, description="The delivery day that its name gives; null when it gives none.")

    seen_at = dy.Datetime(time_unit="us", time_zone="UTC", description="When the platform first saw it.")


CONTRACT = Contract(table="ops.arrivals", rows=Arrivals, kept_in="warehouse")
