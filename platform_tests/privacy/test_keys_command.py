"""Keys on the terminal: their versions and dates, and never a key."""

import base64
import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from data_platform.console.keys import keys_list, keys_rotate
from data_platform.privacy.keyring import KeyRingError, read_ring


def hides_keys(text: str, ring_file: Path) -> bool:
    keys = [each["key"] for each in json.loads(ring_file.read_text())["keys"]]
    return not any(form in text for key in keys for form in (key, base64.b64decode(key).hex()))


def test_the_list_tells_which_keys_there_are_and_which_are_active(
    reference: SecretStr, ring_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert keys_rotate(reference) == 0
    told = capsys.readouterr().out
    assert "Sealing key s2 seals from now on" in told
    assert keys_list(reference, as_json=False) == 0
    shown = capsys.readouterr().out
    rows = [line.split() for line in shown.splitlines() if line[:1] in {"s", "t"}]
    assert [(row[0], row[1], row[4:]) for row in rows] == [
        ("s1", "seal", []), ("t1", "token", ["yes"]), ("s2", "seal", ["yes"]),
    ]  # fmt: skip
    assert hides_keys(told + shown, ring_file)


def test_the_same_as_json(reference: SecretStr, ring_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys_list(reference, as_json=True) == 0
    text = capsys.readouterr().out
    assert [tuple(each.values()) for each in json.loads(text)] == [
        (key.version, key.purpose, key.made_at.isoformat(), key.is_active) for key in read_ring(reference).facts()
    ]
    assert hides_keys(text, ring_file)


def test_a_ring_in_a_secret_store_lists_and_does_not_rotate(
    ring_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inline = SecretStr(ring_file.read_text())
    assert keys_list(inline, as_json=True) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    with pytest.raises(KeyRingError, match="only its secret store can change"):
        keys_rotate(inline)
