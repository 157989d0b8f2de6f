"""What a report is, from its YAML file: whose, which columns, made of what, in which formats, delivered when."""

import re
from collections.abc import Iterator
from datetime import date, time, timedelta
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal, TypeVar

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from data_platform import typed_yaml
from data_platform.errors import PermanentError

FOLDER = Path(__file__).parent
DAY = "day"
"""The column that holds a row's day; where rows have days, the report makes it."""

TYPES: dict[str, pl.DataType] = {"integer": pl.Int64(), "text": pl.String(), "date": pl.Date()}
Format = Literal["csv", "parquet", "xlsx"]

Item = TypeVar("Item")

_NAME = r"^[a-z][a-z0-9_]*$"
_PLACES = {"type", "day", "version", "format"}


class ReportTypeError(PermanentError):
    """A report's YAML file, or its SQL, has a mistake; the message names file, line and field."""


def _object_key(pattern: str) -> str:
    try:
        parts = [*Formatter().parse(pattern)]
    except ValueError as error:
        raise ValueError(f"expected a pattern with {{day}}, {{version}} and {{format}}, but {error}") from None
    places = {name for _, name, _, _ in parts if name is not None}
    if strangers := sorted(places - _PLACES):
        raise ValueError(
            f"{{{strangers[0]}}} is no part of a key; there are {{type}}, {{day}}, {{version}}, {{format}}"
        )
    is_plain = all(re.fullmatch(r"[A-Za-z0-9._=/-]*", text) and not how and not form for text, _, how, form in parts)
    if not is_plain or any(part in {"", ".", ".."} for part in pattern.split("/")):
        raise ValueError("expected letters, digits and . _ - = between single slashes")
    if missing := sorted(_PLACES - places):
        raise ValueError(f"expected {{{missing[0]}}} in it: no two files may have the same key")
    return pattern


def _each_once(values: tuple[Item, ...]) -> tuple[Item, ...]:
    if twice := [value for value in values if values.count(value) > 1]:
        raise ValueError(f"{twice[0]} stands twice")
    return values


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Column(_Model):
    """A column of the delivered file.

    Attributes:
        header: Its name there.
        of: The column of the sources that it shows, or `day`.
        personal: Whether it may name a person: it is shown in no preview.
    """

    header: str = Field(min_length=1)
    of: str = Field(pattern=_NAME)
    personal: bool = False


class Source(_Model):
    """One query to one database.

    Attributes:
        database: `app` (APP_DATABASE_URL), `lessons` (LESSONS_DATABASE_URL) or `warehouse` (WAREHOUSE_URL).
        query: File in `sql/reports/`. `:first_day` and `:last_day` stand for the window; its rows come in ascending
            order of the key.
        columns: What the query gives, by name: `integer`, `text` or `date`.
        reads: The assets that the query reads, such as the table of an app: for the lineage.
    """

    database: Literal["app", "lessons", "warehouse"]
    query: str = Field(pattern=r"^[a-z][a-z0-9_]*\.sql$")
    columns: dict[str, Literal["integer", "text", "date"]] = Field(min_length=1)
    reads: tuple[Annotated[str, Field(pattern=_NAME)], ...] = Field(min_length=1)

    @property
    def types(self) -> pl.Schema:
        """The columns with their Polars types."""
        return pl.Schema({name: TYPES[kind] for name, kind in self.columns.items()})


class Addition(_Model):
    """What is added to the rows from another source.

    Attributes:
        of: That source; it has the key, and `day` unless the report's rows have no days.
        fill: What a column of it is where the source has nothing for a row.
    """

    of: str
    fill: dict[str, int | str] = Field(default_factory=dict[str, int | str])


class Rows(_Model):
    """How the sources make the rows.

    Attributes:
        of: The source that says who is in the report, one row each.
        key: The column, of all sources, by which they belong together.
        days: `none`: a row for each; `every`: one for each and each day of the window; `any`: one for each day on which
            the addition has something, and one of the report's own day for who has nothing.
        add: What is added.
    """

    of: str
    key: str = Field(pattern=_NAME)
    days: Literal["none", "every", "any"]
    add: tuple[Addition, ...] = ()


class Gate(_Model):
    """What a file must be like to be delivered.

    Attributes:
        min_rows: At least so many rows.
        not_empty: Headers of columns in which no cell is empty.
        max_change: The most that the number of rows may differ from the report delivered before (of the same day, or
            else of the latest day before it), as a share of it.
    """

    min_rows: int = Field(default=0, ge=0)
    not_empty: tuple[str, ...] = ()
    max_change: float | None = Field(default=None, gt=0)


class Schedule(_Model):
    """When a report is due.

    Attributes:
        at: The time of the day after the report's day, in BUSINESS_TIMEZONE.
        weekdays: Days of the week that reports are for, 1 for Monday to 7 for Sunday.
    """

    at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    weekdays: Annotated[
        tuple[Annotated[int, Field(ge=1, le=7)], ...], AfterValidator(_each_once), Field(min_length=1)
    ] = (1, 2, 3, 4, 5, 6, 7)

    @property
    def time(self) -> time:
        """`at` as a time of day."""
        return time.fromisoformat(self.at)


