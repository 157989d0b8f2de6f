"""Contract of `logins.user_logins`."""

import dataframely as dy

from data_platform.contracts.contract import Contract

MASKED = r"^t[0-9]+_[0-9a-f]{64}$"


class UserLogins(dy.Schema):
    """A login of a user, as the app's queue told of it: one row a message, with tokens in the place of personal data.

    Equal values have equal tokens, so that they can be counted and joined; `data-platform reveal` shows the original.
    """

    create_date = dy.Date(primary_key=True, description="Day of the login, in BUSINESS_TIMEZONE.")
    user_id = dy.String(min_length=1, max_length=128, description="User, as the app's events name them.")
    device_type = dy.String(min_length=1, max_length=32, description="Kind of device, such as android.")
    masked_ip = dy.String(regex=MASKED, max_length=256, description="Token of the address that the login came from.")
    masked_device_id = dy.String(regex=MASKED, max_length=256, description="Token of the device's id.")
    locale = dy.String(nullable=True, min_length=1, max_length=32, description="Locale, such as RU; often unknown.")
    app_version = dy.String(min_length=1, max_length=32, description="Version of the app, as sent.")
    app_major = dy.Int64(nullable=True, min=0, description="First number of the version; null where it has none.")
    app_minor = dy.Int64(nullable=True, min=0, description="Second number of the version.")
    app_patch = dy.Int64(nullable=True, min=0, description="Third number of the version; null where it has two.")
    logged_in_at = dy.Datetime(time_unit="us", time_zone="UTC", description="When the message was sent (UTC).")
    evidence_id = dy.String(primary_key=True, regex="^[0-9a-f]{64}$", description="Sealed batch that it came in.")
    position = dy.Int64(primary_key=True, min=1, description="Place of the message in the batch, from 1.")
    transform_version = dy.String(regex="^[0-9a-f]{12}$", description="Version of the rules that made the row.")


CONTRACT = Contract(
    table="logins.user_logins", rows=UserLogins, kept_in="warehouse", day="create_date", from_messages=True
)
