"""One transaction on the warehouse: plain SQL and binary COPY of frames over the same connection."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from threading import Lock
from typing import Any, cast
from urllib.parse import urlsplit

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as adbc
import polars as pl
from pydantic import SecretStr

from data_platform.errors import PermanentError, TransientError

Value = str | int | float | bool | date | datetime | None

_PERMANENT_CLASSES = ("22", "23", "28", "3D", "42")  # data, constraint, authorisation, no such database, SQL


class WarehouseUnavailable(TransientError):
    """The warehouse could not be reached, or went away; the transaction left nothing."""


class WarehouseRefused(PermanentError):
    """The warehouse understood and said no; the transaction left nothing."""


def address(url: SecretStr) -> str:
    """Host, port and database of a URL: what an error or the UI may show."""
    parts = urlsplit(url.get_secret_value())
    usual = 3306 if parts.scheme == "mysql" else 5432
    return f"{parts.hostname}:{parts.port or usual}/{parts.path.strip('/')}"


def _explain(error: adbc_driver_manager.Error, where: str) -> Exception:
    # The driver appends the query, and Postgres a DETAIL line with the values of the row: neither belongs in an error.
    lines = str(error).split("\n")
    fact = lines[0].removeprefix("[libpq] ").split("ERROR:  ")[-1].split("FATAL:  ")[-1].strip()
    state = error.sqlstate or ""
    if state.startswith(_PERMANENT_CLASSES) or "authentication failed" in fact or "does not exist" in fact:
        return WarehouseRefused(
            f"The warehouse at {where} refused: {fact}; nothing was changed, check WAREHOUSE_URL and the data."
        )
    return WarehouseUnavailable(
        f"The warehouse at {where} cannot be reached or went away: {fact}; nothing was changed, start it and run again."
    )


@dataclass(frozen=True)
class Transaction:
    """An open transaction. Identifiers go through the server's own quoting, values are parameters."""

    _cursor: adbc.Cursor

    def run(self, sql: str, *values: Value) -> None:
        """Runs a statement with `$1`, `$2`, ... for the values."""
        self._cursor.execute(sql, values or None)

    def query(self, sql: str, *values: Value) -> pl.DataFrame:
        """The rows of a query with `$1`, `$2`, ... for the values."""
        self._cursor.execute(sql, values or None)
        return pl.DataFrame(cast("Any", self._cursor.fetch_arrow()))

    def quoted(self, template: str, *identifiers: str) -> str:
        """A statement made of a template with `%I` for each identifier."""
        places = ", ".join(f"${number}::text" for number in range(2, len(identifiers) + 2))
        return self.query(f"SELECT format($1::text, {places})", template, *identifiers).item()

    def copy_in(self, schema: str, table: str, frame: pl.DataFrame) -> None:
        """Appends a frame to a table by binary COPY; columns are matched by name, types must be the table's own."""
        if frame.height:
            self._cursor.adbc_ingest(table, frame, mode="append", db_schema_name=schema)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class Warehouse:
    """The Postgres database that tables are published in."""

    url: SecretStr

    @property
    def address(self) -> str:
        """Host, port and database, without user and password."""
        return address(self.url)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Everything inside becomes visible at the end, in one step, or not at all.

        Raises:
            WarehouseUnavailable: Not reached, or gone in the middle.
            WarehouseRefused: Reached, but it said no.
        """
        try:
            connection = _IDLE.take(self.url) or _begun(adbc.connect(self.url.get_secret_value()))
        except adbc_driver_manager.Error as error:
            raise _explain(error, self.address) from None
        done = False
        try:
            with connection.cursor() as cursor:
                yield Transaction(cursor)
            connection.commit()
            done = True
        except adbc_driver_manager.Error as error:
            raise _explain(error, self.address) from None
        finally:
            if done:
                _IDLE.keep(self.url, connection)
            else:
                _close(connection)


class _Idle:
    """Connections between two transactions: opening one costs fifty times more than a small query.

    Few are kept, and none across a fork. One that was cut while it lay idle is noticed at its next use.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._kept: list[tuple[str, adbc.Connection]] = []
        self._process = os.getpid()

    def take(self, url: SecretStr) -> adbc.Connection | None:
        """One in which a transaction has just begun, or none."""
        while connection := self._pop(url.get_secret_value()):
            try:
                return _begun(connection)
            except adbc_driver_manager.Error:
                _close(connection)
        return None

    def keep(self, url: SecretStr, connection: adbc.Connection) -> None:
        """Keeps one for later; of too many the oldest is closed."""
        with self._lock:
            self._kept.append((url.get_secret_value(), connection))
            surplus = [old for _, old in self._kept[: -self._most]]
            del self._kept[: -self._most]
        for old in surplus:
            _close(old)

    def _pop(self, url: str) -> adbc.Connection | None:
        with self._lock:
            if self._process != os.getpid():  # they belong to the parent, which still speaks on them
                self._kept, self._process = [], os.getpid()
            for place in reversed(range(len(self._kept))):
                if self._kept[place][0] == url:
                    return self._kept.pop(place)[1]
        return None


_IDLE = _Idle(most=4)


def _begun(connection: adbc.Connection) -> adbc.Connection:
    with connection.cursor() as cursor:
        # Who waited for a lock has to see what its holder wrote, whatever the database's default.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute("SET TIME ZONE 'UTC'")
    return connection


def _close(connection: adbc.Connection) -> None:
    with suppress(adbc_driver_manager.Error):
        connection.rollback()
    with suppress(adbc_driver_manager.Error):
        connection.close()
