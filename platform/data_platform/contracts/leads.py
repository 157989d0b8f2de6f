"""Contract of `leads.leads`."""

import dataframely as dy
import polars as pl

from data_platform.contracts.contract import PERSONAL, Contract

_E164 = r"^\+[1-9][0-9]{6,14}$"
_UUID = "^[0-9a-f-]{36}$"


class LeadFields(dy.Schema):
    """What one record of a source says about a provider. The same provider may have many such records."""

    source = dy.String(min_length=1, description="Name of the source, as its layout file is called.")
    license_number = dy.String(min_length=1, description="The source's own licence number, as text.")
    provider_id = dy.String(nullable=True, min_length=1, description="The source's own number of the facility.")
    company = dy.String(nullable=True, metadata=PERSONAL, min_length=1, description="Name of the provider.")
    operator = dy.String(
        nullable=True, metadata=PERSONAL, min_length=1, description="Who operates it, where that is not the company."
    )
    licensee_name = dy.String(nullable=True, metadata=PERSONAL, min_length=1, description="Who holds the licence.")
    first_name = dy.String(
        nullable=True, metadata=PERSONAL, min_length=1, description="First name or names of the contact."
    )
    last_name = dy.String(
        nullable=True, metadata=PERSONAL, min_length=1, description="Last name or names of the contact."
    )
    title = dy.String(nullable=True, min_length=1, description="Role of the contact.")
    phone = dy.String(nullable=True, metadata=PERSONAL, regex=_E164, description="Phone number in E.164.")
    phone2 = dy.String(nullable=True, metadata=PERSONAL, regex=_E164, description="Second phone number in E.164.")
    email = dy.String(
        nullable=True, metadata=PERSONAL, regex=r"^[^@\s]+@[^@\s]+$", description="Mail address in lower case."
    )
    website_address = dy.String(nullable=True, min_length=1, description="Web address.")
    address1 = dy.String(nullable=True, metadata=PERSONAL, min_length=1, description="Street address.")
    address2 = dy.String(nullable=True, metadata=PERSONAL, min_length=1, description="Second line of the address.")
    city = dy.String(nullable=True, min_length=1, description="City, in capitals.")
    state = dy.String(regex="^[A-Z]{2}$", description="Postal abbreviation of the state.")
    zip = dy.String(nullable=True, regex="^[0-9]{5}(-[0-9]{4})?$", description="ZIP code as text.")
    county = dy.String(nullable=True, min_length=1, description="County, in capitals.")
    facility_type = dy.String(nullable=True, min_length=1, description="Kind of facility, as the source says it.")
    license_type = dy.String(nullable=True, min_length=1, description="Kind of licence, as the source says it.")
    license_status = dy.String(nullable=True, min_length=1, description="Status of the licence, as the source says it.")
    license_issued = dy.Date(nullable=True, description="Day the licence was first issued.")
    license_renewed = dy.Date(nullable=True, description="Day the licence was last renewed.")
    certificate_expiration_date = dy.Date(nullable=True, description="Day the licence ends.")
    capacity = dy.Int32(nullable=True, min=0, description="Children the provider may care for.")
    min_age = dy.Int32(nullable=True, min=0, description="Youngest age accepted, in months.")
    max_age = dy.Int32(nullable=True, min=0, description="Oldest age accepted, in months; null with a min_age: open.")
    ages_served = dy.String(nullable=True, min_length=1, description="Age groups accepted, youngest first.")
    schedule = dy.String(nullable=True, min_length=1, description="Opening hours by day of the week.")
    accepts_financial_aid = dy.Bool(nullable=True, description="Whether subsidies are accepted.")
    curriculum_type = dy.String(nullable=True, min_length=1, description="Curriculum.")
    language = dy.String(nullable=True, min_length=1, description="Languages spoken.")

    @dy.rule()
    def ages_are_in_order(cls) -> pl.Expr:
        """The youngest age is not above the oldest."""
        return pl.col("min_age") <= pl.col("max_age")


class Leads(LeadFields):
    """A childcare provider as its state's licensing office last described it: one row by source and licence number.

    A field that a source does not give is null, never an empty string.
    """

    lead_id = dy.String(primary_key=True, regex=_UUID, description="UUIDv5 of source and licence number.")
    first_seen_on = dy.Date(description="Delivery day of the first file that lists the provider.")
    last_seen_on = dy.Date(description="Delivery day of the last file that lists the provider.")
    created_at = dy.Datetime(time_unit="us", time_zone="UTC", description="Start of the day of `first_seen_on`.")
    updated_at = dy.Datetime(
        time_unit="us", time_zone="UTC", description="Start of the delivery day since which the row reads as it does."
    )
    evidence_id = dy.String(regex="^[0-9a-f]{64}$", description="SHA-256 of the file that the row was read from.")
    record_no = dy.Int64(min=1, description="Ordinal of the record in that file.")

    @dy.rule()
    def seen_in_order(cls) -> pl.Expr:
        """Nothing is last seen before it is first seen."""
        return pl.col("first_seen_on") <= pl.col("last_seen_on")


CONTRACT = Contract(table="leads.leads", rows=Leads, kept_in="warehouse")
