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
from datetime import date
from typing import IO, Any, Literal, Protocol
from urllib.parse import unquote, urlsplit

from data_platform.errors import PermanentError
from data_platform.lake.evidence import fingerprint
from data_platform.lake.store import LakeError, NoSuchObject, Store
from data_platform.publish.delivered import UUIDS, DeliveredFile, Manifest, ManifestFile, ReadSource, Report, history
from data_platform.publish.protocol import Overtaken, Provenance
from data_platform.warehouse.connection import Transaction, Value, Warehouse

_NAMESPACE = uuid.UUID("7d8d3c0e-5f0a-5c63-9a54-2f1f6f0c7d11")
_CHUNK_BYTES = 8 * 2**20
_MANIFEST = "manifest.json"
_FORGET = "DELETE FROM reports.attempts WHERE report_type = $1 AND report_date = $2"


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
        run = _Run(warehouse, store, transaction, report, maker, by, at_hand, _last(history(transaction, report)))
        if run.is_too_late:
            return Delivery(report, "unchanged", run.delivered)
        resumed = run.resumed()
        manifest, made = resumed or run.begun()
        if made is None:
            return Delivery(report, "unchanged", run.delivered)
        run.put(manifest, made)
        run.book(manifest)
        return Delivery(report, "resumed" if resumed else "new", _last(history(transaction, report)))


