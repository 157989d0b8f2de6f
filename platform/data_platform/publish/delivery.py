"""Delivers the files of a report once: put beside their manifest, then booked in one step.

Whoever delivers a report and day holds a lock in the warehouse for as long as that takes. What is about to be delivered
is noted before the first object is written; after a crash, the next run finds the note, derives the very same files
from the evidence and goes on. Objects are created and never overwritten; the row in the books comes last.
What does not belong here: what a report says (`reports/`), and where its sources are.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import IO, Any, Literal, Protocol
from urllib.parse import unquote, urlsplit

from data_platform.errors import PermanentError
from data_platform.lake.evidence import fingerprint
from data_platform.lake.store import LakeError, NoSuchObject, Store
from data_platform.publish.delivered import DeliveredFile, Manifest, ManifestFile, ReadSource, Report, history
from data_platform.publish.protocol import Overtaken, Provenance
from data_platform.warehouse.connection import Transaction, Value, Warehouse

_NAMESPACE = uuid.UUID("7d8d3c0e-5f0a-5c63-9a54-2f1f6f0c7d11")
_CHUNK_BYTES = 8 * 2**20
_MANIFEST = "manifest.json"
_UUIDS = {"report_id", "supersedes"}


class ObjectInTheWay(PermanentError):
    """Where a file has to go lies another, which nobody delivered."""


@dataclass(frozen=True)
class NewFile:
    """A finished file, not yet delivered."""

    format: str
    content: IO[bytes]
    num_rows: int

    def chunks(self) -> Iterator[bytes]:
        """Its bytes."""
        self.content.seek(0)
        return iter(lambda: self.content.read(_CHUNK_BYTES), b"")


@dataclass(frozen=True)
class Read:
    """What was read for a report.

    Attributes:
        skew_seconds: At most so many seconds lie between the instants that two sources show.
    """

    sources: Sequence[ReadSource]
    skew_seconds: float


@dataclass(frozen=True)
class Made:
    """What was made of it.

    Attributes:
        num_empty: Empty cells, by column.
        sources: As they were read, with what was used of each.
    """

    files: Sequence[NewFile]
    num_empty: dict[str, int]
    sources: Sequence[ReadSource]
    made_with: dict[str, str]

    def close(self) -> None:
        """Lets go of the files."""
        for file in self.files:
            file.content.close()


class Maker(Protocol):
    """Makes the files of one report and day."""

    @property
    def definition(self) -> dict[str, Any]:
        """The report type and its queries: with the evidence, all that the files depend on."""
        ...

    def read(self) -> Read:
        """Reads the sources as they are now, and keeps that as evidence."""
        ...

    def make(self, definition: Mapping[str, Any], sources: Sequence[ReadSource]) -> Made:
        """Makes the files out of the evidence alone."""
        ...

    def prove_fit(self, made: Made, num_rows_before: int | None) -> None:
        """Raises where the files are not to be delivered."""
        ...

    def key(self, version: int, ending: str) -> str:
        """Where a file goes in the store."""
        ...


Status = Literal["new", "unchanged", "resumed"]


@dataclass(frozen=True)
class Delivery:
    """What a call to `deliver` came to.

    Attributes:
        status: `new` when files were delivered; `resumed` when that was begun by a run that crashed; `unchanged` when
            the files are those that were delivered before, or another run delivered while this one waited.
        files: The latest version's.
    """

    report: Report
    status: Status
    files: Sequence[DeliveredFile]


def deliver(warehouse: Warehouse, store: Store, report: Report, maker: Maker, *, by: Provenance) -> Delivery:
    """Delivers a report of a day, unless its files are those that were delivered last.

    Args:
        warehouse: Holds the books.
        store: Where files go.
        report: Which one.
        maker: Makes its files.
        by: Code version, run, and when it began.

    Raises:
        ObjectInTheWay: Where a file goes lies another one; nothing is booked.
        PlatformError: Whatever the maker raises; nothing was delivered.
        WarehouseUnavailable: The warehouse went away; the next run goes on.
    """
    with warehouse.transaction() as transaction, ExitStack() as at_hand:
        _lock(transaction, report)
        delivered = _last(history(transaction, report))
        if delivered and (delivered[0].delivered_at > by.read_at or delivered[0].run_id == by.run_id):
            return Delivery(report, "unchanged", delivered)
        status: Status = "resumed"
        begun = _resumed(warehouse, store, transaction, maker, report, delivered, at_hand)
        if begun is None:
            status, begun = "new", _begun(warehouse, transaction, maker, report, delivered, by, at_hand)
        if begun is None:
            return Delivery(report, "unchanged", delivered)
        manifest, made = begun
        for file, content in zip(manifest.files, made.files, strict=True):
            _put(store, file.key, content, file.sha256, transaction)
        text, manifest_key = _Text(manifest.text().encode()), maker.key(manifest.version, _MANIFEST)
        _put(store, manifest_key, text, fingerprint(text.chunks())[0], transaction)
        for file in manifest.files:
            _insert(transaction, booked(store, manifest, manifest_key, file) | {"run_id": by.run_id})
        transaction.run("DELETE FROM reports.attempts WHERE report_type = $1 AND report_date = $2", *_of(report))
        return Delivery(report, status, _last(history(transaction, report)))


def _begun(
    warehouse: Warehouse,
    transaction: Transaction,
    maker: Maker,
    report: Report,
    delivered: Sequence[DeliveredFile],
    by: Provenance,
    at_hand: ExitStack,
) -> tuple[Manifest, Made] | None:
    """Reads and makes, and notes what is about to be delivered; None where that is what was delivered before."""
    read = maker.read()
    made = at_hand.enter_context(closing(maker.make(maker.definition, read.sources)))
    maker.prove_fit(made, delivered[0].num_rows if delivered else None)
    manifest = _manifest(report, maker, made, read, delivered, by)
    if _contents(delivered) == {file.format: file.sha256 for file in manifest.files}:
        return None
    with warehouse.transaction() as other:
        noted = other.query(
            "INSERT INTO reports.attempts (report_type, report_date, manifest, run_id) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT DO NOTHING RETURNING run_id",
            *_of(report), manifest.text(), by.run_id,
        )  # fmt: skip
        _prove_lock(transaction)
    if not noted.height:
        raise Overtaken(f"Another run has begun to deliver {report}; nothing was delivered by this one, run it again.")
    return manifest, made


def _resumed(
    warehouse: Warehouse,
    store: Store,
    transaction: Transaction,
    maker: Maker,
    report: Report,
    delivered: Sequence[DeliveredFile],
    at_hand: ExitStack,
) -> tuple[Manifest, Made] | None:
    """What a run that crashed was about to deliver, with the same files; None where nobody did, or they are others."""
    noted = transaction.query(
        "SELECT manifest FROM reports.attempts WHERE report_type = $1 AND report_date = $2", *_of(report)
    )
    if not noted.height:
        return None
    manifest = Manifest.of(noted.item())
    # A note of what was delivered by then is of a run that had lost its lock: nothing is done about it.
    if not delivered or manifest.version > delivered[0].version:
        if made := _made_again(maker, manifest, at_hand):
            return manifest, made
        _withdraw(store, manifest, maker.key(manifest.version, _MANIFEST))
    with warehouse.transaction() as other:
        other.run("DELETE FROM reports.attempts WHERE report_type = $1 AND report_date = $2", *_of(report))
    return None


def _made_again(maker: Maker, manifest: Manifest, at_hand: ExitStack) -> Made | None:
    """The files of a manifest; None where the present code makes others of the evidence, or none."""
    try:
        made = at_hand.enter_context(closing(maker.make(manifest.definition, manifest.sources)))
    except PermanentError:
        return None
    contents = {file.format: fingerprint(file.chunks())[0] for file in made.files}
    return made if contents == {file.format: file.sha256 for file in manifest.files} else None


def _withdraw(store: Store, manifest: Manifest, manifest_key: str) -> None:
    """Removes what was put of a delivery that never ended; nobody was told of it, and no row in the books names it."""
    put = {file.key: file.sha256 for file in manifest.files}
    put[manifest_key] = fingerprint([manifest.text().encode()])[0]
    for key, sha256 in put.items():
        if store.size(key) is not None and fingerprint(store.read(key))[0] == sha256:
            store.delete(key)


def _manifest(
    report: Report, maker: Maker, made: Made, read: Read, delivered: Sequence[DeliveredFile], by: Provenance
) -> Manifest:
    version = delivered[0].version + 1 if delivered else 1
    before = {file.file_format: file.report_id for file in delivered}
    files: list[ManifestFile] = []
    for file in made.files:
        sha256, num_bytes = fingerprint(file.chunks())
        report_id = str(uuid.uuid5(_NAMESPACE, f"{report.report_type}/{report.day}/{version}/{file.format}"))
        key = maker.key(version, file.format)
        files.append(
            ManifestFile(report_id, file.format, key, sha256, num_bytes, file.num_rows, before.get(file.format))
        )
    return Manifest(
        report.report_type, report.day, version, tuple(files), tuple(made.num_empty), tuple(made.sources),
        read.skew_seconds, maker.definition, made.made_with, by.code_version, by.run_id,
    )  # fmt: skip


class _Content(Protocol):
    def chunks(self) -> Iterator[bytes]: ...


@dataclass(frozen=True)
class _Text:
    text: bytes

    def chunks(self) -> Iterator[bytes]:
        return iter([self.text])


def _put(store: Store, key: str, content: _Content, sha256: str, transaction: Transaction) -> None:
    """Creates an object, or finds that a run which crashed has put the very same."""
    _prove_lock(transaction)
    if store.create(key, content.chunks()):
        return
    try:
        found, _ = fingerprint(store.read(key))
    except NoSuchObject as error:
        raise LakeError(
            f"{store.location(key)} was said to be there and is not; nothing was booked, run again."
        ) from error
    if found != sha256:
        raise ObjectInTheWay(
            f"{store.location(key)} is there already and is not what is to be delivered; nothing was booked, move it"
            " away and run again."
        )


def booked(store: Store, manifest: Manifest, manifest_key: str, file: ManifestFile) -> dict[str, Value]:
    """What the books say of a delivered file, by column: all but the run and the time."""
    bucket, prefix = _bucket(store)
    return {
        "report_id": file.report_id,
        "report_type": manifest.report_type,
        "report_date": manifest.day,
        "version": manifest.version,
        "file_format": file.format,
        "s3_bucket": bucket,
        "s3_object_key": f"{prefix}{file.key}",
        "download_link": f"{store.uri}/{file.key}",
        "num_rows": file.num_rows,
        "num_bytes": file.num_bytes,
        "sha256": file.sha256,
        "manifest_key": manifest_key,
        "manifest_sha256": fingerprint([manifest.text().encode()])[0],
        "supersedes": file.supersedes,
        "skew_seconds": manifest.skew_seconds,
        "code_version": manifest.code_version,
    }


def _insert(transaction: Transaction, row: Mapping[str, Value]) -> None:
    places = (f"${n}::uuid" if name in _UUIDS else f"${n}" for n, name in enumerate(row, start=1))
    transaction.run(
        f"INSERT INTO reports.reports_generated ({', '.join(row)}) VALUES ({', '.join(places)})", *row.values()
    )


def _bucket(store: Store) -> tuple[str | None, str]:
    """The bucket and the prefix of keys in it; of a local folder no bucket, and its path."""
    parts = urlsplit(store.uri)
    path = parts.path.strip("/")
    if parts.scheme == "s3":
        return parts.netloc, f"{path}/" if path else ""
    return None, f"/{unquote(path)}/"


def _lock(transaction: Transaction, report: Report) -> None:
    transaction.query(
        "SELECT pg_advisory_xact_lock(hashtext($1), $2::date - date '1970-01-01')::text",
        f"reports.{report.report_type}",
        report.day,
    )


def _prove_lock(transaction: Transaction) -> None:
    """Raises if the connection that holds the lock is gone: another run may be delivering."""
    transaction.query("SELECT 1 AS held")


def _last(files: Sequence[DeliveredFile]) -> list[DeliveredFile]:
    return [file for file in files if file.version == files[-1].version]


def _contents(files: Sequence[DeliveredFile]) -> dict[str, str]:
    return {file.file_format: file.sha256 for file in files}


def _of(report: Report) -> tuple[str, Any]:
    return report.report_type, report.day
