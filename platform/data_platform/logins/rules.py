"""The rules by which counters are read, from `rules.yaml`."""

from datetime import date
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data_platform.errors import PermanentError

FILE = Path(__file__).parent / "rules.yaml"


class RulesError(PermanentError):
    """`rules.yaml` has a mistake; the message names file and field."""


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
    try:
        return Rules.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
        raise RulesError(f"{file.name} cannot be used; correct {'; '.join(faults)}.") from None
    except (yaml.YAMLError, ValueError) as error:  # the second for a day that is in no calendar
        raise RulesError(f"{file.name} is no YAML that can be read: {' '.join(str(error).split())}.") from None
