"""Contract of `ops.former_sessions`."""

import dataframely as dy

from data_platform.contracts.contract import PERSONAL, Contract


class FormerSessions(dy.Schema):
    """A session that was published once and is no more, because a late event moved its start or joined it to another.

    The warehouse itself keeps it in the transaction that replaces a day; `sessions.session_id_changes` says what each
    has become.
    """

    session_id = dy.String(primary_key=True, description="The id that it had.")
    anonymous_id = dy.String(metadata=PERSONAL, description="Who.")
    device_id = dy.String(metadata=PERSONAL, description="On which device.")
    started_at = dy.Datetime(time_unit="us", time_zone="UTC", description="Its first event as it was known then.")


CONTRACT = Contract(table="ops.former_sessions", rows=FormerSessions, kept_in="warehouse")
