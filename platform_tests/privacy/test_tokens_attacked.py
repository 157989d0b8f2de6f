"""Tokens against an outsider who tries every address of a network and a million device ids."""

from itertools import chain

import polars as pl
import pytest

from data_platform.privacy.keyring import LocalKeyRing, TokenKey
from data_platform.privacy.tokens import fingerprints, tokens
from platform_tests.privacy.outsider import hashes, insiders_hashes, recovered


def _addresses() -> pl.Series:
    """All of 172.16.0.0/12."""
    number = pl.int_range(2**20, eager=False)
    octets = 16 + number // 2**16, number // 2**8 % 2**8, number % 2**8
    return pl.select(pl.format("172.{}.{}.{}", *octets)).to_series()


def _devices() -> pl.Series:
    """All of `417-NN-NNNN`."""
    number = pl.int_range(10**6, eager=False).cast(pl.String).str.zfill(6)
    return pl.select(pl.format("417-{}-{}", number.str.head(2), number.str.tail(4))).to_series()


CANDIDATES = {"ip": _addresses(), "device": _devices()}
VICTIMS = {purpose: values.sample(50, seed=7) for purpose, values in CANDIDATES.items()}


def test_the_outsider_tries_what_is_said() -> None:
    addresses, devices = CANDIDATES.values()
    assert (addresses.n_unique(), addresses[0], addresses[-1]) == (2**20, "172.16.0.0", "172.31.255.255")
    assert (devices.n_unique(), devices[0], devices[-1]) == (10**6, "417-00-0000", "417-99-9999")


@pytest.mark.parametrize("purpose", CANDIDATES)
def test_an_outsider_without_the_key_recovers_nobody(purpose: str, ring: LocalKeyRing) -> None:
    victims = VICTIMS[purpose]
    column = pl.concat([tokens(victims, purpose, ring.token_key), fingerprints(victims, ring.token_key)])
    tried = chain(hashes(purpose), insiders_hashes(purpose))
    assert recovered(column, CANDIDATES[purpose], tried) == {}


@pytest.mark.parametrize("purpose", CANDIDATES)
def test_the_same_outsider_recovers_everybody_from_a_plain_hash(purpose: str) -> None:
    victims, sha256 = VICTIMS[purpose], dict(hashes(purpose))["sha256"]
    [(name, found)] = recovered(sha256(victims), CANDIDATES[purpose], iter([("sha256", sha256)])).items()
    assert (name, sorted(found)) == ("sha256", sorted(victims))


@pytest.mark.parametrize("name", [name for name, _ in chain(hashes("ip"), insiders_hashes("ip"))])
def test_each_of_the_outsiders_hashes_would_find_its_own(name: str) -> None:
    """In a small network, for each of them."""
    neighbours = CANDIDATES["ip"].head(4_096)
    tried = dict(chain(hashes("ip"), insiders_hashes("ip")))
    found = recovered(tried[name](neighbours.sample(20, seed=7)), neighbours, iter(tried.items()))
    assert {guess: len(values) for guess, values in found.items()} == {name: 20}


def test_a_token_key_that_can_be_guessed_gives_everybody_away() -> None:
    column = tokens(VICTIMS["ip"], "ip", TokenKey("t1", bytes(32)))
    found = recovered(
        column, CANDIDATES["ip"].filter(CANDIDATES["ip"].is_in(VICTIMS["ip"].implode())), insiders_hashes("ip")
    )
    assert {name: len(values) for name, values in found.items()} == {"token by zeros": 50}
