"""Makes the files of a report: reads its sources at one instant, keeps that as evidence, derives the files from it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from importlib.metadata import version
from tempfile import TemporaryFile
from typing import IO, Any

import polars as pl
from pydantic import ValidationError

from data_platform import settings
from data_platform.ahead import read_ahead
from data_platform.errors import PermanentError, TransientError
from data_platform.lake import evidence, frames, snapshots
from data_platform.lake.store import Store
from data_platform.publish.arrivals import note_evidence
from data_platform.publish.delivered import ReadSource
from data_platform.publish.delivery import Made, NewFile, Read
from data_platform.reports import gate
from data_platform.reports.derive import Part, derive
from data_platform.reports.files import Files
from data_platform.reports.report_type import ReportType, ReportTypeError, Source, statement
from data_platform.stack import Stack
from data_platform.warehouse import streams
from data_platform.warehouse.foreign import ForeignDatabase
from data_platform.warehouse.streams import Stream

_KIND = "reports"
_HEAD_ROWS = 5
_LIBRARIES = ("polars", "pyarrow", "xlsxwriter")


class NoSource(PermanentError):
    """No setting names a database that a report reads."""


class SourcesTooFarApart(TransientError):
    """Two sources could not be read at nearly the same instant."""


@dataclass
class ReportMaker:
    """Makes one report of one day.

    Attributes:
        head: The first rows of what was made last, without its personal columns.
    """

    stack: Stack
    report: ReportType
    day: date
    head: pl.DataFrame = field(default_factory=pl.DataFrame)

    @property
    def definition(self) -> dict[str, Any]:
        """The report type and the text of its queries; without its recipients, whom a manifest does not name."""
        queries = {source.query: _query(source) for source in self.report.sources.values()}
        return {"report": self.report.model_dump(mode="json", exclude={"recipients"}), "queries": queries}

    def read(self) -> Read:
        """Reads all sources at once, each in one transaction, and keeps each as evidence.

        Raises:
            NoSource: A setting is missing.
            SourcesTooFarApart: The transactions began further apart than the report allows.
            ForeignUnavailable: A database went away; nothing was kept of it.
            ForeignRefused: A database does not have what the query asks for.
        """
        with ExitStack() as opened:
            with self._reading() as (reading, skew), ThreadPoolExecutor(len(reading)) as together:
                # Nothing is kept of one before all of the others are there too.
                files = {name: opened.enter_context(TemporaryFile()) for name in reading}
                list(together.map(self._copy, reading.keys(), reading.values(), files.values()))
            kept = [self._keep(name, stream, files[name]) for name, stream in reading.items()]
        with self.stack.warehouse.transaction() as transaction:
            for source in kept:
                note_evidence(transaction, source.evidence_id, _KIND, source.num_bytes)
        return Read(kept, skew)

    def rows_now(self) -> Iterator[Part]:
        """The rows as the sources would make them now; nothing is kept, and nothing written."""
        with self._reading() as (reading, _):
            at_hand = {name: stream.frames(self.report.sources[name].types) for name, stream in reading.items()}
            yield from derive(self.report, self.day, at_hand)

    @contextmanager
    def _reading(self) -> Iterator[tuple[dict[str, Stream], float]]:
        """All sources, each in a transaction that has begun, and the most that lies between two of them in seconds."""
        with ExitStack() as opened:
            reading = {name: opened.enter_context(self._begin(source)) for name, source in self.report.sources.items()}
            skew = max(s.begun_at for s in reading.values()) - min(s.asked_at for s in reading.values())
            skew = round(skew, 3) if len(reading) > 1 else 0.0
            if skew > self.report.max_skew_seconds:
                raise SourcesTooFarApart(
                    f"The sources of {self.report.name} began to be read {skew:.1f} s apart, more than its"
                    f" max_skew_seconds of {self.report.max_skew_seconds:g}; nothing was kept, run again."
                )
            yield reading, skew

    def make(self, definition: Mapping[str, Any], sources: Sequence[ReadSource]) -> Made:
        """Derives the files from evidence.

        Args:
            definition: This maker's, or that of an earlier delivery.
            sources: What was read for it.
        """
        report = defined(definition)
        read, used = Counter[str](), Counter[str]()
        with ExitStack() as undo, ExitStack() as opened:
            at_hand = {
                source.name: frames.read_stream(opened.enter_context(_evidence(self.stack.lake, source.evidence_id)))
                for source in sources
            }
            files = Files(report)
            undo.callback(files.close)
            for part in read_ahead(derive(report, self.day, at_hand)):
                if not files.num_rows:
                    self.head = part.rows.head(_HEAD_ROWS).drop(report.personal_headers)
                files.add(part.rows)
                read.update(part.num_read)
                used.update(part.num_used)
            finished = files.finish()
            undo.pop_all()
        return Made(
            [NewFile(file.format, file.content, files.num_rows) for file in finished],
            files.num_empty,
            [replace(source, num_rows=read[source.name], num_used=used[source.name]) for source in sources],
            {library: version(library) for library in _LIBRARIES},
        )

    def prove_fit(self, made: Made, num_rows_before: int | None) -> None:
        """See `gate.prove_fit`."""
        gate.prove_fit(self.report, self.day, made.files[0].num_rows, made.num_empty, num_rows_before)

    def key(self, version: int, ending: str) -> str:
        """Where a file goes in the store."""
        return self.report.key(self.day, version, ending)

    def _begin(self, source: Source) -> AbstractContextManager[Stream]:
        query = statement(self.definition["queries"][source.query], self.report.window(self.day))
        return streams.begin(_database(self.stack, source), query, called=source.query)

    def _copy(self, name: str, stream: Stream, file: IO[bytes]) -> None:
        types = self.report.sources[name].types
        frames.write_stream(file, types, stream.frames(types))

    def _keep(self, name: str, stream: Stream, file: IO[bytes]) -> ReadSource:
        kept = snapshots.keep_file(self.stack.lake, f"{self.report.name}.{name}", file, stream.read_at)
        return ReadSource(name, kept.evidence_id, kept.num_bytes, kept.read_at)


def defined(definition: Mapping[str, Any]) -> ReportType:
    """The report type of a definition.

    Raises:
        ReportTypeError: The present code has no such fields.
    """
    try:
        return ReportType.model_validate(definition["report"])
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ReportTypeError(
            f"The definition in the manifest is of another version of the code ({where}); use that version to make its"
            " files again."
        ) from None


def _query(source: Source) -> str:
    file = settings.sql_folder() / "reports" / source.query
    if not file.is_file():
        raise ReportTypeError(f"There is no {source.query} in sql/reports/; write it, or correct the report's sources.")
    return file.read_text(encoding="utf-8")


def _database(stack: Stack, source: Source) -> ForeignDatabase:
    of_setting = {
        "app": (stack.app, "APP_DATABASE_URL"),
        "lessons": (stack.lessons, "LESSONS_DATABASE_URL"),
        "warehouse": (ForeignDatabase(stack.warehouse.url, "WAREHOUSE_URL"), ""),
    }
    database, setting = of_setting[source.database]
    if database is None:
        raise NoSource(f"No setting names the database of {source.query}; set {setting}, then run again.")
    return database


@contextmanager
def _evidence(lake: Store, evidence_id: str) -> Iterator[IO[bytes]]:
    """A piece of evidence as a file without a name."""
    with TemporaryFile() as file:
        for chunk in evidence.read(lake, evidence_id):
            file.write(chunk)
        yield file
