"""Layout files: a mistake is an error with file, line and field."""

from pathlib import Path

import pytest

from data_platform.leads import sources

GOOD = """title: A state
state: TX
fields:
  license_number: {as: text, of: Number}
  phone: {as: phone, of: Phone}
"""


def load(tmp_path: Path, text: str) -> sources.Source:
    path = tmp_path / "somewhere.yaml"
    path.write_text(text)
    return sources.load(path)


def test_every_source_of_the_house_loads() -> None:
    assert [source.name for source in sources.every()] == ["nevada", "oklahoma", "texas"]
    assert {source.state for source in sources.every()} == {"NV", "OK", "TX"}


def test_a_source_is_named_by_its_file(tmp_path: Path) -> None:
    source = load(tmp_path, GOOD)
    assert source.name == "somewhere"
    assert source.needed == {"Number", "Phone"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("title: [", 1, ["not valid YAML"]),
        ("just text", 1, ["expected fields such as title, state, fields"]),
        (GOOD.replace("state: TX", "state: Texas"), 2, ["state", "'^[A-Z]{2}$'"]),
        (GOOD.replace("as: phone", "as: fone"), 5, ["fields.phone.as", "'phone'"]),
        (GOOD + "  colour: {as: text, of: Colour}\n", 6, ["fields.colour", "not a column of leads"]),
        (GOOD + "  lead_id: {as: text, of: Id}\n", 6, ["fields.lead_id", "not a column of leads"]),
        (GOOD + "  city: {as: text}\n", 6, ["fields.city.of", "required"]),
        (GOOD + "  city: {as: text, of: City, form: capitals}\n", 6, ["fields.city.form", "not permitted"]),
        (GOOD + "  city: {as: text, of: City, extract: '('}\n", 6, ["fields.city.extract", "not a regular expression"]),
        (GOOD + "  city: {as: text, of: City, extract: '.*'}\n", 6, ["fields.city.extract", "exactly one group"]),
        (GOOD + "  schedule: {as: schedule, of: Hours}\n", 6, ["fields.schedule", "each day of the week"]),
        (GOOD + "  schedule: {as: schedule, of: {Mon: 3}}\n", 6, ["fields.schedule.of.Mon: ", "fields.schedule.of: "]),
        (GOOD + "  accepts_financial_aid: {as: flag, of: Aid}\n", 6, ["fields.accepts_financial_aid", "true_when"]),
        (GOOD + "max_reject_share: 10%\n", 6, ["max_reject_share", "valid number"]),
        (GOOD + "max_reject_share: 10\n", 6, ["max_reject_share", "less than or equal to 1"]),
        (GOOD + "max_reject_share: -0.1\n", 6, ["max_reject_share", "greater than or equal to 0"]),
        (GOOD + "max_reject_share: .nan\n", 6, ["max_reject_share", "finite number"]),
        (GOOD.replace("license_number", "provider_id"), 3, ["fields", "license_number"]),
    ],
)
def test_a_mistake_is_one_sentence_with_file_line_and_field(
    tmp_path: Path, text: str, line: int, words: list[str]
) -> None:
    with pytest.raises(sources.LayoutError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"somewhere.yaml, line {line}")
    assert "\n" not in message
    for word in words:
        assert word in message
