"""Contract of `ops.evidence`."""

import dataframely as dy

from data_platform.contracts.contract import Contract


class Evidence(dy.Schema):
    """What arrived, once, unchanged: the manifest of a write-once object in the lake."""

    evidence_id = dy.String(primary_key=True, regex="^[0-9a-f]{64}$", description="SHA-256 of the content.")
    kind = dy.String(min_length=1, description="Landing folder that it first arrived in, such as `leads`.")
    place = dy.String(min_length=1, description="Key of the object under LAKE_URI.")
    num_bytes = dy.Int64(min=0, description="Size in bytes.")
    kept_at = dy.Datetime(time_unit="us", time_zone="UTC", description="When it was registered.")


CONTRACT = Contract(table="ops.evidence", rows=Evidence, kept_in="warehouse")
