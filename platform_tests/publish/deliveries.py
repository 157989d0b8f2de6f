"""A small report, delivered for real, that can be watched, stopped and killed at every step; and what is to hold then.

The report's source is a text file with a reading a line: what a database is to a report of the house.
"""

import hashlib
import io
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import IO, Any

import psycopg2
from psycopg2 import errors, sql
from pydantic import SecretStr

from data_platform.errors import PermanentError
from data_platform.lake import evidence, snapshots
from data_platform.lake.store import Store
from data_platform.local import postgres
from data_platform.publish import protocol
from data_platform.publish.delivered import DeliveredFile, Manifest, ReadSource, Report, history
from data_platform.publish.delivery import Delivery, Made, NewFile, Read, deliver
from data_platform.publish.protocol import Provenance
from data_platform.warehouse.connection import Transaction, Value, Warehouse
from platform_tests.conftest import _TEMPLATE as TEMPLATE
from platform_tests.conftest import administer

NAME = "meters"
MONDAY, TUESDAY = date(2023, 7, 3), date(2023, 7, 4)
READ_AT = datetime(2023, 7, 5, 3, 0, 0, 123456, tzinfo=UTC)

Touch = Callable[[str], None]

# Its children begin as copies of a process that has imported all this and has started no thread yet.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])


def go_on(step: str) -> None:
    """Nothing happens at a step."""


class Unfit(PermanentError):
    """The report does not pass the test's own gate."""


class Stopped(BaseException):
    """What nobody catches: as good as a crash, and cheaper than one."""