class ReportType(_Model):
    """A report that is delivered for a day, again and again; the file's name is the asset's.

    Attributes:
        name: Of the type.
        title: What the customer calls it.
        owner: `team:...`, who is asked when it breaks.
        window_days: So many days, the last of which is the report's own; both ends are in.
        columns: Of the delivered file, in their order.
        sources: What is read, by name.
        max_skew_seconds: The most that may lie between the instants of which two sources are read.
        formats: One file each.
        object_key: Key of a file below REPORTS_URI.
        recipients: Mail addresses.
    """

    name: str = Field(pattern=_NAME)
    title: str = Field(min_length=1, pattern=r"^[^\r\n]+$")
    owner: str = Field(pattern=r"^team:[a-z][a-z0-9-]*$")
    window_days: int = Field(ge=1, le=3660)
    columns: tuple[Column, ...] = Field(min_length=1)
    sources: dict[str, Source] = Field(min_length=1)
    rows: Rows
    max_skew_seconds: float = Field(default=60, gt=0)
    formats: Annotated[tuple[Format, ...], AfterValidator(_each_once), Field(min_length=1)]
    object_key: Annotated[str, AfterValidator(_object_key)] = "{type}/{day}/{type}_{day}_v{version}.{format}"
    schedule: Schedule
    gate: Gate = Gate()
    recipients: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$")], ...], AfterValidator(_each_once)
    ] = ()

    @model_validator(mode="after")
    def _hangs_together(self) -> "ReportType":
        if fault := next(self._faults(), None):
            raise ValueError(fault)
        return self

    def _faults(self) -> Iterator[str]:
        rows = self.rows
        added = [addition.of for addition in rows.add]
        if strangers := [name for name in (rows.of, *added) if name not in self.sources]:
            yield f"rows: there is no source {strangers[0]}; there are {', '.join(self.sources)}"
            return
        if len({rows.of, *added}) < 1 + len(added):
            yield "rows: a source stands twice"
        if unused := sorted(self.sources.keys() - {rows.of, *added}):
            yield f"sources: {unused[0]} is read and not used in rows"
        if rows.days == "any" and len(added) != 1:
            yield "rows: days: any needs exactly one source to add, which says the days"
        if rows.days != "none" and DAY in self.sources[rows.of].columns:
            yield f"sources.{rows.of}: it cannot have a column {DAY}, which the report makes"
        for name in (rows.of, *added):
            needed = [rows.key, DAY] if name != rows.of and rows.days != "none" else [rows.key]
            if missing := [column for column in needed if column not in self.sources[name].columns]:
                yield f"sources.{name}: rows need its column {missing[0]}"
        yield from self._faults_of_sources()
        yield from self._faults_of_columns()

    def _faults_of_sources(self) -> Iterator[str]:
        shared = {self.rows.key, DAY} if self.rows.days != "none" else {self.rows.key}
        names = [name for source in self.sources.values() for name in source.columns]
        if twice := sorted({name for name in names if names.count(name) > 1} - shared):
            yield f"sources: two of them have a column {twice[0]}; rename it in one query"
        for source in self.sources.values():
            if strangers := [name for name, kind in source.columns.items() if self.kinds[name] != kind]:
                yield f"sources: {strangers[0]} is of two types"

    def _faults_of_columns(self) -> Iterator[str]:
        kinds, headers = self.kinds, [column.header for column in self.columns]
        if strangers := [column.of for column in self.columns if column.of not in kinds]:
            yield f"columns: no source has a column {strangers[0]}; there are {', '.join(kinds)}"
        if len(set(headers)) < len(headers):
            yield "columns: two headers are the same"
        if strangers := sorted(set(self.gate.not_empty) - set(headers)):
            yield f"gate.not_empty: there is no header {strangers[0]!r}"
        for addition in self.rows.add:
            own = self.sources[addition.of].columns
            for name, value in addition.fill.items():
                if own.get(name) != ("integer" if isinstance(value, int) else "text"):
                    yield f"rows: {name} cannot be filled with {value!r}, {addition.of} has no such column of that type"

    @property
    def kinds(self) -> dict[str, str]:
        """The type of every column that a column of the file may show, by name."""
        of_sources = {name: kind for source in self.sources.values() for name, kind in source.columns.items()}
        return of_sources | ({DAY: "date"} if self.rows.days != "none" else {})

    @property
    def personal_headers(self) -> frozenset[str]:
        """Headers of the columns that may name a person."""
        return frozenset(column.header for column in self.columns if column.personal)

    def window(self, day: date) -> tuple[date, date]:
        """First and last day of a report's window."""
        return day - timedelta(days=self.window_days - 1), day

    def key(self, day: date, version: int, ending: str) -> str:
        """Key of a file of a report below REPORTS_URI."""
        return self.object_key.format(type=self.name, day=day, version=version, format=ending)


def load(file: Path) -> ReportType:
    """Reads a report type.

    Raises:
        ReportTypeError: The file is no YAML, or a field is missing, unknown or has a value that it cannot have.
    """
    return typed_yaml.load(file, ReportType, ReportTypeError, name=file.stem)


def every(folder: Path = FOLDER) -> list[ReportType]:
    """Every report type of a folder, in the order of names."""
    return [load(file) for file in sorted(folder.glob("*.yaml"))]


def statement(query: str, window: tuple[date, date]) -> str:
    """A query with the window in the place of `:first_day` and `:last_day`, as date literals of both databases.

    Args:
        query: Text of a file of `sql/reports/`.
        window: First and last day. Only days are ever put into a query, and a day cannot be anything else.
    """
    first, last = (f"DATE '{day.isoformat()}'" for day in window)
    return re.sub(r":first_day\b", first, re.sub(r":last_day\b", last, query)).strip().rstrip(";")
