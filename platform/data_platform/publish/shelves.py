"""Where published rows lie: a warehouse table or Parquet objects in the lake, by the same steps.

`stage` may write what no reader sees yet; `swap` works inside the transaction that makes it visible.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import polars as pl

from data_platform.contracts.contract import Contract
from data_platform.lake import frames
from data_platform.lake.store import Store
from data_platform.publish.content_hash import content_hash as hash_of
from data_platform.warehouse.connection import Transaction

Days = Sequence[date | None]

# The index on the day, which every large table has, is only used for a comparison whose outcome the planner can guess.
_OF_DAYS = " WHERE %I BETWEEN $2 AND $3 AND %I = ANY (string_to_array($1, ',')::date[])"


@dataclass(frozen=True)
class Staged:
    """Where the rows of one day were put before the swap; empty for the warehouse, which needs no such place."""

    object_key: str | None = None
    num_bytes: int | None = None


class Shelf(Protocol):
    """A place for published rows."""

    def stage(self, contract: Contract, day: date | None, rows: pl.DataFrame, content_hash: str) -> Staged:
        """Writes a day's rows where no reader looks yet."""
        ...

    def holds(self, transaction: Transaction, contract: Contract, day: date | None, content_hash: str) -> bool:
        """Whether what readers of a day find has that content."""
        ...

    def swap(self, transaction: Transaction, contract: Contract, days: Days, rows: pl.DataFrame) -> None:
        """Puts the rows in the place of what those days held, inside the transaction."""
        ...


class WarehouseShelf:
    """Rows in the Postgres table of the contract's name; a transaction is all the staging it needs."""

    def stage(self, contract: Contract, day: date | None, rows: pl.DataFrame, content_hash: str) -> Staged:
        """Nothing to do."""
        return Staged()

    def holds(self, transaction: Transaction, contract: Contract, day: date | None, content_hash: str) -> bool:
        """Reads the day's rows and hashes them: somebody may have changed the table."""
        return hash_of(select(transaction, contract, [day])) == content_hash

    def swap(self, transaction: Transaction, contract: Contract, days: Days, rows: pl.DataFrame) -> None:
        """Deletes the days' rows (all of them for a table published whole) and copies the new ones in."""
        statement = transaction.quoted("DELETE FROM %I.%I", contract.schema, contract.name)
        if contract.day:
            where = transaction.quoted(_OF_DAYS, contract.day, contract.day)
            transaction.run(statement + where, *day_range(days))
        else:
            transaction.run(statement)
        transaction.copy_in(contract.schema, contract.name, rows)


@dataclass(frozen=True)
class LakeShelf:
    """Rows as one Parquet object a day, named by content; the publication's `object_key` is what makes it current."""

    lake: Store

    def stage(self, contract: Contract, day: date | None, rows: pl.DataFrame, content_hash: str) -> Staged:
        """Writes the object, unless one of that content is there."""
        key = f"{self._folder(contract, day)}/{content_hash}.parquet"
        return Staged(key, frames.write(self.lake, key, rows))

    def holds(self, transaction: Transaction, contract: Contract, day: date | None, content_hash: str) -> bool:
        """True: staging has just seen to it that the object of that content is there."""
        return True

    def swap(self, transaction: Transaction, contract: Contract, days: Days, rows: pl.DataFrame) -> None:
        """Nothing to do: readers follow the publication."""

    def remove(self, contract: Contract, day: date) -> None:
        """Deletes every version of a day; to be called once no reader finds it any more."""
        for entry in self.lake.list(self._folder(contract, day)):
            self.lake.delete(entry.key)

    @staticmethod
    def _folder(contract: Contract, day: date | None) -> str:
        return f"tables/{contract.schema}/{contract.name}/day={day}"


def select(transaction: Transaction, contract: Contract, days: Days | None) -> pl.DataFrame:
    """The rows of a warehouse table, of some days or of all, with the contract's columns in its order."""
    columns = ", ".join(["%I"] * len(contract.columns))
    names = (*contract.columns, contract.schema, contract.name)
    statement = transaction.quoted(f"SELECT {columns} FROM %I.%I", *names)
    if days is None or contract.day is None:
        return transaction.query(statement)
    where = transaction.quoted(_OF_DAYS, contract.day, contract.day)
    return transaction.query(statement + where, *day_range(days))


def day_range(days: Days) -> tuple[str, date, date]:
    """Days as three parameters: as one list, and the first and the last of them."""
    known = [day for day in days if day] or [date.min]
    return day_list(days), min(known), max(known)


def day_list(days: Days | None) -> str:
    """Days as one parameter, for `ops.is_among`: None, or a table published whole, means all; no days mean none."""
    if days is None or list(days) == [None]:
        return ""
    return ",".join(day.isoformat() for day in days if day) or "-infinity"
