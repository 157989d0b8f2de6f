"""Rows out of a database of somebody else as a stream of Arrow batches, all of one instant: Postgres and MySQL alike.

What does not belong here: which rows, and what they mean (the products).
"""

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as adbc
import connectorx
import polars as pl
import pymysql

from data_platform.errors import PermanentError
from data_platform.warehouse.connection import address
from data_platform.warehouse.foreign import ForeignDatabase, ForeignRefused, ForeignUnavailable

_BATCH_ROWS = 2**16
_SECONDS_TO_CONNECT, _SECONDS_TO_ANSWER = 10, 60
# What MySQL says where another try may mend it: disk or memory full, shutting down, line lost, too many connections, a
# lock not had, deadlock, interrupted, killed, out of time; and what the client says itself. The rest is access or SQL.
_PASSING = {
    1021, 1037, 1038, 1040, 1041, 1053, 1152, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226, 1317, 1927, 1969, 3024,
    4031, *range(1000), *range(2000, 3000),
}  # fmt: skip
_MYSQL_SAID = re.compile(r"MySqlError \{ ERROR (\d+) \(\w+\): (.*) \}", re.DOTALL)
# What Postgres says where another try does not: unsupported, cardinality, data, authorisation, no such database, SQL.
_PERMANENT_CLASSES = ("0A", "21", "22", "25", "28", "3D", "3F", "42")


@dataclass
class Stream:
    """The rows of one query while they come.

    Attributes:
        asked_at: When the reading transaction was asked for, by this machine's monotonic clock, in seconds.
        begun_at: When it was certain to have begun: the instant that is read lies between the two.
        read_at: About that instant by the database's own clock (UTC).
    """

    asked_at: float
    begun_at: float
    read_at: datetime
    _rows: Any
    _database: ForeignDatabase
    _called: str

    def frames(self, types: pl.Schema) -> Iterator[pl.DataFrame]:
        """The rows, in frames of some ten or hundred thousand.

        Args:
            types: The columns that are expected, by name; integers of any width will do.

        Raises:
            ForeignUnavailable: The database went away.
            ForeignRefused: The query gives other columns, or other types.
        """
        self._prove(cast("pl.DataFrame", pl.from_arrow(self._rows.schema.empty_table())), types)
        with _one_sentence(self._database):
            for batch in self._rows:
                yield cast("pl.DataFrame", pl.from_arrow(batch)).cast(types)

    def _prove(self, empty: pl.DataFrame, types: pl.Schema) -> None:
        where = f"The database at {address(self._database.url)} gives for {self._called}"
        if empty.columns != list(types):
            raise ForeignRefused(
                f"{where} the columns {', '.join(empty.columns)}, expected {', '.join(types)}; nothing was kept, mend"
                " the query or what is declared of it."
            )
        for name, wanted in types.items():
            found = empty.schema[name]
            if not (found.is_integer() if wanted.is_integer() else found == wanted):
                raise ForeignRefused(
                    f"{where} a column {name} of type {found}, expected {_word(wanted)}; nothing was kept, cast it in"
                    " the query."
                )


@contextmanager
def begin(database: ForeignDatabase, query: str, *, called: str) -> Iterator[Stream]:
    """Begins to read: what the query gives from now on is of one instant, however long it takes.

    Args:
        database: Postgres or MySQL, by the scheme of its URL.
        query: A SELECT without parameters.
        called: The query's name, for errors.

    Raises:
        ForeignUnavailable: Not reached.
        ForeignRefused: Reached, but it said no.
    """
    is_mysql = urlsplit(database.url.get_secret_value()).scheme == "mysql"
    with ExitStack() as opened:
        with _one_sentence(database):
            stream = opened.enter_context((_mysql if is_mysql else _postgres)(database, query, called))
        yield stream


@contextmanager
def _postgres(database: ForeignDatabase, query: str, called: str) -> Iterator[Stream]:
    with closing(adbc.connect(database.url.get_secret_value())) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        asked_at = time.monotonic()
        # The first statement that reads fixes what the transaction sees.
        cursor.execute("SELECT statement_timestamp()")
        [[read_at]] = cast("list[list[datetime]]", cursor.fetchall())
        begun_at = time.monotonic()
        # The driver puts more behind it, which a comment at its end would swallow.
        cursor.execute(f"{query}\n")
        rows = cast("Any", cursor.fetch_record_batch())
        yield Stream(asked_at, begun_at, read_at.astimezone(UTC), rows, database, called)


