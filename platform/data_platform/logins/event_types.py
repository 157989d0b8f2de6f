"""The types of events that the queue's messages may be, from `event_types.yaml`."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import dataframely as dy
from pydantic import BaseModel, ConfigDict, RootModel, model_validator

from data_platform import contracts, typed_yaml
from data_platform.contracts.contract import Contract
from data_platform.errors import PermanentError

FILE = Path(__file__).parent / "event_types.yaml"
_SCHEMA = "logins"
_LONGEST = 256


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
        told = [entry.event_type for entry in self.root.values()]
        if twice := [name for name in told if told.count(name) > 1]:
            raise ValueError(f"two types have the event_type {twice[0]}")
        for name, entry in self.root.items():
            columns = _contract(name).columns
            versions = [column for parts in entry.version.values() for column in parts]
            named = {entry.sent, *entry.columns, *entry.masked, *versions}
            if strangers := sorted(named - set(columns)):
                raise ValueError(f"{name} has no column {strangers[0]}; its contract has {', '.join(columns)}")
        return self


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
        """A digest of what decides about a message: the declared types, and the code that reads them."""
        code = Path(__file__).with_name("events.py").read_bytes()
        content = {name: of.entry.model_dump(mode="json") for name, of in self.by_name.items()}
        return hashlib.sha256(repr(content).encode() + code).hexdigest()[:12]


@cache
def load(file: Path = FILE) -> EventTypes:
    """Reads the types.

    Raises:
        EventTypesError: The file is no YAML, a field is missing or unknown, or a column is not in the contract.
    """
    entries = typed_yaml.load(file, _File, EventTypesError).root
    return EventTypes({entry.event_type: EventType(_contract(name), entry) for name, entry in entries.items()})
