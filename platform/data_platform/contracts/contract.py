"""The form of a contract. What does not belong here: any one table."""

import re
from dataclasses import dataclass
from inspect import cleandoc
from typing import Literal

import dataframely as dy
import polars as pl

PERSONAL: dict[str, object] = {"personal": True}
"""Metadata of a column that may name or reach a person: it is shown in no preview, log, error or metadata."""


NO_TEXT = re.compile("[\x00\ud800-\udfff]")
"""What no column of text can hold: a zero, and half of a pair of UTF-16."""


@dataclass(frozen=True)
class Contract:
    """One table: its name, its rows and what decides a row's day.

    Attributes:
        table: Name with schema, such as `leads.leads`; the schema is the Postgres schema, or the lake's folder.
        rows: The columns, types and rules; its docstring says what a row is.
        kept_in: Where the platform stores the table.
        day: The column that holds a row's partition day; None for a table that is always published whole.
        from_messages: Whether rows are appended as messages come in, each with its line in `ops.message_ledger`.
    """

    table: str
    rows: type[dy.Schema]
    kept_in: Literal["warehouse", "lake"]
    day: str | None = None
    from_messages: bool = False

    @property
    def schema(self) -> str:
        """The table's schema, such as `leads`."""
        return self.table.split(".")[0]

    @property
    def name(self) -> str:
        """The table's name without its schema."""
        return self.table.split(".")[1]

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names, in stored order."""
        return tuple(self.rows.column_names())

    @property
    def open_columns(self) -> tuple[str, ...]:
        """Names of the columns that hold nothing personal."""
        columns = self.rows.columns()
        return tuple(name for name in self.columns if not (columns[name].metadata or {}).get("personal"))

    @property
    def description(self) -> str:
        """What a row is, from the docstring of the rows."""
        return cleandoc(self.rows.__doc__ or "")

    def empty(self) -> pl.DataFrame:
        """A frame of no rows with every column and type."""
        return self.rows.create_empty()
