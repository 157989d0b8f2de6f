"""The rules by which counters are read, from `rules.yaml`."""

import re
from datetime import date
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from data_platform import typed_yaml
from data_platform.errors import PermanentError

FILE = Path(__file__).parent / "rules.yaml"
_PLACE = "{user_id}"


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
    event_user_id: str | None

    @field_validator("event_user_id")
    @classmethod
    def _has_one_place(cls, value: str | None) -> str | None:
        if value is not None and value.count(_PLACE) != 1:
            raise ValueError(f"expected {_PLACE} once, such as 00000000-0000-4000-8000-{_PLACE}")
        return value

    @property
    def user_of_event(self) -> re.Pattern[str] | None:
        """What finds the number of a user, as counters have it, in the name that events have; None if nothing does."""
        if self.event_user_id is None:
            return None
        before, after = map(re.escape, self.event_user_id.split(_PLACE))
        return re.compile(f"^{before}0*([0-9]{{1,18}}){after}$")


@cache
def load(file: Path = FILE) -> Rules:
    """Reads the rules.

    Raises:
        RulesError: The file is no YAML, or a field is missing, unknown or has a value that it cannot have.
    """
    return typed_yaml.load(file, Rules, RulesError)
