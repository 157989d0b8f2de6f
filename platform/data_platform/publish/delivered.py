"""What has been delivered: the books of reports, for readers. What does not belong here: delivering (`delivery.py`)."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from data_platform.contracts.reports_generated import CONTRACT
from data_platform.errors import PermanentError
from data_platform.lake.store import Store
from data_platform.warehouse.connection import Transaction, Warehouse


class NoSuchReport(PermanentError):
    """Nothing was delivered under that id."""


class DeliveryDamaged(PermanentError):
    """What lies in the store is not what the books say was delivered."""


@dataclass(frozen=True)
class Report:
    """One report of one day, whichever its version."""

    report_type: str
    day: date

    def __str__(self) -> str:
        """As errors and people name it."""
        return f"{self.report_type} of {self.day}"


@dataclass(frozen=True)
class ReadSource:
    """What was read of one source for a report, kept as evidence.

    Attributes:
        read_at: About the instant that it shows, by the source's clock (UTC).
        num_rows: Rows in the evidence.
        num_used: Those of them that are in the report; the others belong to nobody in it.
    """

    name: str
    evidence_id: str
    num_bytes: int
    read_at: datetime
    num_rows: int = 0
    num_used: int = 0


@dataclass(frozen=True)
class ManifestFile:
    """One file of a delivery, as its manifest names it."""

    report_id: str
    format: str
    key: str
    sha256: str
    num_bytes: int
    num_rows: int
    supersedes: str | None


@dataclass(frozen=True)
class Manifest:
    """All that it takes to derive a delivery again, and to tell whether it is the same.

    Attributes:
        key: Its own, beside the files.
        definition: The report type and its queries, as they were.
        made_with: Versions of the libraries that wrote the files.
    """

    report_type: str
    day: date
    version: int
    key: str
    files: tuple[ManifestFile, ...]
    columns: tuple[str, ...]
    sources: tuple[ReadSource, ...]
    skew_seconds: float
    definition: dict[str, Any]
    made_with: dict[str, str]
    code_version: str
    run_id: str

    def text(self) -> str:
        """As it is stored: the same text for the same manifest."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, default=str) + "\n"

    @classmethod
    def of(cls, text: str) -> "Manifest":
        """Out of its text."""
        facts = json.loads(text)
        facts["day"] = date.fromisoformat(facts["day"])
        facts["columns"] = tuple(facts["columns"])
        facts["files"] = tuple(ManifestFile(**file) for file in facts["files"])
        facts["sources"] = tuple(
            ReadSource(**source | {"read_at": datetime.fromisoformat(source["read_at"])}) for source in facts["sources"]
        )
        return cls(**facts)


@dataclass(frozen=True)
class DeliveredFile:
    """A row of `reports.reports_generated`."""

    report_id: str
    report_type: str
    report_date: date
    version: int
    file_format: str
    s3_bucket: str | None
    s3_object_key: str
    download_link: str
    num_rows: int
    num_bytes: int
    sha256: str
    manifest_key: str
    manifest_sha256: str
    supersedes: str | None
    skew_seconds: float
    code_version: str
    run_id: str
    delivered_at: datetime

    @property
    def report(self) -> Report:
        """Which report of which day."""
        return Report(self.report_type, self.report_date)


UUIDS = {name for name, column in CONTRACT.rows.columns().items() if (column.metadata or {}).get("stored_as") == "uuid"}
"""Columns of the books that Postgres keeps as UUIDs; here they are text."""

_COLUMNS = ", ".join(f"{name}::text" if name in UUIDS else name for name in CONTRACT.columns)
_FILES = f"SELECT {_COLUMNS} FROM {CONTRACT.table}"


def current(warehouse: Warehouse, report_type: str, days: tuple[date, date] | None = None) -> list[DeliveredFile]:
    """The files of the latest version of each day of a report, in the order of days."""
    first, last = days or (None, None)
    return _files(
        warehouse,
        " WHERE report_type = $1 AND ($2 = '' OR report_date BETWEEN nullif($2, '')::date AND nullif($3, '')::date)"
        " AND (report_date, version) IN (SELECT report_date, max(version) FROM reports.reports_generated"
        " WHERE report_type = $1 GROUP BY 1) ORDER BY report_date, file_format",
        report_type, str(first or ""), str(last or ""),
    )  # fmt: skip


def history(transaction: Transaction, report: Report) -> list[DeliveredFile]:
    """Every file ever delivered of a report and day, the oldest first."""
    where = " WHERE report_type = $1 AND report_date = $2 ORDER BY version, file_format"
    rows = transaction.query(_FILES + where, report.report_type, report.day)
    return [DeliveredFile(**row) for row in rows.to_dicts()]


def find(warehouse: Warehouse, report_id: str) -> DeliveredFile:
    """A delivered file by its id, or by as many of its first digits as make it the only one.

    Raises:
        NoSuchReport: There is none, or more than one.
    """
    found = _files(
        warehouse, " WHERE starts_with(report_id::text, $1) ORDER BY delivered_at LIMIT 2", report_id.lower()
    )
    if len(found) != 1:
        what = "Several reports have ids that begin" if found else "No report has an id that begins"
        raise NoSuchReport(f"{what} with {report_id!r}; `data-platform reports list` shows those that there are.")
    return found[0]


def latest(warehouse: Warehouse, report_type: str | None, *, limit: int) -> list[DeliveredFile]:
    """The files that were delivered last, the newest first; of one report or of all."""
    where = " WHERE $1 = '' OR report_type = $1 ORDER BY delivered_at DESC, file_format LIMIT $2"
    return _files(warehouse, where, report_type or "", limit)


def open_attempts(warehouse: Warehouse, report_type: str, days: Sequence[date]) -> set[date]:
    """Days of which a delivery was begun and has not ended."""
    with warehouse.transaction() as transaction:
        found = transaction.query("SELECT report_date FROM reports.attempts WHERE report_type = $1", report_type)
    return set(found["report_date"]) & set(days)


def key_in(store: Store, file: DeliveredFile) -> str:
    """The key of a delivered file in a store.

    Raises:
        NoSuchReport: It was delivered into another store.
    """
    if not file.download_link.startswith(f"{store.uri}/"):
        raise NoSuchReport(
            f"{file.report} was delivered to {file.download_link}, not below REPORTS_URI ({store.uri}); set that back"
            " to reach it."
        )
    return file.download_link.removeprefix(f"{store.uri}/")


def manifest_of(store: Store, file: DeliveredFile) -> Manifest:
    """The manifest beside a delivered file.

    Raises:
        NoSuchObject: It is gone.
        DeliveryDamaged: It is no manifest any more.
    """
    text = b"".join(store.read(file.manifest_key))
    try:
        return Manifest.of(text.decode())
    except (ValueError, KeyError, TypeError) as error:
        raise DeliveryDamaged(
            f"{store.location(file.manifest_key)} is no manifest any more; put it back from a backup."
        ) from error


def _files(warehouse: Warehouse, where: str, *values: str | int) -> list[DeliveredFile]:
    with warehouse.transaction() as transaction:
        return [DeliveredFile(**row) for row in transaction.query(_FILES + where, *values).to_dicts()]
