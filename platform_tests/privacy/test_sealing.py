"""Sealed contents: what comes back is what went in, or a refusal."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_platform.errors import PermanentError
from data_platform.privacy import ring_document
from data_platform.privacy.keyring import KeyMissing, LocalKeyRing
from data_platform.privacy.sealing import SealBroken, is_sealed, key_version, seal, unseal


def a_ring() -> LocalKeyRing:
    keys = ring_document.new_key("s1", "seal"), ring_document.new_key("t1", "token")
    return LocalKeyRing(ring_document.written(*keys))


class ServiceRing:
    """As a key management service has it: the wrapped key tells by itself which key opens it."""

    sealing_version = "arn:aws:kms:us-east-1:111122223333:key/1"

    def __init__(self) -> None:
        self._behind = a_ring()
        self.token_key = self._behind.token_key

    def wrap(self, data_key: bytes) -> tuple[str, bytes]:
        return self.sealing_version, self._behind.wrap(data_key)[1]

    def unwrap(self, version: str, wrapped: bytes) -> bytes:
        return self._behind.unwrap("s1", wrapped)


RING = a_ring()
CONTENT = b"203.0.113.7,123-45-6789"


@given(st.binary())
def test_what_was_sealed_comes_back(content: bytes) -> None:
    sealed = seal(content, RING)
    assert unseal(sealed, RING) == content
    assert is_sealed(sealed)
    assert is_sealed(sealed[:23])
    assert key_version(sealed) == key_version(sealed[:100]) == "s1"


def test_large_contents_and_nothing_at_all_come_back() -> None:
    for content in (b"", os.urandom(5_000_000)):
        assert unseal(seal(content, RING), RING) == content


def test_a_content_shows_nowhere_and_sealed_twice_it_differs() -> None:
    first, second = seal(CONTENT, RING), seal(CONTENT, RING)
    assert not [part for part in CONTENT.split(b",") if part in first]
    num_alike = sum(a == b for a, b in zip(first[28:], second[28:], strict=True))
    assert num_alike < 20


def test_every_single_changed_byte_is_refused() -> None:
    sealed = seal(CONTENT, RING)
    for place in range(len(sealed)):
        for change in (0x01, 0x80, 0xFF):
            changed = sealed[:place] + bytes([sealed[place] ^ change]) + sealed[place + 1 :]
            with pytest.raises((SealBroken, KeyMissing)):
                unseal(changed, RING)


def test_a_service_can_stand_behind_the_ring_and_no_byte_changes_there_either() -> None:
    ring = ServiceRing()
    sealed = seal(CONTENT, ring)
    assert (unseal(sealed, ring), key_version(sealed)) == (CONTENT, ring.sealing_version)
    for place in range(len(sealed)):
        with pytest.raises(SealBroken):
            unseal(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :], ring)


def test_every_cut_and_every_byte_more_is_refused() -> None:
    sealed = seal(CONTENT, RING)
    for length in range(len(sealed)):
        for changed in (sealed[:length], sealed[:length] + b"\0" + sealed[length:], sealed[length + 1 :]):
            with pytest.raises((SealBroken, KeyMissing)):
                unseal(changed, RING)
    with pytest.raises(SealBroken):
        unseal(sealed + b"\0", RING)


def test_parts_of_two_sealed_contents_make_no_third() -> None:
    one, other = seal(b"one's content", RING), seal(b"the other one", RING)
    for place in range(len(one)):
        mixed = one[:place] + other[place:]
        if mixed not in (one, other):
            with pytest.raises(SealBroken):
                unseal(mixed, RING)


@given(st.binary() | st.binary().map(lambda rest: b"data-platform sealed 1\n" + rest))
def test_what_nobody_sealed_is_refused_in_one_sentence(content: bytes) -> None:
    with pytest.raises(PermanentError) as caught:
        unseal(content, RING)
    assert str(caught.value).isprintable()


def test_another_ring_with_a_key_of_the_same_version_is_told() -> None:
    with pytest.raises(SealBroken) as caught:
        unseal(seal(CONTENT, RING), a_ring())
    assert str(caught.value) == (
        "A sealed content was changed or cut since it was sealed, or another ring's key s1 sealed it;"
        " put it, or the ring, back from a backup."
    )


@pytest.mark.parametrize("content", [b"", b"data-platform sealed", b"data-platform sealed 2\n", b"ip,device\n"])
def test_what_is_not_sealed_is_known_by_its_beginning(content: bytes) -> None:
    assert not is_sealed(content)
    with pytest.raises(SealBroken, match="changed or cut"):
        key_version(content)
