"""`event_types.yaml`: a mistake is one sentence that names file, line and field; an edit is a new version."""

from dataclasses import replace
from pathlib import Path

import pytest

from data_platform import contracts
from data_platform.logins import event_types
from data_platform.logins.event_types import EventType, EventTypes, EventTypesError

GOOD = event_types.FILE.read_text(encoding="utf-8")


def load(tmp_path: Path, text: str) -> EventTypes:
    file = tmp_path / "event_types.yaml"
    file.write_text(text, encoding="utf-8")
    return event_types.load(file)


def line_of(text: str, beginning: str) -> int:
    """The first line that begins so, from 1."""
    return next(n for n, line in enumerate(text.splitlines(), start=1) if line.strip().startswith(beginning))


def test_the_types_of_the_house_load_and_every_table_is_fed_by_one() -> None:
    types = event_types.load()
    assert [type_.contract.table for type_ in types.by_name.values()] == ["logins.user_logins", "logins.user_logouts"]
    assert types.first.contract.table == "logins.user_logins"
    assert all(c.table in str(types) for c in contracts.every() if c.from_messages)


def test_what_may_be_missing_and_how_long_it_may_be_is_what_the_contract_says() -> None:
    fields = {field.name: field for field in event_types.load().first.fields}
    assert [name for name, field in fields.items() if field.may_be_null] == ["locale"]
    assert [name for name, field in fields.items() if field.is_masked] == ["ip", "device_id"]
    assert (fields["user_id"].longest, fields["locale"].longest) == (128, 32)


@pytest.mark.parametrize(
    ("old", "new", "at", "words"),
    [
        ("user_id: user_id", "user_di: user_id", "user_di", "user_logins has no column user_di; its contract has"),
        ("sent: logged_in_at", "sent: logged_at", "sent: logged_at", "user_logins has no column logged_at"),
        ("masked_ip: ip", "masked_pi: ip", "masked_pi", "user_logins has no column masked_pi"),
        ("app_patch]", "app_path]", "app_version: [", "user_logins has no column app_path"),
        ("app_version: [", "app_versoin: [", "app_versoin", "app_versoin is not among columns"),
        ("user_logouts:", "user_logoffs:", "user_logoffs", "no contract; write contracts/user_logoffs.py"),
        ("event_type: logout", "event_type: null", "event_type: null", "two types have the event_type null"),
        ("event_type: null", "event_type: logout", "event_type: logout", "two types have the event_type logout"),
        ("event_type: logout", "event_type: 7", "event_type: 7", "valid string"),
        ("  event_type: logout\n", "", "user_logouts", "user_logouts.event_type: Field required"),
        ("  sent: logged_in_at\n", "", "user_logins", "user_logins.sent: Field required"),
        ("masked:", "mask:", "mask:", "user_logins.mask: Extra inputs"),
        ("    locale: locale\n", "", "user_logins", "nothing fills the column locale"),
        ("    masked_ip: ip\n", "", "user_logins", "nothing fills the column masked_ip"),
        ("    locale: locale\n", "    locale: locale\n    locale: lang\n", "locale: lang", "locale: stands twice"),
        ("locale: locale", "locale: 7", "locale: 7", "valid string"),
        ("locale: locale", "locale:", "locale:", "valid string"),
        ("app_minor, app_patch]", "app_minor]", "app_version: [", "version.app_version.2: Field required"),
        ("app_minor, app_patch]", "app_minor, app_minor]", "app_version: [", "app_minor is filled twice"),
        ("app_minor, app_patch]", "app_minor, logged_in_at]", "sent", "logged_in_at is filled twice"),
        ("device_type: device_type", "logged_in_at: device_type", "sent", "logged_in_at is filled twice"),
        ("sent: logged_in_at", "sent: app_major", "sent", "app_major is filled twice"),
        ("sent: logged_in_at", "sent: transform_version", "sent", "cannot hold this"),
        ("sent: logged_in_at", "sent: [", "event_type", "not valid YAML"),
        ("sent: logged_in_at", "- sent", "- sent", "not valid YAML"),
    ],
)
def test_a_mistake_is_one_sentence_with_file_line_and_field(
    tmp_path: Path, old: str, new: str, at: str, words: str
) -> None:
    assert old in GOOD.split("user_logins:", 1)[1] or old in "user_logouts:"
    before, of_types = GOOD.split("user_logins:\n", 1)
    text = f"{before}user_logins:\n{of_types.replace(old, new, 1)}"
    with pytest.raises(EventTypesError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert message.startswith("event_types.yaml, line ")
    assert message.endswith(".")
    assert "\n" not in message
    assert words in message
    if "not valid YAML" not in message:
        assert f"line {line_of(text, at)}" in message


def test_personal_data_cannot_be_put_into_a_column_in_the_clear_by_a_slip(tmp_path: Path) -> None:
    """`masked_ip` under `columns` would store the address itself until a contract refused the day."""
    with pytest.raises(EventTypesError, match="masked_ip holds tokens, so it stands under masked"):
        load(tmp_path, GOOD.replace("  masked:\n    masked_ip: ip\n", "    masked_ip: ip\n  masked:\n", 1))
    with pytest.raises(EventTypesError, match="locale holds no tokens, so it stands under columns"):
        load(
            tmp_path,
            GOOD.replace("    locale: locale\n", "").replace("  masked:\n", "  masked:\n    locale: locale\n", 1),
        )


@pytest.mark.parametrize("text", ["[", "", "text", "- a", "7", "{}", "{1: 2}", "user_logins:"])
def test_what_declares_nothing_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(EventTypesError, match=r"^event_types.yaml[,:] [^\n]*\.$"):
        load(tmp_path, text)


def test_a_version_is_of_the_content_and_not_of_comments(tmp_path: Path) -> None:
    version = event_types.load().version
    assert load(tmp_path, GOOD).version == version
    assert load(tmp_path, f"# more is said\n{GOOD.replace(': null', ':  ~')}").version == version
    edits = [("locale: locale", "locale: lang"), ("masked_ip: ip", "masked_ip: address"), (": logout", ": signed_out")]
    others = {load_again(tmp_path, n, GOOD.replace(*edit)).version for n, edit in enumerate(edits)}
    assert len(others | {version}) == len(edits) + 1


def load_again(tmp_path: Path, number: int, text: str) -> EventTypes:
    (folder := tmp_path / str(number)).mkdir()
    return load(folder, text)


def test_a_longer_field_in_the_contract_is_another_version_too() -> None:
    """The contract decides which texts are too long; rows judged before it was widened are of other rules."""
    types = event_types.load()
    first = types.first
    wider = EventType(first.contract, first.entry)
    wider.__dict__["fields"] = tuple(replace(field, longest=field.longest + 1) for field in first.fields)
    assert EventTypes({**types.by_name, None: wider}).version != types.version
