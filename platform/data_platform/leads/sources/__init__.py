"""The layouts of the lead sources: one YAML file a source, and the typed models that they are read into.

Adding a source is adding one file here. What does not belong here: what a value means (`leads/values.py`).
"""

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from data_platform import typed_yaml
from data_platform.contracts.leads import LeadFields
from data_platform.errors import PermanentError

FOLDER = Path(__file__).parent
"""The layouts of the house."""

_MADE_OTHERWISE = {"source", "state", "ages_served", "min_age", "max_age"}

Reading = Literal[
    "text", "capitals", "phone", "email", "zip", "date", "integer", "flag", "schedule", "first_name", "last_name",
    "street_of_address", "city_of_address", "zip_of_address",
]  # fmt: skip


class LayoutError(PermanentError):
    """A source's YAML file has a mistake; the message says file, line and field."""


def _pattern(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    if groups != 1:
        raise ValueError("must have exactly one group: the part to take")
    return text


def _target(column: str) -> str:
    if column in _MADE_OTHERWISE or column not in LeadFields.column_names():
        raise ValueError("is not a column of leads that a source can give")
    return column


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FieldLayout(_Model):
    """Where a column of `leads` comes from in a file of this source.

    Attributes:
        reading: How the text is read, a name of `leads/values.py`.
        of: The header that it is read from; for a schedule, a header for each day of the week.
        extract: Regular expression whose one group is the part of the text to read.
        true_when: Texts that mean true, for a flag.
        false_when: Texts that mean false, for a flag.
    """

    reading: Reading = Field(alias="as")
    of: str | dict[str, str]
    extract: Annotated[str, AfterValidator(_pattern)] | None = None
    true_when: tuple[str, ...] = ()
    false_when: tuple[str, ...] = ()

    @property
    def headers(self) -> tuple[str, ...]:
        """Every header that the field needs."""
        return (self.of,) if isinstance(self.of, str) else tuple(self.of.values())

    @model_validator(mode="after")
    def _fits(self) -> "FieldLayout":
        if (self.reading == "schedule") == isinstance(self.of, str):
            raise ValueError("`of` is a header, or for a schedule a header for each day of the week")
        if (self.reading == "flag") != bool(self.true_when):
            raise ValueError("a flag, and only a flag, needs `true_when`: the texts that mean true")
        return self


class AgeGroup(_Model):
    """An age group: said by one text in any of the columns, or by a text in a column of its own. Ages in months."""

    name: str
    when: str
    column: str | None = None
    from_months: int = Field(alias="from", ge=0)
    to_months: int | None = Field(alias="to", default=None, ge=0)


class AgesLayout(_Model):
    """The columns that say which ages are accepted, and what they say."""

    columns: tuple[str, ...]
    groups: tuple[AgeGroup, ...]
    other: tuple[str, ...] = ()


class Source(_Model):
    """A source of lead files: who sends them and how its columns are read.

    Attributes:
        name: The file's name without `.yaml`; the value of `source` in the tables.
        renamed: Later header names, each with the name that the fields use.
        max_reject_share: A file of which a larger share of records cannot be used is held, and nothing of its day is
            published: 0 holds for one bad record, 1 never does. One in ten by default: so many are no slips of the
            sender's pen, but a layout that no longer fits.
    """

    name: str
    title: str
    state: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    renamed: dict[str, str] = {}
    max_reject_share: float = Field(default=0.1, ge=0, le=1, allow_inf_nan=False, strict=True)
    fields: dict[Annotated[str, AfterValidator(_target)], FieldLayout]
    ages: AgesLayout | None = None

    @property
    def needed(self) -> frozenset[str]:
        """Headers without which a file of this source cannot be read, by their first names."""
        headers = {header for field in self.fields.values() for header in field.headers}
        return frozenset(headers.union(self.ages.columns if self.ages else ()))

    def canonical(self, headers: tuple[str, ...]) -> tuple[str, ...]:
        """Headers as the fields call them, trimmed and with later names put back."""
        trimmed = (header.strip() for header in headers)
        return tuple(self.renamed.get(header, header) for header in trimmed)

    @field_validator("fields")
    @classmethod
    def _has_an_identity(cls, fields: dict[str, FieldLayout]) -> dict[str, FieldLayout]:
        if "license_number" not in fields:
            raise ValueError("`license_number` is missing: it is what a provider is known by")
        return fields


@cache
def every(folder: Path = FOLDER) -> tuple[Source, ...]:
    """Every source of a folder of layouts, in the order of the file names; read once in a process.

    Raises:
        LayoutError: A file has a mistake.
    """
    return tuple(load(path) for path in sorted(folder.glob("*.yaml")))


def load(path: Path) -> Source:
    """Reads one layout file.

    Raises:
        LayoutError: It is not YAML, or not a layout; the message says line and field.
    """
    return typed_yaml.load(path, Source, LayoutError, name=path.stem)
