"""`data-platform reveal` and `keys`, as a person uses them: booked first, then shown; and never a key."""

import json
import os
import pwd
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from data_platform import cli, stack
from data_platform import settings as settings_module
from data_platform.defs.logins.draining import office_of
from data_platform.lake.store import Store
from data_platform.logins import event_types
from data_platform.logins.event_types import EventType, EventTypes
from data_platform.privacy.keyring import ensure_ring
from data_platform.publish.draining import Limits
from data_platform.queues.batches import Received
from data_platform.warehouse.connection import Warehouse, WarehouseRefused

AT = datetime(2026, 10, 5, 12, tzinfo=UTC)
GOOD = {
    "user_id": "u1", "app_version": "2.3.0", "device_type": "android", "ip": "192.0.2.1", "device_id": "042-47-0028",
}  # fmt: skip
BODIES = [
    json.dumps(GOOD), json.dumps(GOOD | {"ip": "\x1b[2J\u202e"}), "not json\r\n\x1b]0;title\x07",
    json.dumps({"event_type": "logout", "user_id": "u1", "device_id": "777-77-7777"}),
]  # fmt: skip
REASON = "a complaint of the user"

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def keys(warehouse: Warehouse, lake: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A platform that has drained some messages, and its key ring."""
    file = tmp_path / "keys" / "keys.json"
    ensure_ring(file)
    monkeypatch.setenv("WAREHOUSE_URL", warehouse.url.get_secret_value())
    monkeypatch.setenv("LAKE_URI", lake.uri)
    monkeypatch.setenv("PRIVACY_KEYS", file.as_uri())
    office = office_of(stack.open_stack(settings_module.load()), "a run")
    sent = str(int(AT.timestamp()) * 1000)
    for number in range(2):
        office.put_aside("events", [Received(f"{number} {n}", body, sent, 1, AT) for n, body in enumerate(BODIES)])
    office.drain([], Limits())
    return file


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    def say(*words: str) -> tuple[int, str, str]:
        code = cli.main(words)
        told = capsys.readouterr()
        return code, told.out, told.err

    return say


def query(warehouse: Warehouse, sql: str) -> list[tuple[object, ...]]:
    with warehouse.transaction() as transaction:
        return transaction.query(sql).rows()


def booked(warehouse: Warehouse) -> list[tuple[object, ...]]:
    return query(warehouse, "SELECT revealed_by, reason, subject, num_found FROM ops.reveals ORDER BY reveal_id")


def first_batch(warehouse: Warehouse) -> str:
    return str(query(warehouse, "SELECT evidence_id FROM ops.message_batches ORDER BY batch_id LIMIT 1")[0][0])


def one_sentence(told: tuple[int, str, str]) -> str:
    code, out, err = told
    assert (code, out) == (1, "")
    assert re.fullmatch(r"data-platform: [^\n]+\.\n", err), err
    return err


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("user_logins", "masked_ip", "192.0.2.1"),
        ("user_logins", "masked_device_id", "042-47-0028"),
        ("user_logouts", "masked_device_id", "777-77-7777"),
    ],
)
def test_a_token_shows_the_value_that_it_stands_for(
    keys: Path, warehouse: Warehouse, say: Say, table: str, column: str, value: str
) -> None:
    [[token]] = query(warehouse, f"SELECT {column} FROM logins.{table} ORDER BY evidence_id, position LIMIT 1")
    assert say("reveal", f" {str(token).upper()} ", "--reason", REASON) == (0, f"{value}\n", "")
    me = pwd.getpwuid(os.getuid()).pw_name
    assert booked(warehouse) == [(me, REASON, token, 1)]


def test_a_message_is_shown_by_its_place_and_nothing_in_it_moves_the_cursor(
    keys: Path, warehouse: Warehouse, say: Say
) -> None:
    evidence_id = first_batch(warehouse)
    shown = [BODIES[0], BODIES[1], "not json\\r\\n\\x1b]0;title\\x07", BODIES[3]]
    for position, body in enumerate(shown, start=1):
        for digits in (12, 64):
            place = f"{evidence_id[:digits]}:{position}"
            assert say("reveal", place, "--reason", REASON) == (0, f"{body}\n", "")
    assert [row[3] for row in booked(warehouse)] == [1] * 8


def test_a_reason_that_is_too_short_shows_nothing(keys: Path, warehouse: Warehouse, say: Say) -> None:
    for reason in ("", "short", "         a         ", "\t\n" * 10):
        told = one_sentence(say("reveal", f"{first_batch(warehouse)}:1", "--reason", reason))
        assert "at least 10 characters" in told
    assert booked(warehouse) == []


def test_a_reason_of_any_bytes_is_booked_as_what_can_be_read(keys: Path, warehouse: Warehouse, say: Say) -> None:
    code, _, _ = say("reveal", f"{first_batch(warehouse)}:1", "--reason", "broken \udcff bytes\r\nand a second line")
    assert code == 0
    assert booked(warehouse)[0][1] == "broken \\xff bytes\\r\\nand a second line"


def test_a_look_that_finds_nothing_is_booked_all_the_same(keys: Path, warehouse: Warehouse, say: Say) -> None:
    subjects = [f"t1_{'0' * 64}", f"t9_{'a' * 64}", "00000000000000:1"]
    for subject in subjects:
        assert "booked all the same" in one_sentence(say("reveal", subject, "--reason", REASON))
    assert [row[2:] for row in booked(warehouse)] == [(subject, 0) for subject in subjects]


def test_a_place_behind_the_last_message_is_none(keys: Path, warehouse: Warehouse, say: Say) -> None:
    for position in (5, 9_999_999_999):
        one_sentence(say("reveal", f"{first_batch(warehouse)}:{position}", "--reason", REASON))
    assert [row[3] for row in booked(warehouse)] == [0, 0]


def test_a_beginning_that_two_batches_share_asks_for_more_digits(keys: Path, warehouse: Warehouse, say: Say) -> None:
    evidence_id = first_batch(warehouse)
    with warehouse.transaction() as transaction:
        transaction.run(
            "INSERT INTO ops.message_batches (evidence_id, queue, run_id, num_messages) VALUES ($1, 'q', 'r', 9)",
            evidence_id[:8] + "f" * 56,
        )
    assert "give more digits" in one_sentence(say("reveal", f"{evidence_id[:8]}:1", "--reason", REASON))
    assert say("reveal", f"{evidence_id[:16]}:1", "--reason", REASON)[0] == 0


def test_a_subject_of_another_form_is_not_repeated(keys: Path, warehouse: Warehouse, say: Say) -> None:
    """Who types the value itself, instead of its token, must not find it in a log."""
    places = ["abc:1", "abcdef:0", "abcdef:-1", "abcdef", "\u00e9:1"]
    for subject in ("", "192.0.2.1", "t1_", f"t1_{'g' * 64}", "' OR 1=1 --", *places):
        told = one_sentence(say("reveal", subject, "--reason", REASON))
        assert "neither a token (t1_ and 64 digits) nor a message" in told
        assert "192.0.2.1" not in told
    assert booked(warehouse) == []


@pytest.mark.parametrize("is_there", [True, False])
def test_without_the_key_the_try_is_booked_and_one_sentence_says_why(
    keys: Path, warehouse: Warehouse, say: Say, is_there: bool
) -> None:
    keys.unlink()
    if is_there:
        ensure_ring(keys)
    told = one_sentence(say("reveal", f"{first_batch(warehouse)}:1", "--reason", REASON))
    assert "from a backup" in told
    assert [row[3] for row in booked(warehouse)] == [1]


def test_a_field_that_is_declared_under_another_name_since_is_one_sentence(
    keys: Path, warehouse: Warehouse, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    [[token]] = query(warehouse, "SELECT masked_ip FROM logins.user_logins ORDER BY evidence_id, position LIMIT 1")
    types = event_types.load()
    entry = types.first.entry.model_copy(update={"masked": {"masked_ip": "address", "masked_device_id": "device_id"}})
    renamed = EventTypes({**types.by_name, None: EventType(types.first.contract, entry)})
    monkeypatch.setattr(event_types, "load", lambda: renamed)
    assert "has no field address" in one_sentence(say("reveal", str(token), "--reason", REASON))


@pytest.mark.parametrize("change", ["UPDATE ops.reveals SET reason = 'another reason'", "DELETE FROM ops.reveals"])
def test_what_was_booked_is_never_changed(keys: Path, warehouse: Warehouse, say: Say, change: str) -> None:
    say("reveal", f"{first_batch(warehouse)}:1", "--reason", REASON)
    before = booked(warehouse)
    for statement in (change, f"{change} WHERE false", "TRUNCATE ops.reveals", "TRUNCATE ops.reveals CASCADE"):
        with (
            pytest.raises(WarehouseRefused, match=r"ops\.reveals is only ever added to"),
            warehouse.transaction() as transaction,
        ):
            transaction.run(statement)
    assert booked(warehouse) == before


def test_keys_are_made_listed_and_rotated_and_what_older_ones_sealed_stays_open(
    keys: Path, warehouse: Warehouse, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = [key["key"] for key in json.loads(keys.read_text())["keys"]]
    code, listed, _ = say("keys", "list", "--json")
    assert (code, [key["version"] for key in json.loads(listed)]) == (0, ["s1", "t1"])
    code, rotated, _ = say("keys", "rotate")
    assert code == 0
    assert "Sealing key s2 seals from now on" in rotated
    secrets += [key["key"] for key in json.loads(keys.read_text())["keys"]]
    code, table, _ = say("keys", "list")
    assert re.search(r"^s2 +seal .* yes *$", table, re.MULTILINE)
    assert not any(secret in listed + rotated + table for secret in secrets)
    assert say("reveal", f"{first_batch(warehouse)}:1", "--reason", REASON)[0] == 0
    new = tmp_path / "a new one" / "keys.json"
    for word in ("is a new key ring", "was there already and is left as it is"):
        code, out, _ = say("keys", "new", str(new))
        assert code == 0
        assert word in out
        assert f"PRIVACY_KEYS={new.as_uri()}" in out
    assert new.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("PRIVACY_KEYS", new.as_uri())
    assert say("keys", "list", "--json")[0] == 0
    new.chmod(0o644)
    assert "chmod 600" in one_sentence(say("keys", "list"))
    monkeypatch.delenv("PRIVACY_KEYS")
    assert "PRIVACY_KEYS is not set" in one_sentence(say("keys", "rotate"))
