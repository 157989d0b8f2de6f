"""Key rings: from a file and from a secret store, kept from others' eyes, and told in one sentence where they fail."""

import base64
import json
import os
import stat
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from data_platform.errors import PermanentError
from data_platform.privacy.keyring import KeyMissing, KeyRingError, LocalKeyRing, ensure_ring, read_ring, rotate
from data_platform.privacy.sealing import seal, unseal
from platform_tests.unprivileged import without_rights


def key(version: str, fill: int, purpose: str | None = None) -> dict[str, str]:
    return {
        "version": version,
        "purpose": purpose or {"s": "seal", "t": "token"}[version[0]],
        "made_at": "2026-01-31T12:00:00Z",
        "key": base64.b64encode(bytes([fill]) * 32).decode(),
    }


def document(*keys: dict[str, str]) -> str:
    return json.dumps({"keys": keys})


S1, S2, T1 = key("s1", 1), key("s2", 2), key("t1", 3)


def test_the_last_sealing_key_seals_and_the_token_key_is_the_only_one() -> None:
    ring = LocalKeyRing(document(S1, T1, S2))
    assert ring.sealing_version == "s2"
    assert ring.wrap(bytes(32))[0] == "s2"
    assert (ring.token_key.version, ring.token_key.key) == ("t1", b"\3" * 32)


@given(st.binary(min_size=32, max_size=32))
def test_a_wrapped_key_comes_back_by_its_version_alone(data_key: bytes) -> None:
    ring, older = LocalKeyRing(document(S1, S2, T1)), LocalKeyRing(document(S1, T1))
    for wrapping in (ring, older):
        version, wrapped = wrapping.wrap(data_key)
        assert data_key not in wrapped
        assert ring.unwrap(version, wrapped) == data_key
        with pytest.raises(KeyRingError, match="does not open what was wrapped"):
            ring.unwrap({"s1": "s2", "s2": "s1"}[version], wrapped)


def test_a_wrapped_key_opens_under_no_other_version_not_even_of_the_same_key() -> None:
    _, wrapped = LocalKeyRing(document(S1, T1)).wrap(bytes(32))
    with pytest.raises(KeyRingError, match="Sealing key s2 of the ring does not open"):
        LocalKeyRing(document(key("s2", 1), T1)).unwrap("s2", wrapped)


def test_a_missing_key_is_named_with_the_way_to_mend_it() -> None:
    version, wrapped = LocalKeyRing(document(S1, S2, T1)).wrap(bytes(32))
    for missing in (version, "t1"):
        with pytest.raises(KeyMissing) as caught:
            LocalKeyRing(document(S1, T1)).unwrap(missing, wrapped)
        assert str(caught.value) == (
            f"The key ring lacks sealing key {missing}, by which this content was sealed;"
            " put that key back into PRIVACY_KEYS from a backup."
        )


def test_a_ring_is_the_same_from_a_file_and_from_a_secret_store(reference: SecretStr, ring_file: Path) -> None:
    inline = read_ring(SecretStr(f"\n{ring_file.read_text()}\n"))
    assert inline.facts() == read_ring(reference).facts()
    assert unseal(seal(b"x", inline), read_ring(reference)) == b"x"


def test_a_path_with_odd_characters_is_found(tmp_path: Path) -> None:
    file = tmp_path / "a b#c?d%20é" / "keys.json"
    ensure_ring(file)
    assert read_ring(SecretStr(file.as_uri())).sealing_version == "s1"


