"""What `rules.yaml` may say, and what is said of a mistake in it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from data_platform.sessions import rules
from data_platform.sessions.rules import Rules, RulesError
from platform_tests.sessions.examples import (
    EVENTS,
    HOUSE,
    sessions,
    told,
)


def written(folder: Path, **changes: Any) -> Path:
    """The rules of the house with changes, as a file; what is None is left out."""
    content = yaml.safe_load(rules.FILE.read_text()) | changes
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump({name: value for name, value in content.items() if value is not None}))
    return file


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"gap_minutes": 0}, "gap_minutes"),
        ({"gap_minutes": -15}, "gap_minutes"),
        ({"gap_minutes": 721}, "gap_minutes"),
        ({"gap_minutes": "soon"}, "gap_minutes"),
        ({"gap_minutes": float("nan")}, "gap_minutes"),
        ({"gap_minutes": None}, "gap_minutes"),
        ({"longest_ride_hours": 24.5}, "longest_ride_hours"),
        ({"longest_ride_hours": None}, "longest_ride_hours"),
        ({"longest_walk_hours": 1}, "longest_walk_hours"),
        ({"plain_booked": ["started", "flown"]}, "flown"),
        ({"plain_booked": "started"}, "plain_booked"),
        ({"events": {"flown": ["Flight Started"]}}, "flown"),
        ({"events": {"opened": ["Application Opened"]}}, "events.looked"),
        ({"events": {**EVENTS, "done": []}}, "events.done"),
        ({"events": {**EVENTS, "done": ["Rating Screen"]}}, "Rating Screen"),
        ({"events": {**EVENTS, "done": "Ride Done"}}, "events.done"),
        ({"events": {**EVENTS, "done": [7]}}, "events.done"),
        ({"events": None}, "events"),
    ],
)
def test_a_mistake_in_the_rules_is_one_sentence_with_the_field(
    tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(RulesError) as caught:
        rules.load(written(tmp_path, **changes))
    message = str(caught.value)
    assert message.startswith("rules.yaml, line ")
    assert field in message
    assert message.endswith(".")
    assert "\n" not in message


def test_rules_that_are_no_yaml_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("gap_minutes: [")
    with pytest.raises(RulesError, match=r"^rules.yaml, line 1: not valid YAML, .*\.$"):
        rules.load(tmp_path / "rules.yaml")


def test_a_gap_is_never_so_short_that_events_of_one_instant_are_two_sessions(tmp_path: Path) -> None:
    """Two sessions of a user that start at one instant would have one id."""
    with pytest.raises(RulesError, match="gap_minutes"):
        rules.load(written(tmp_path, gap_minutes=1e-9))


def test_the_version_tells_what_the_rules_say_and_not_how_they_are_written(tmp_path: Path) -> None:
    assert rules.load(written(tmp_path)).version == HOUSE.version
    turned = {step: names[::-1] for step, names in sorted(EVENTS.items(), reverse=True)}
    changed = Rules.model_validate(HOUSE.model_dump() | {"events": turned, "gap_minutes": 15})
    assert changed.version == HOUSE.version
    assert re.fullmatch("[0-9a-f]{12}", HOUSE.version)


@pytest.mark.parametrize(
    "changes",
    [
        {"gap_minutes": 16},
        {"longest_ride_hours": 11},
        {"plain_booked": ["started"]},
        {"events": {**EVENTS, "other": ("Location Services Dialogue Opened", "Vehicle Unlocked By Wire")}},
    ],
)
def test_an_edit_of_the_rules_is_another_version(changes: dict[str, Any]) -> None:
    changed = Rules.model_validate(HOUSE.model_dump() | changes)
    assert changed.version != HOUSE.version
    assert sessions(told("10:00 opened"), of=changed)[0]["rules_version"] == changed.version
