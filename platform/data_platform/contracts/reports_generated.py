"""Contract of `reports.reports_generated`."""

import dataframely as dy

from data_platform.contracts.contract import Contract

_UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


class ReportsGenerated(dy.Schema):
    """A delivered file of a report: written in the transaction that ends its delivery, and never edited.

    Where there is a row, the object and its manifest are there too; an object without one was never delivered.
    """

    report_id = dy.String(
        primary_key=True, regex=_UUID, metadata={"stored_as": "uuid"},
        description="UUIDv5 of report type, day, version and format.",
    )  # fmt: skip
    report_type = dy.String(regex="^[a-z][a-z0-9_]*$", description="Name of the report, as its YAML file is called.")
    report_date = dy.Date(description="The report's day, the last of its window.")
    version = dy.Int64(min=1, description="1 for the first delivery of a day; a later one has other bytes.")
    file_format = dy.String(min_length=1, description="csv, xlsx or parquet.")
    s3_bucket = dy.String(nullable=True, min_length=1, description="Bucket of the object; null in a local folder.")
    s3_object_key = dy.String(min_length=1, description="Key of the object in its bucket, or path in its folder.")
    download_link = dy.String(
        min_length=1, description="Address of the object; `data-platform reports link` makes one that opens it."
    )
    num_rows = dy.Int64(min=0, description="Rows of the file, its header not counted.")
    num_bytes = dy.Int64(min=0, description="Size of the file in bytes.")
    sha256 = dy.String(regex="^[0-9a-f]{64}$", description="SHA-256 of the file.")
    manifest_key = dy.String(min_length=1, description="Key of the manifest below REPORTS_URI.")
    manifest_sha256 = dy.String(regex="^[0-9a-f]{64}$", description="SHA-256 of the manifest.")
    supersedes = dy.String(
        nullable=True, regex=_UUID, metadata={"stored_as": "uuid"},
        description="The file of the same format that was delivered before for the day.",
    )  # fmt: skip
    skew_seconds = dy.Float64(min=0, description="At most so many seconds lie between what two sources show.")
    code_version = dy.String(min_length=1, description="Version of the code and report type that made the file.")
    run_id = dy.String(min_length=1, description="Run that delivered.")
    delivered_at = dy.Datetime(time_unit="us", time_zone="UTC", description="When the delivery ended.")


CONTRACT = Contract(table="reports.reports_generated", rows=ReportsGenerated, kept_in="warehouse")
