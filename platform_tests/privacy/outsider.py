"""Somebody who has the database and this code, and no key: hashes all values that there can be, and looks for them."""

import hashlib
from collections.abc import Callable, Iterator

import polars as pl
import polars_hash as plh

from data_platform.privacy.keyring import TokenKey
from data_platform.privacy.tokens import fingerprints, tokens

Hash = Callable[[pl.Series], pl.Series]

_DIGITS = 32
"""As many as MD5 has: a longer hash is known by its beginning, also where it was cut."""


def _plugin(expression: pl.Expr) -> Hash:
    return lambda values: values.to_frame("value").select(expression).to_series()


def _python(name: str) -> Hash:
    def digests(values: pl.Series) -> pl.Series:
        new = getattr(hashlib, name)
        return pl.Series([new(value.encode()).hexdigest() for value in values.to_list()])

    return digests


def hashes(purpose: str) -> Iterator[tuple[str, Hash]]:
    """What an outsider would try: hashes without a key, with a prefix, and keyed by what can be guessed."""
    value = plh.col("value")
    yield "sha256", _plugin(value.chash.sha2_256())
    yield "sha512", _plugin(value.chash.sha2_512())
    yield "sha1", _plugin(value.nchash.sha1())
    yield "md5", _plugin(value.nchash.md5())
    yield "sha3_256", _plugin(value.chash.sha3_256())
    yield "blake3", _plugin(value.chash.blake3())
    yield "blake2b", _python("blake2b")
    yield "sha256 after purpose", _plugin(plh.concat_str(pl.lit(purpose), "value").chash.sha2_256())
    for guess in ("", "t1", "secret", purpose):
        yield f"hmac by {guess!r}", _plugin(value.chash.hmac_sha256(key=guess))


def insiders_hashes(purpose: str) -> Iterator[tuple[str, Hash]]:
    """The platform's own functions, under keys that can be guessed."""
    for name, key in (("zeros", bytes(32)), ("secret", b"secret")):
        guessed = TokenKey("t1", key)
        yield f"token by {name}", lambda values, key=guessed: tokens(values, purpose, key)
        yield f"fingerprint by {name}", lambda values, key=guessed: fingerprints(values, key)


def recovered(column: pl.Series, candidates: pl.Series, tried: Iterator[tuple[str, Hash]]) -> dict[str, list[str]]:
    """The values behind a column of hashes or tokens, by the hash that gave them away."""
    wanted = _beginning(column).unique()
    found = {
        name: candidates.filter(_beginning(digests(candidates)).is_in(wanted.implode())).to_list()
        for name, digests in tried
    }
    return {name: values for name, values in found.items() if values}


def _beginning(hashed: pl.Series) -> pl.Series:
    return hashed.str.strip_prefix("t1_").str.head(_DIGITS)
