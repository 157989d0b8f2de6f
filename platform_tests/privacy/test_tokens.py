"""Tokens and fingerprints: equal for equal values, different by purpose and key, against HMAC in plain Python."""

import hashlib
import hmac
import traceback
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from data_platform.errors import PermanentError
from data_platform.privacy.keyring import TokenKey, read_ring, rotate
from data_platform.privacy.tokens import fingerprints, tokens

KEY, OTHER = TokenKey("t1", b"\1" * 32), TokenKey("t1", b"\2" * 32)
texts = st.lists(st.none() | st.sampled_from(["", "203.0.113.7", "123-45-6789"]) | st.text())


def by_hand(value: str | None, purpose: str, key: TokenKey) -> str | None:
    derived = hmac.new(key.key, f"data-platform {purpose}".encode(), hashlib.sha256).hexdigest()
    return None if value is None else hmac.new(derived.encode(), value.encode(), hashlib.sha256).hexdigest()


@given(texts, st.text(max_size=5))
def test_tokens_and_fingerprints_are_the_hmac_of_each_value_in_order(values: list[str | None], purpose: str) -> None:
    column = pl.Series("who", values, dtype=pl.String)
    wanted = [by_hand(value, f"token {purpose}", KEY) for value in values]
    found = tokens(column, purpose, KEY)
    assert found.to_list() == [digest and f"t1_{digest}" for digest in wanted]
    prints = fingerprints(column, KEY)
    assert prints.to_list() == [
        digest and digest[:32] for value in values for digest in [by_hand(value, "fingerprint", KEY)]
    ]
    assert {found.name, prints.name} == {"who"}


def test_equal_values_have_equal_tokens_and_null_stays_null() -> None:
    found = tokens(pl.Series(["a", None, "b", "a", "", None]), "ip", KEY)
    assert found[0] == found[3]
    assert found.is_null().to_list() == [False, True, False, False, False, True]
    assert found.drop_nulls().n_unique() == 3
    assert found.drop_nulls().str.contains(r"^t1_[0-9a-f]{64}$").all()


@pytest.mark.parametrize(
    "function", [lambda values: tokens(values, "ip", KEY), lambda values: fingerprints(values, KEY)]
)
def test_columns_of_nulls_and_without_rows_stay_what_they_are(function: Any) -> None:
    assert function(pl.Series("ip", [None, None])).to_list() == [None, None]
    assert function(pl.Series("ip", [], dtype=pl.String)).to_list() == []


def test_another_purpose_or_key_gives_another_token_and_a_fingerprint_is_none() -> None:
    column = pl.Series(["203.0.113.7"])
    found = [
        tokens(column, "ip", KEY), tokens(column, "device", KEY), tokens(column, "ip", OTHER),
        tokens(column, "fingerprint", KEY), fingerprints(column, KEY), fingerprints(column, OTHER),
    ]  # fmt: skip
    assert len({each[0].removeprefix("t1_")[:32] for each in found}) == len(found)


def test_count_distinct_is_the_same_before_during_and_after_rotations(reference: SecretStr) -> None:
    values = pl.Series("ip", [f"203.0.113.{number % 250}" for number in range(3_000)])
    months: list[pl.Series] = []
    for _ in range(3):
        months.append(tokens(values, "ip", read_ring(reference).token_key))
        rotate(reference)
    together = pl.concat(months)
    assert values.n_unique() == together.n_unique() == 250
    assert months[0].equals(months[1])
    assert months[0].equals(months[2])


@pytest.mark.parametrize(
    "values",
    [
        pl.Series("ip", ["203.0.113.7"], dtype=pl.Enum(["203.0.113.7"])),
        pl.Series("ip", ["203.0.113.7"], dtype=pl.Categorical),
        pl.Series("ip", [["203.0.113.7"]]),
        pl.Series("ip", [{"203.0.113.7": "203.0.113.7"}]),
        pl.Series("ip", [b"203.0.113.7"]),
        pl.Series("ip", [3_405_803_783]),
    ],
)
def test_what_is_no_text_is_refused_without_a_value_in_the_error(values: pl.Series) -> None:
    for function in (lambda: tokens(values, "ip", KEY), lambda: fingerprints(values, KEY)):
        with pytest.raises(PermanentError, match="Column ip holds .* only text can be masked; cast it") as caught:
            function()
        told = f"{caught.value!r} {caught.value}" + "".join(
            line for line in traceback.format_exception(caught.value) if "File" not in line
        )
        assert "113.7" not in told
        assert "3405803783" not in told
