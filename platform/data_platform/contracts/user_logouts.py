"""Contract of `logins.user_logouts`."""

import dataframely as dy

from data_platform.contracts.contract import Contract
from data_platform.contracts.user_logins import MASKED


class UserLogouts(dy.Schema):
    """The end of a user's login, as the app's queue told of it: one row a message, with a token for the device."""

    create_date = dy.Date(primary_key=True, description="Day of the logout, in BUSINESS_TIMEZONE.")
    user_id = dy.String(min_length=1, max_length=128, description="User, as the app's events name them.")
    masked_device_id = dy.String(regex=MASKED, max_length=256, description="Token of the device's id.")
    cause = dy.String(nullable=True, min_length=1, max_length=32, description="Why it ended, such as timeout.")
    logged_out_at = dy.Datetime(time_unit="us", time_zone="UTC", description="When the message was sent (UTC).")
    evidence_id = dy.String(primary_key=True, regex="^[0-9a-f]{64}$", description="Sealed batch that it came in.")
    position = dy.Int64(primary_key=True, min=1, description="Place of the message in the batch, from 1.")
    transform_version = dy.String(regex="^[0-9a-f]{12}$", description="Version of the rules that made the row.")


CONTRACT = Contract(
    table="logins.user_logouts", rows=UserLogouts, kept_in="warehouse", day="create_date", from_messages=True
)