@dataclass(frozen=True)
class _Run:
    """One call, while it holds the lock.

    Attributes:
        lock: The transaction that holds the lock; in its end the books are written.
        at_hand: Holds the files.
        delivered: The files of the latest version; none where nothing was delivered.
    """

    warehouse: Warehouse
    store: Store
    lock: Transaction
    report: Report
    maker: Maker
    by: Provenance
    at_hand: ExitStack
    delivered: Sequence[DeliveredFile]

    @property
    def is_too_late(self) -> bool:
        """Whether another run has delivered since this one began, or this very one has, at an earlier try."""
        return any(file.delivered_at > self.by.read_at or file.run_id == self.by.run_id for file in self.delivered)

    def resumed(self) -> tuple[Manifest, Made] | None:
        """What a run that crashed was about to deliver, with the same files; None where nobody did, or not these."""
        noted = self.lock.query(
            "SELECT manifest FROM reports.attempts WHERE report_type = $1 AND report_date = $2", *self._which
        )
        if not noted.height:
            return None
        text = str(noted.item())
        try:
            manifest = Manifest.of(text)
        except (ValueError, KeyError, TypeError):  # of a version of the code that had another form
            manifest = None
        # A note of what was delivered by then is of a run that had lost its lock: nothing is done about it.
        if manifest and (not self.delivered or manifest.version > self.delivered[0].version):
            if made := self._made_again(manifest):
                return manifest, made
            self._withdraw(manifest)
        with self.warehouse.transaction() as other:
            other.run(f"{_FORGET} AND manifest = $3", *self._which, text)
            self._prove_lock()
        return None

    def begun(self) -> tuple[Manifest, Made | None]:
        """Reads and makes, and notes what is about to be delivered; no files where they are those delivered before."""
        read = self.maker.read()
        made = self.at_hand.enter_context(closing(self.maker.make(self.maker.definition, read.sources)))
        self.maker.prove_fit(made, self._num_rows_before())
        manifest = self._manifest(read, made)
        if _contents(self.delivered) == {file.format: file.sha256 for file in manifest.files}:
            return manifest, None
        with self.warehouse.transaction() as other:
            noted = other.query(
                "INSERT INTO reports.attempts (report_type, report_date, manifest, run_id) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT DO NOTHING RETURNING run_id",
                *self._which, manifest.text(), self.by.run_id,
            )  # fmt: skip
            self._prove_lock()
        if not noted.height:
            raise Overtaken(
                f"Another run has begun to deliver {self.report}; nothing was delivered by this one, run it again."
            )
        return manifest, made

    def put(self, manifest: Manifest, made: Made) -> None:
        """Creates the objects, the manifest last, or finds that a run which crashed has put the very same."""
        for file, content in zip(manifest.files, made.files, strict=True):
            self._put(file.key, content, file.sha256)
        text = _Text(manifest.text().encode())
        self._put(manifest.key, text, fingerprint(text.chunks())[0])

    def book(self, manifest: Manifest) -> None:
        """Writes the books; with the end of the transaction, all is delivered."""
        for file in manifest.files:
            row = booked(self.store, manifest, file) | {"run_id": self.by.run_id}
            places = (f"${n}::uuid" if name in UUIDS else f"${n}" for n, name in enumerate(row, start=1))
            self.lock.run(
                f"INSERT INTO reports.reports_generated ({', '.join(row)}) VALUES ({', '.join(places)})", *row.values()
            )
        self.lock.run(_FORGET, *self._which)

    @property
    def _which(self) -> tuple[str, date]:
        return self.report.report_type, self.report.day

    def _prove_lock(self) -> None:
        """Raises if the connection that holds the lock is gone: another run may be delivering."""
        self.lock.query("SELECT 1 AS held")

    def _num_rows_before(self) -> int | None:
        """Rows of the report that was delivered before: an earlier version, or else that of the day before."""
        found = self.lock.query(
            "SELECT num_rows FROM reports.reports_generated WHERE report_type = $1 AND report_date <= $2"
            " ORDER BY report_date DESC, version DESC LIMIT 1",
            *self._which,
        )
        return found.item() if found.height else None

    def _made_again(self, manifest: Manifest) -> Made | None:
        """The files of a manifest; None where the present code makes others of the evidence, or none."""
        try:
            made = self.at_hand.enter_context(closing(self.maker.make(manifest.definition, manifest.sources)))
        except PermanentError:
            return None
        contents = {file.format: fingerprint(file.chunks())[0] for file in made.files}
        return made if contents == {file.format: file.sha256 for file in manifest.files} else None

    def _withdraw(self, manifest: Manifest) -> None:
        """Removes what was put of a delivery that never ended: nobody was told of it, and no book names it."""
        put = {file.key: file.sha256 for file in manifest.files}
        put[manifest.key] = fingerprint([manifest.text().encode()])[0]
        for key, sha256 in put.items():
            if self.store.size(key) is not None and fingerprint(self.store.read(key))[0] == sha256:
                self._prove_lock()
                self.store.delete(key)

    def _manifest(self, read: Read, made: Made) -> Manifest:
        report, by = self.report, self.by
        version = self.delivered[0].version + 1 if self.delivered else 1
        before = {file.file_format: file.report_id for file in self.delivered}
        files: list[ManifestFile] = []
        for file in made.files:
            sha256, num_bytes = fingerprint(file.chunks())
            report_id = str(uuid.uuid5(_NAMESPACE, f"{report.report_type}/{report.day}/{version}/{file.format}"))
            key = self.maker.key(version, file.format)
            files.append(
                ManifestFile(report_id, file.format, key, sha256, num_bytes, file.num_rows, before.get(file.format))
            )
        return Manifest(
            report.report_type, report.day, version, self.maker.key(version, _MANIFEST), tuple(files),
            tuple(made.num_empty), tuple(made.sources), read.skew_seconds, self.maker.definition, made.made_with,
            by.code_version, by.run_id,
        )  # fmt: skip

    def _put(self, key: str, content: "_Content", sha256: str) -> None:
        self._prove_lock()
        if self.store.create(key, content.chunks()):
            return
        place = self.store.location(key)
        try:
            found, _ = fingerprint(self.store.read(key))
        except NoSuchObject as error:
            raise LakeError(f"{place} was said to be there and is not; nothing was booked, run again.") from error
        if found != sha256:
            raise ObjectInTheWay(
                f"{place} is there already and is not what is to be delivered; nothing was booked, move it away and run"
                " again."
            )


class _Content(Protocol):
    def chunks(self) -> Iterator[bytes]: ...


@dataclass(frozen=True)
class _Text:
    text: bytes

    def chunks(self) -> Iterator[bytes]:
        return iter([self.text])


def booked(store: Store, manifest: Manifest, file: ManifestFile) -> dict[str, Value]:
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
        "manifest_key": manifest.key,
        "manifest_sha256": fingerprint([manifest.text().encode()])[0],
        "supersedes": file.supersedes,
        "skew_seconds": manifest.skew_seconds,
        "code_version": manifest.code_version,
    }


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


def _last(files: Sequence[DeliveredFile]) -> list[DeliveredFile]:
    return [file for file in files if file.version == files[-1].version]


def _contents(files: Sequence[DeliveredFile]) -> dict[str, str]:
    return {file.file_format: file.sha256 for file in files}