def test_a_new_ring_is_its_owners_alone_and_an_existing_one_is_left_alone(ring_file: Path) -> None:
    assert stat.S_IMODE(ring_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(ring_file.parent.stat().st_mode) == 0o700
    before = ring_file.read_bytes()
    ensure_ring(ring_file)
    assert ring_file.read_bytes() == before
    assert {path.name for path in ring_file.parent.iterdir()} == {"keys.json", "keys.json.lock"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_ring_that_others_can_reach_is_refused(ring_file: Path, reference: SecretStr, mode: int) -> None:
    ring_file.chmod(mode)
    for use in (read_ring, rotate):
        with pytest.raises(KeyRingError, match=f"open to its group or to others; close it by chmod 600 {ring_file}"):
            use(reference)


def test_a_missing_and_an_unreadable_file_are_told_apart(ring_file: Path, reference: SecretStr) -> None:
    with without_rights(), pytest.raises(KeyRingError, match=r"cannot be read \(Permission denied\)"):
        read_ring(reference)
    with without_rights(), pytest.raises(KeyRingError, match=r"cannot be written \(Permission denied\)"):
        ensure_ring(ring_file.parent / "other" / "keys.json")
    with pytest.raises(KeyRingError, match=r"cannot be read \(Is a directory\)"):
        read_ring(SecretStr(ring_file.parent.as_uri()))
    ring_file.unlink()
    with pytest.raises(KeyRingError, match=f"There is no key ring at {ring_file}; put it there from a backup"):
        read_ring(reference)


@pytest.mark.parametrize("text", ["keys.json", "file://host/keys.json", "https://host/keys.json", ""])
def test_what_names_no_ring_is_not_repeated(text: str) -> None:
    with pytest.raises(KeyRingError) as caught:
        read_ring(SecretStr(text))
    assert str(caught.value) == (
        "PRIVACY_KEYS names no key ring; set file:///folder/keys.json, or the ring itself as JSON."
    )


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (document(S1), "exactly one token key"),
        (document(T1), "at least one sealing key"),
        (document(S1, T1, key("t2", 4)), "exactly one token key"),
        (document(S1, key("s1", 4), T1), "each version once"),
        (document(S1, key("s2", 1), T1), "each key once"),
        (document({**S1, "purpose": "token"}), "keys.0: expected a version such as s1"),
        (document({**S1, "version": S2["key"]}, T1), "keys.0.version: String should match"),
        (document({**S1, "purpose": S2["key"]}, T1), "keys.0.purpose: Input should be 'seal' or 'token'"),
        (document({**S1, "made_at": S2["key"]}, T1), "keys.0.made_at: Input should be a valid datetime"),
        (document({**S1, "made_at": "2026-01-31T12:00:00"}, T1), "keys.0.made_at: .* timezone"),
        (document({**S1, "key": S2["key"][:-4]}, T1), "keys.0.key: expected 32 bytes in base64"),
        (document({**S1, "key": S2["key"] + "!"}, T1), "keys.0.key: expected 32 bytes in base64"),
        (document({**S1, "key": "é"}, T1), "keys.0.key: expected 32 bytes in base64"),
        (document({**S1, S2["key"]: "s2"}, T1), "keys.0: Extra inputs are not permitted"),
        (document(S1, T1)[:-2], "Invalid JSON: EOF"),
        (document(S1, T1).replace("s1", "s1\udcff"), "Invalid JSON|expected"),
        ('{"keys": 1}', "keys: Input should be a valid array"),
    ],
)
def test_a_broken_ring_is_one_sentence_without_what_it_holds(broken: str, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(broken, errors="surrogateescape")
    file.chmod(0o600)
    inline = [SecretStr(broken)] if broken.isprintable() else []
    for reference in (SecretStr(file.as_uri()), *inline):
        with pytest.raises(KeyRingError, match=fault) as caught:
            read_ring(reference)
        told = [str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]
        assert str(caught.value).endswith("correct it, or put it back from a backup.")
        secrets = [each["key"].rstrip("=")[:12] for each in (S1, S2, T1)]
        assert not [text for text in told for secret in secrets if secret in text]


def test_no_text_of_a_ring_or_key_shows_key_material(ring: LocalKeyRing, ring_file: Path) -> None:
    stored: list[dict[str, str]] = json.loads(ring_file.read_text())["keys"]
    shown: list[Any] = [ring, ring.token_key, ring.facts(), *vars(ring).values()]
    texts = "".join(render(thing) for thing in shown for render in (str, repr))
    assert "t1" in texts
    for each in stored:
        secret = base64.b64decode(each["key"])
        assert not any(form in texts for form in (each["key"], secret.hex(), repr(secret)))


def test_rotation_moves_the_active_version_and_what_was_sealed_stays_readable(
    reference: SecretStr, ring: LocalKeyRing, ring_file: Path
) -> None:
    sealed = {b"one": seal(b"one", ring)}
    for number, content in enumerate((b"two", b"three"), start=2):
        assert rotate(reference) == f"s{number}"
        sealed[content] = seal(content, read_ring(reference))
    rotated = read_ring(reference)
    assert {content: unseal(kept, rotated) for content, kept in sealed.items()} == {c: c for c in sealed}
    assert rotated.token_key == ring.token_key
    facts = rotated.facts()
    assert [(key.version, key.purpose, key.is_active) for key in facts] == [
        ("s1", "seal", False), ("t1", "token", True), ("s2", "seal", False), ("s3", "seal", True),
    ]  # fmt: skip
    assert all(datetime.now(UTC) - key.made_at < timedelta(minutes=5) for key in facts)
    assert stat.S_IMODE(ring_file.stat().st_mode) == 0o600
    with pytest.raises(KeyMissing, match="lacks sealing key s3"):
        unseal(sealed[b"three"], ring)


def test_a_ring_in_a_secret_store_says_which_key_to_add_there() -> None:
    with pytest.raises(PermanentError, match="only its secret store can change") as caught:
        rotate(SecretStr(document(S1, S2, T1)))
    assert '"version": "s3", "purpose": "seal"' in str(caught.value)
    assert not any(each["key"] in str(caught.value) for each in (S1, S2, T1))


def test_a_ring_behind_a_link_rotates_where_it_lies(ring_file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(ring_file)
    assert rotate(SecretStr(link.as_uri())) == "s2"
    assert link.is_symlink()
    assert read_ring(SecretStr(ring_file.as_uri())).sealing_version == "s2"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write another's ring")
def test_a_ring_that_root_rotates_stays_its_owners(ring_file: Path, reference: SecretStr) -> None:
    os.chown(ring_file, 65_534, 65_534)
    rotate(reference)
    assert {path.stat().st_uid for path in ring_file.parent.glob("keys.json*") if path.suffix != ".lock"} == {65_534}
