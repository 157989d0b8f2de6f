"""`rules.yaml`: a mistake is one sentence that names file and field."""

from datetime import date
from pathlib import Path

import pytest

from data_platform.logins import rules
from data_platform.logins.rules import RulesError

GOOD = """tolerance: 10
resets: {2026-03-14: restored from a backup}
days_with_month_before: 3
max_minutes_late: 60
max_share_not_exact: 0.05
event_user_id: 00000000-0000-4000-8000-{user_id}
"""


def load(tmp_path: Path, text: str) -> rules.Rules:
    file = tmp_path / "rules.yaml"
    file.write_text(text, encoding="utf-8")
    return rules.load(file)


def test_the_rules_of_the_house_load() -> None:
    house = rules.load()
    assert (house.tolerance, house.resets, house.days_with_month_before) == (10, {}, 3)


def test_a_reset_is_a_day_with_its_cause(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).resets == {date(2026, 3, 14): "restored from a backup"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("tolerance: 10", "tolerance: -1", ["tolerance", "greater than or equal to 0"]),
        ("tolerance: 10", "tolerance: ten", ["tolerance", "valid integer"]),
        ("tolerance: 10", "tolerance: 2.5", ["tolerance", "valid integer"]),
        ("tolerance: 10\n", "", ["tolerance", "required"]),
        ("tolerance:", "tolerence:", ["tolerance: Field required", "tolerence: Extra"]),
        ("{2026-03-14: restored from a backup}", "[2026-03-14]", ["resets", "dictionary"]),
        ("{2026-03-14: restored from a backup}", "", ["resets", "dictionary"]),
        ("{2026-03-14: restored from a backup}", "{soon: restored}", ["resets.soon", "date"]),
        ("{2026-03-14: restored from a backup}", "{2026-03-14: }", ["resets", "valid string"]),
        ("{2026-03-14: restored from a backup}", "{2026-03-14 12:00:00: restored}", ["resets", "exact dates"]),
        ("before: 3", "before: 29", ["days_with_month_before", "less than or equal to 28"]),
        ("before: 3", "before: -1", ["days_with_month_before", "greater than or equal to 0"]),
        ("late: 60", "late: 0", ["max_minutes_late", "greater than 0"]),
        ("late: 60", "late: .nan", ["max_minutes_late"]),
        ("exact: 0.05", "exact: 5%", ["max_share_not_exact", "valid number"]),
        ("exact: 0.05", "exact: 5", ["max_share_not_exact", "less than or equal to 1"]),
        ("exact: 0.05", "exact: .nan", ["max_share_not_exact"]),
        ("-{user_id}", "", ["event_user_id", "{user_id} once"]),
        ("-{user_id}", "-{user_id}-{user_id}", ["event_user_id", "{user_id} once"]),
    ],
)
def test_a_mistake_is_one_sentence_with_file_and_field(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    assert old in GOOD
    with pytest.raises(RulesError) as caught:
        load(tmp_path, GOOD.replace(old, new))
    message = str(caught.value)
    assert message.startswith("rules.yaml, line ")
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("00000000-0000-4000-8000-000000000042", 42),
        ("00000000-0000-4000-8000-42", 42),
        ("00000000-0000-4000-8000-000000000000", 0),
        ("10000000-0000-4000-8000-000000000042", None),
        ("00000000-0000-4000-8000-0000000000ab", None),
        ("x00000000-0000-4000-8000-000000000042", None),
    ],
)
def test_a_user_of_an_event_has_the_number_that_its_name_holds(tmp_path: Path, name: str, number: int | None) -> None:
    pattern = load(tmp_path, GOOD).user_of_event
    found = pattern.match(name) if pattern else None
    assert (int(found[1]) if found else None) == number


def test_users_that_cannot_be_matched_are_declared_so(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD.replace("00000000-0000-4000-8000-{user_id}", "null")).user_of_event is None


@pytest.mark.parametrize("text", ["[", "", "text", "- a"])
def test_what_is_no_mapping_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(RulesError, match="^rules.yaml[,:] "):
        load(tmp_path, text)


def test_a_reset_on_a_day_that_is_in_no_calendar_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="^rules.yaml[,:] "):
        load(tmp_path, GOOD.replace("2026-03-14", "2026-13-14"))
