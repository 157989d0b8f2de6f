"""A foreign Postgres, read and never written: one consistent cut, streamed out as CSV.

What does not belong here: which table is read, and what its rows mean (the products).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ, connection, cursor
from pydantic import SecretStr

from data_platform.errors import PermanentError, TransientError
from data_platform.warehouse.connection import address


class ForeignUnavailable(TransientError):
    """A foreign database could not be reached, or went away in the middle."""


class ForeignRefused(PermanentError):
    """A foreign database does not have what was asked for, or does not let us read it."""


@dataclass(frozen=True)
class Cut:
    """One REPEATABLE READ transaction: everything read through it is of the same instant.

    Attributes:
        read_at: When it began, by the database's clock (UTC).
    """

    read_at: datetime
    _cursor: cursor

    def columns(self, table: str) -> tuple[str, ...]:
        """Names of a table's columns; none where there is no such table that we may see."""
        self._cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            (table,),
        )
        return tuple(name for (name,) in self._cursor.fetchall())

    def copy_out(self, query: str, values: Mapping[str, Sequence[str | int]], file: IO[bytes]) -> None:
        """Writes the rows of a query as CSV with a header, row by row as they come.

        Args:
            query: With `%(name)s` for each value.
            values: Lists, for `= ANY (%(name)s)`.
            file: Where to.
        """
        statement = self._cursor.mogrify(query, {name: list(some) for name, some in values.items()}).decode()
        self._cursor.copy_expert(f"COPY ({statement}) TO STDOUT (FORMAT csv, HEADER)", file)


@dataclass(frozen=True)
class ForeignDatabase:
    """A Postgres database of somebody else.

    Attributes:
        setting: The setting that holds its URL, for errors.
    """

    url: SecretStr
    setting: str

    @contextmanager
    def cut(self) -> Iterator[Cut]:
        """Everything inside is read at one instant.

        Raises:
            ForeignUnavailable: Not reached, or gone in the middle.
            ForeignRefused: Reached, but it said no.
        """
        try:
            with closing(_connect(self.url)) as session:
                yield Cut(*_begin(session))
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            raise self._explained(error) from None
        except psycopg2.Error as error:
            raise ForeignRefused(
                f"The database at {address(self.url)} refused: {_first_line(error)}; nothing was read, check"
                f" {self.setting} and that its user may read the table."
            ) from None

    def _explained(self, error: psycopg2.Error) -> Exception:
        fact = _first_line(error)
        if "authentication failed" in fact or ("FATAL" in fact and "does not exist" in fact):
            return ForeignRefused(f"The database at {address(self.url)} refused: {fact}; check {self.setting}.")
        return ForeignUnavailable(
            f"The database at {address(self.url)} cannot be reached or went away: {fact}; nothing was read, start it"
            " and run again."
        )


def _connect(url: SecretStr) -> connection:
    # A server that vanished without a word is noticed after a minute instead of never.
    return psycopg2.connect(
        url.get_secret_value(), connect_timeout=10, keepalives_idle=30, keepalives_interval=10, keepalives_count=3
    )


def _begin(session: connection) -> tuple[datetime, cursor]:
    session.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
    session.set_client_encoding("UTF8")
    work = session.cursor()
    # The first statement fixes what the transaction sees, so this is the instant of the cut.
    work.execute("SELECT statement_timestamp()")
    [[read_at]] = work.fetchall()
    return read_at.astimezone(UTC), work


def _first_line(error: psycopg2.Error) -> str:
    # What follows is the query and, as DETAIL, values of rows: neither belongs in an error.
    return str(error).split("\n", 1)[0].strip() or type(error).__name__