def emptied(server: postgres.Server, name: str) -> Warehouse:
    """A warehouse that many tests have one after the other: hundreds of databases would take longer than the tests."""
    with suppress(errors.DuplicateDatabase):
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        administer(server, create.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
    warehouse = Warehouse(SecretStr(server.url(name)))
    with warehouse.transaction() as transaction:
        transaction.run("TRUNCATE reports.reports_generated, reports.attempts, reports.mailings")
    return warehouse


def fresh(store: Store) -> Store:
    """The same store, with no connection of this process."""
    return Store(store.uri, store.endpoint_url)


class WatchedFile(io.BytesIO):
    """A finished file that says when it is read."""

    def __init__(self, content: bytes, name: str, touch: Touch) -> None:
        super().__init__(content)
        self._name, self._touch = name, touch

    def read(self, size: int | None = -1, /) -> bytes:
        self._touch(f"read of the {self._name}")
        return super().read(size)


@dataclass
class MeterMaker:
    """Makes the report out of its evidence alone.

    Attributes:
        source: The file with the readings; beside it stands who has read it.
        code: Goes into the bytes: other code makes other files.
        formats: Files to make.
        times: How often each reading stands in a file.
        refuses: A title of which this code cannot make anything any more.
        made: Every file that was made.
        rows_before: What each look at the gate was told of the report before.
    """

    lake: Store
    day: date
    source: Path
    code: str = "c1"
    formats: tuple[str, ...] = ("csv", "parquet")
    title: str = "Zähler, Tag für Tag"
    times: int = 1
    refuses: str = ""
    touch: Touch = go_on
    made: list[WatchedFile] = field(default_factory=list[WatchedFile])
    rows_before: list[int | None] = field(default_factory=list[int | None])

    @property
    def definition(self) -> dict[str, Any]:
        return {"report": {"title": self.title, "formats": [*self.formats]}, "queries": {"a.sql": "SELECT"}}

    def read(self) -> Read:
        self.touch("before reading")
        with self.source.with_suffix(".reads").open("a") as log:
            log.write(f"{self.day}\n")

        def copy(file: IO[bytes]) -> datetime:
            file.write(self.source.read_bytes())
            return READ_AT

        kept = snapshots.keep(self.lake, f"{NAME}.readings", copy)
        self.touch("after reading")
        return Read([ReadSource("readings", kept.evidence_id, kept.num_bytes, kept.read_at)], 0.25)

    def make(self, definition: Mapping[str, Any], sources: Sequence[ReadSource]) -> Made:
        self.touch("before making")
        [source], title = sources, definition["report"]["title"]
        if title == self.refuses:
            raise Unfit(f"This code has no report called {title}; nothing was delivered, change its definition.")
        rows = b"".join(evidence.read(self.lake, source.evidence_id)).splitlines(keepends=True) * self.times
        head = f"{title} by {self.code}\n".encode()
        contents = [WatchedFile(f"{name} ".encode() + head + b"".join(rows), name, self.touch) for name in self.formats]
        files = [NewFile(name, content, len(rows)) for name, content in zip(self.formats, contents, strict=True)]
        self.made += contents
        used = [replace(source, num_rows=len(rows), num_used=len(rows))]
        self.touch("after making")
        return Made(files, {"meter": 0, "amount": 0}, used, {"polars": "2.1.0"})

    def prove_fit(self, made: Made, num_rows_before: int | None) -> None:
        self.rows_before.append(num_rows_before)
        if not made.files[0].num_rows:
            raise Unfit("The report has no rows; nothing was delivered, look at its source.")

    def key(self, version: int, ending: str) -> str:
        return f"{NAME}/{self.day}/{NAME}_{self.day}_v{version}.{ending}"


@dataclass(frozen=True)
class WatchedStore(Store):
    """A store that says when an object is written or removed."""

    touch: Touch = go_on

    def create(self, key: str, content: bytes | Iterable[bytes], *, replace: bool = False) -> bool:
        ending = key.split(".", 1)[1]
        self.touch(f"before the put of the {ending}")
        created = super().create(key, content, replace=replace)
        self.touch(f"after the put of the {ending}")
        return created

    def delete(self, key: str) -> None:
        ending = key.split(".", 1)[1]
        self.touch(f"before the removal of the {ending}")
        super().delete(key)
        self.touch(f"after the removal of the {ending}")


_STATEMENTS = {
    "INSERT INTO reports.attempts": "note",
    "INSERT INTO reports.reports_generated": "booking",
    "DELETE FROM reports.attempts": "end of the note",
}


@dataclass(frozen=True)
class WatchedTransaction(Transaction):
    """A transaction that says when a delivery writes."""

    touch: Touch = go_on

    def run(self, sql: str, *values: Value) -> None:
        with self._watched(sql):
            super().run(sql, *values)

    def query(self, sql: str, *values: Value) -> Any:
        with self._watched(sql):
            return super().query(sql, *values)

    @contextmanager
    def _watched(self, sql: str) -> Iterator[None]:
        name = next((name for begin, name in _STATEMENTS.items() if sql.startswith(begin)), None)
        if name:
            self.touch(f"before the {name}")
        yield
        if name:
            self.touch(f"after the {name}")


@dataclass(frozen=True)
class WatchedWarehouse(Warehouse):
    """A warehouse whose transactions say what is written, and when they end."""

    touch: Touch = go_on

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with super().transaction() as transaction:
            yield WatchedTransaction(transaction._cursor, self.touch)
            self.touch("before a commit")
        self.touch("after a commit")


@dataclass(frozen=True)
class Job:
    """A delivery in a process of its own.

    Attributes:
        dies_at: Number of the step at which the process kills itself; None to go on to the end.
        environment: For AWS.
    """

    warehouse: Warehouse
    reports: Store
    maker: MeterMaker
    by: Provenance
    environment: dict[str, str]
    dies_at: int | None = None

    def run(self, barrier: Barrier | None = None) -> None:
        os.environ.update(self.environment)
        touch = dying(self.dies_at)
        warehouse = WatchedWarehouse(self.warehouse.url, touch)
        reports = WatchedStore(self.reports.uri, self.reports.endpoint_url, touch)
        maker = replace(self.maker, touch=touch)
        if barrier:
            barrier.wait(60)
        delivery = deliver(warehouse, reports, Report(NAME, maker.day), maker, by=self.by)
        with maker.source.with_suffix(".told").open("a") as told:
            told.write(f"{delivery.status}\n")


def dying(dies_at: int | None) -> Touch:
    """Kills the process at the step of that number."""
    steps: list[str] = []

    def touch(step: str) -> None:
        if len(steps) == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()
        steps.append(step)

    return touch


def killed(work: Callable[[], None]) -> bool:
    """Runs something in a process of its own; whether it was killed there."""
    process = PROCESSES.Process(target=work)
    process.start()
    process.join(60)
    return process.exitcode == -signal.SIGKILL


@dataclass(frozen=True)
class Stand:
    """All that a delivery needs, and what is to hold afterwards."""

    warehouse: Warehouse
    lake: Store
    reports: Store
    source: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])

    def say(self, *readings: str) -> None:
        """What the source has from now on."""
        self.source.write_text("".join(f"{reading}\n" for reading in readings))

    def by(self, run: str, code: str = "c1") -> Provenance:
        return Provenance(code, run, protocol.clock(self.warehouse))

    def maker(self, day: date = MONDAY, code: str = "c1", touch: Touch = go_on, **changes: Any) -> MeterMaker:
        return MeterMaker(self.lake, day, self.source, code, touch=touch, **changes)

    def deliver(self, run: str, maker: MeterMaker | None = None, *, by: Provenance | None = None) -> Delivery:
        maker = maker or self.maker()
        by = by or self.by(run, maker.code)
        return deliver(self.warehouse, self.reports, Report(NAME, maker.day), maker, by=by)

    def watched(self, touch: Touch) -> "Stand":
        """The same, watched."""
        store = WatchedStore(self.reports.uri, self.reports.endpoint_url, touch)
        return replace(self, warehouse=WatchedWarehouse(self.warehouse.url, touch), reports=store)

    def job(self, run: str, maker: MeterMaker | None = None, *, dies_at: int | None = None) -> Job:
        maker = maker or self.maker()
        return Job(
            self.warehouse,
            fresh(self.reports),
            replace(maker, lake=fresh(maker.lake)),
            self.by(run, maker.code),
            self.environment,
            dies_at,
        )

    def die(self, maker: MeterMaker, dies_at: int) -> None:
        """Delivers in a process that kills itself at a step."""
        assert killed(self.job(f"killed at {dies_at}", maker, dies_at=dies_at).run)

    def stop(self, maker: MeterMaker, step: str) -> None:
        """Delivers up to a step, with what a crash there leaves."""

        def touch(name: str) -> None:
            if name == step:
                raise Stopped

        by = self.by(f"stopped {step}", maker.code)
        with suppress(Stopped):
            self.watched(touch).deliver("", replace(maker, touch=touch), by=by)
            raise AssertionError(f"there was no step {step}")

    def reads(self, day: date = MONDAY) -> int:
        """How often the source was read for a day."""
        log = self.source.with_suffix(".reads")
        return log.read_text().splitlines().count(str(day)) if log.exists() else 0

    def rows(self, day: date | None = None) -> list[DeliveredFile]:
        """The books, of a day or of all."""
        days = [day] if day else [row[0] for row in self.ask("SELECT DISTINCT report_date FROM reports_generated")]
        with self.warehouse.transaction() as transaction:
            return [file for one in days for file in history(transaction, Report(NAME, one))]

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with self.warehouse.transaction() as transaction:
            transaction.run("SET LOCAL search_path TO reports")
            return transaction.query(query).rows()

    def open_notes(self) -> int:
        return self.ask("SELECT count(*) FROM attempts")[0][0]

    def versions(self, day: date = MONDAY) -> dict[int, list[str]]:
        """Formats of each version of a day."""
        found: dict[int, list[str]] = {}
        for row in self.rows(day):
            found.setdefault(row.version, []).append(row.file_format)
        return found

    def content(self, key: str) -> bytes:
        return b"".join(self.reports.read(key))

    def key(self, row: DeliveredFile) -> str:
        return row.download_link.removeprefix(f"{self.reports.uri}/")

    def prove_books(self, day: date | None = None) -> None:
        """Every row, of a day or of all, has its object, and a manifest that names it so."""
        for row in self.rows(day):
            content = self.content(self.key(row))
            assert (hashlib.sha256(content).hexdigest(), len(content)) == (row.sha256, row.num_bytes), row
            manifest = Manifest.of(self.content(row.manifest_key).decode())
            [named] = [file for file in manifest.files if file.report_id == row.report_id]
            assert (named.key, named.sha256, named.num_bytes) == (self.key(row), row.sha256, row.num_bytes)
            assert (named.format, named.num_rows, named.supersedes) == (row.file_format, row.num_rows, row.supersedes)
            assert (Report(manifest.report_type, manifest.day), manifest.version) == (row.report, row.version)
            assert row.s3_object_key.endswith(named.key)

    def prove_clean(self, day: date | None = None) -> None:
        """And nothing else lies anywhere, in the store or in the books."""
        self.prove_books(day)
        rows = self.rows(day)
        delivered = {self.key(row) for row in rows} | {row.manifest_key for row in rows}
        assert self.lying(f"{NAME}/{day}" if day else "") == delivered
        assert self.open_notes() == 0
        assert len({(row.report_date, row.version, row.file_format) for row in rows}) == len(rows)

    def lying(self, prefix: str = "") -> set[str]:
        """All that is in the store; of a folder also what only the file system shows."""
        found = {entry.key for entry in self.reports.list(prefix)}
        if folder := self.reports._folder:
            files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
            found |= {file for file in files if file.startswith(prefix)}
        return found

    def cut_off(self, *, only_lock_holder: bool = False) -> int:
        """The warehouse ends connections, as it does when it restarts or a firewall forgets them: how many."""
        holders = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
        which = f"pid IN ({holders})" if only_lock_holder else "true"
        connection = psycopg2.connect(self.warehouse.url.get_secret_value())
        try:
            cursor = connection.cursor()
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                f" WHERE pid <> pg_backend_pid() AND datname = current_database() AND {which}"
            )
            [found] = cursor.fetchone() or [0]
            return found
        finally:
            connection.close()
