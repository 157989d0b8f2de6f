"""The rules by which events become sessions, from `rules.yaml`."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from functools import cache, cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from data_platform import typed_yaml
from data_platform.contracts.steps import STEPS
from data_platform.errors import PermanentError

FILE = Path(__file__).parent / "rules.yaml"
_OTHER = "other"


class RulesError(PermanentError):
    """`rules.yaml` has a mistake; the message names file, line and field."""


class Rules(BaseModel):
    """See `rules.yaml` for what each means.

    Attributes:
        events: For each step, and for `other`, the names of its events.
        plain_booked: Steps of which any event makes the plain reading of "booked".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gap_minutes: float = Field(ge=0.01, le=12 * 60, allow_inf_nan=False, strict=True)
    longest_ride_hours: float = Field(ge=0.01, le=24, allow_inf_nan=False, strict=True)
    events: Mapping[str, tuple[str, ...]]
    plain_booked: tuple[str, ...]

    @model_validator(mode="after")
    def _fit(self) -> "Rules":
        if strangers := (self.events.keys() - {*STEPS, _OTHER}) | (set(self.plain_booked) - set(STEPS)):
            raise ValueError(f"{sorted(strangers)[0]} is no step; there are {', '.join(STEPS)}, and other for events")
        if missing := [step for step in STEPS if not self.events.get(step)]:
            raise ValueError(f"events.{missing[0]} has no event")
        names = [name for of_step in self.events.values() for name in of_step]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"the event {twice[0]!r} stands more than once")
        return self

    @property
    def gap(self) -> timedelta:
        """Time without an event that begins a new session."""
        return timedelta(minutes=self.gap_minutes)

    @property
    def longest_ride(self) -> timedelta:
        """Most time between the start and the end of a ride."""
        return timedelta(hours=self.longest_ride_hours)

    @cached_property
    def step_of(self) -> dict[str, str]:
        """For each known event name its step, or `other`."""
        return {name: step for step, names in self.events.items() for name in names}

    @cached_property
    def version(self) -> str:
        """A digest of what the rules say, however the file is written."""
        content = self.model_dump(mode="json")
        ordered = {"events": sorted(self.step_of.items()), "plain_booked": sorted(self.plain_booked)}
        return hashlib.sha256(repr(sorted((content | ordered).items())).encode()).hexdigest()[:12]


@cache
def load(file: Path = FILE) -> Rules:
    """Reads the rules.

    Raises:
        RulesError: The file is no YAML, or a field is missing, unknown or has a value that it cannot have.
    """
    return typed_yaml.load(file, Rules, RulesError)
