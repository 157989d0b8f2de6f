"""The types of events that the queue's messages may be, from `event_types.yaml`."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import dataframely as dy
from pydantic import BaseModel, ConfigDict, RootModel, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from data_platform import contracts, typed_yaml
from data_platform.contracts.contract import Contract
from data_platform.contracts.user_logins import MASKED
from data_platform.errors import PermanentError

FILE = Path(__file__).parent / "event_types.yaml"
_SCHEMA = "logins"
_LONGEST = 256
_KINDS = {"sent": dy.Datetime, "columns": dy.String, "masked": dy.String, "version": dy.Int64}
_OURS = ("evidence_id", "position", "transform_version")


class EventTypesError(PermanentError):
    """`event_types.yaml` has a mistake; the message names file, line and field."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    event_type: str | None
    sent: str
    columns: Mapping[str, str]
    masked: Mapping[str, str] = {}
    version: Mapping[str, tuple[str, str, str]] = {}


@dataclass(frozen=True)
class Field:
    """A field of a message, and what the column that it becomes allows."""

    name: str
    column: str
    is_masked: bool
    may_be_null: bool
    longest: int


def _longest(column: dy.Column) -> int:
    return (column.max_length if isinstance(column, dy.String) else None) or _LONGEST


@dataclass(frozen=True)
class EventType:
    """One type of event. See `event_types.yaml` for what each attribute means."""

    contract: Contract
    entry: _Entry

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The fields that a message of the type has."""
        columns = self.contract.rows.columns()
        return tuple(
            Field(name, column, is_masked, columns[column].nullable, _longest(columns[column]))
            for is_masked, names in ((False, self.entry.columns), (True, self.entry.masked))
            for column, name in names.items()
        )


class _File(RootModel[Mapping[str, _Entry]]):
    @model_validator(mode="after")
    def _fit(self) -> "_File":
        faults = [
            InitErrorDetails(type=PydanticCustomError("no_fit", "{told}", {"told": told}), loc=place, input=None)
            for place, told in _faults(self.root)
        ]
        if faults:  # an error with places instead of a ValueError: the sentence names the line
            raise ValidationError.from_exception_data("event types", faults)
        return self


def _faults(entries: Mapping[str, _Entry]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where the file does not fit itself or the contracts, and how."""
    if not entries:
        yield (), "no type is declared"
    told = [entry.event_type for entry in entries.values()]
    for name, entry in entries.items():
        if told.count(entry.event_type) > 1:
            yield (name, "event_type"), f"two types have the event_type {entry.event_type or 'null'}"
        try:
            contract = _contract(name)
        except ValueError as error:
            yield (name,), str(error)
        else:
            yield from (((name, *place), told) for place, told in _faults_of(entry, contract))


def _faults_of(entry: _Entry, contract: Contract) -> Iterator[tuple[tuple[str, ...], str]]:
    columns = contract.rows.columns()
    named: list[tuple[tuple[str, ...], str]] = [(("sent",), entry.sent)]
    named += [(("columns", column), column) for column in entry.columns]
    named += [(("masked", column), column) for column in entry.masked]
    named += [(("version", column), part) for column, parts in entry.version.items() for part in parts]
    for place, column in named:
        if column not in columns:
            yield place, f"{contract.name} has no column {column}; its contract has {', '.join(columns)}"
        elif [other for _, other in named].count(column) > 1:
            yield place, f"{column} is filled twice"
        elif not isinstance(columns[column], _KINDS[place[0]]):
            yield place, f"{column} is a {type(columns[column]).__name__} in the contract and cannot hold this"
        elif place[0] == "columns" and _holds_tokens(columns[column]):
            yield place, f"{column} holds tokens, so it stands under masked"
        elif place[0] == "masked" and not _holds_tokens(columns[column]):
            yield place, f"{column} holds no tokens, so it stands under columns"
    for column in entry.version.keys() - entry.columns.keys():
        yield ("version", column), f"{column} is not among columns"
    filled = {column for _, column in named} | {contract.day, *_OURS}
    if missing := [column for column in columns if column not in filled]:
        yield (), f"nothing fills the column {missing[0]} of {contract.name}"


def _holds_tokens(column: dy.Column) -> bool:
    return isinstance(column, dy.String) and column.regex == MASKED


def _contract(name: str) -> Contract:
    try:
        return contracts.of_table(f"{_SCHEMA}.{name}")
    except KeyError:
        raise ValueError(f"{name} has no contract; write contracts/{name}.py and a migration") from None


@dataclass(frozen=True)
class EventTypes:
    """Every type, by what its messages say under `event_type`; the first stands for what is of no known type."""

    by_name: Mapping[str | None, EventType]

    @property
    def first(self) -> EventType:
        """The type that messages of no known type are booked under."""
        return next(iter(self.by_name.values()))

    @cached_property
    def version(self) -> str:
        """A digest of what decides about a message: declared types, what contracts allow, and the code that reads."""
        code = Path(__file__).with_name("events.py").read_bytes()
        content = [(of.contract.table, of.entry.model_dump(mode="json"), of.fields) for of in self.by_name.values()]
        return hashlib.sha256(repr(content).encode() + code).hexdigest()[:12]


@cache
def load(file: Path = FILE) -> EventTypes:
    """Reads the types.

    Raises:
        EventTypesError: The file is no YAML, a field is missing or unknown, or a column is not in the contract.
    """
    entries = typed_yaml.load(file, _File, EventTypesError).root
    return EventTypes({entry.event_type: EventType(_contract(name), entry) for name, entry in entries.items()})
