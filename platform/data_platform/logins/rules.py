"""The rules by which counters are read, from `rules.yaml`."""

from datetime import date
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from data_platform import typed_yaml
from data_platform.errors import PermanentError

FILE = Path(__file__).parent / "rules.yaml"


class RulesError(PermanentError):
    """`rules.yaml` has a mistake; the message names file, line and field."""


class Rules(BaseModel):
    """See `rules.yaml` for what each means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tolerance: int = Field(ge=0)
    resets: dict[date, str]
    days_with_month_before: int = Field(ge=0, le=28)
    max_minutes_late: float = Field(gt=0)
    max_share_not_exact: float = Field(ge=0, le=1)


@cache
def load(file: Path = FILE) -> Rules:
    """Reads the rules.

    Raises:
        RulesError: The file is no YAML, or a field is missing, unknown or has a value that it cannot have.
    """
    return typed_yaml.load(file, Rules, RulesError)