@contextmanager
def _mysql(database: ForeignDatabase, query: str, called: str) -> Iterator[Stream]:
    with closing(_asking(database)) as side, side.cursor() as cursor:
        # Says in one sentence what the stream would say in a crash: no such table, no such column, not allowed.
        cursor.execute("PREPARE question FROM %s", (query,))
        cursor.execute("SELECT UTC_TIMESTAMP(6)")
        [[read_at]] = cursor.fetchall()
        # The stream's connection holds a lock of this name for as long as it lives.
        lock = f"data-platform-{uuid.uuid4()}"
        asked_at = time.monotonic()
        # Comes back when all that precedes the query is done; the query itself runs in the background.
        rows = connectorx.read_sql(
            database.url.get_secret_value(), query, return_type="arrow_stream", batch_size=_BATCH_ROWS,
            pre_execution_query=[
                # Where a server's default is READ COMMITTED, it would grant a consistent snapshot and not keep to it.
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
                f"DO GET_LOCK('{lock}', 0)",
            ],
        )  # fmt: skip
        begun_at = time.monotonic()
        try:
            yield Stream(asked_at, begun_at, read_at.replace(tzinfo=UTC), rows, database, called)
        finally:
            _end(cursor, lock)


def _end(cursor: Any, lock: str) -> None:  # noqa: ANN401 (pymysql ships no types)
    # A stream that nobody reads any more would go on to its last row, into memory and with its transaction open.
    with suppress(pymysql.Error):
        cursor.execute("SELECT IS_USED_LOCK(%s)", (lock,))
        [[holder]] = cursor.fetchall()
        if holder is not None:
            cursor.execute("KILL %s", (holder,))


def _asking(database: ForeignDatabase) -> Any:  # noqa: ANN401
    parts = urlsplit(database.url.get_secret_value())
    return pymysql.connect(
        host=parts.hostname or "", port=parts.port or 3306, user=unquote(parts.username or ""),
        password=unquote(parts.password or ""), database=unquote(parts.path.strip("/")), charset="utf8mb4",
        autocommit=True, connect_timeout=_SECONDS_TO_CONNECT, read_timeout=_SECONDS_TO_ANSWER,
    )  # fmt: skip


@contextmanager
def _one_sentence(database: ForeignDatabase) -> Iterator[None]:
    try:
        yield
    except pymysql.Error as error:
        code, fact = (*error.args, "", "")[:2]
        fact = re.sub(r"(value:? )'[^']*'", r"\1'...'", str(fact))  # which may be personal
        raise _error(database, fact, is_final=isinstance(code, int) and code not in _PASSING) from None
    except adbc_driver_manager.Error as error:
        fact = _postgres_said(error)
        is_final = (error.sqlstate or "").startswith(_PERMANENT_CLASSES) or "authentication failed" in fact
        is_final = is_final or ("FATAL" in str(error) and ("does not exist" in fact or "permission denied" in fact))
        raise _error(database, fact, is_final=is_final) from None
    except OSError as error:
        # So the stream of Postgres tells, without SQLSTATE, of a query that failed in the middle and of a broken line.
        fact = _postgres_said(error)
        is_final = "ERROR:  " in str(error) and not fact.startswith("canceling statement")
        raise _error(database, fact, is_final=is_final) from None
    except pl.exceptions.InvalidOperationError:
        raise _error(database, "an integer exceeds 64 bits with a sign", is_final=True) from None
    except BaseException as error:
        # So connectorx tells of both for MySQL: by a RuntimeError, or by a panic, which is no Exception.
        if not (type(error).__module__ == "pyo3_runtime" or type(error) is RuntimeError):
            raise
        if said := _MYSQL_SAID.search(str(error)):
            raise _error(database, said[2], is_final=int(said[1]) not in _PASSING) from None
        if str(error).startswith("Could not retrieve"):
            raise _error(database, "a value is none of its type, as the day 0000-00-00 is", is_final=True) from None
        raise _error(database, "the stream of rows broke off", is_final=False) from None


def _postgres_said(error: Exception) -> str:
    said = _first_line(error)
    # Of data that cannot be used the server says the value, which may be personal; so it may in mid-stream.
    is_about_data = str(getattr(error, "sqlstate", None) or "22").startswith("22")
    return re.sub(r'"[^"]*"', '"..."', said) if is_about_data else said


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0].removeprefix("[libpq] ").split("ERROR:  ")[-1].split("FATAL:  ")[-1]


def _word(type_: pl.DataType) -> str:
    return "integer" if type_.is_integer() else "date" if type_ == pl.Date() else "text"


def _error(database: ForeignDatabase, fact: str, *, is_final: bool) -> PermanentError | ForeignUnavailable:
    fact = " ".join(fact.split()).rstrip(".") or "no reason given"
    where = f"The database at {address(database.url)}"
    if is_final:
        return ForeignRefused(
            f"{where} refused: {fact}; nothing was kept, check {database.setting} and what its user may read."
        )
    return ForeignUnavailable(f"{where} cannot be reached or went away: {fact}; nothing was kept, run again.")
