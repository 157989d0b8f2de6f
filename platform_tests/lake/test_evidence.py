"""Evidence: kept once, under its own content, or not at all."""

import hashlib

import pytest

from data_platform.lake import evidence
from data_platform.lake.store import Store

CONTENT = b"Name,Phone\r\nA,702-555-0100\r\n"
ID = hashlib.sha256(CONTENT).hexdigest()


def test_a_fingerprint_is_the_sha_256_of_the_content_however_it_is_cut() -> None:
    whole, cut = evidence.fingerprint([CONTENT]), evidence.fingerprint([CONTENT[:3], b"", CONTENT[3:]])
    assert whole == cut == (ID, len(CONTENT))


def test_the_same_content_is_kept_once(any_lake: Store) -> None:
    assert evidence.keep(any_lake, ID, [CONTENT], num_bytes=len(CONTENT), called="a.csv")
    assert not evidence.keep(any_lake, ID, [CONTENT], num_bytes=len(CONTENT), called="b.csv")
    assert [entry.key for entry in any_lake.list()] == [evidence.key_of(ID)]
    assert b"".join(any_lake.read(evidence.key_of(ID))) == CONTENT


def test_a_content_that_changed_while_it_was_read_is_not_kept(any_lake: Store) -> None:
    with pytest.raises(evidence.ChangedWhileRead, match=r"a\.csv changed while it was read"):
        evidence.keep(any_lake, ID, [CONTENT, b"one line more"], num_bytes=len(CONTENT), called="a.csv")
    assert any_lake.list() == []
