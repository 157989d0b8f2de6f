"""Contents sealed by AES-256-GCM, each under a key of its own, which the ring wraps.

A sealed content is a header (magic line, version of the sealing key, wrapped key, nonce) and the ciphertext; the header
is its associated data, so no byte of either changes unnoticed. What does not belong here: where it is kept.
"""

import os
import re
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from data_platform.errors import PermanentError
from data_platform.privacy.keyring import KeyRing, KeyRingError

_MAGIC = b"data-platform sealed 1\n"
_LENGTHS = struct.Struct(">BH")  # of version and wrapped key
_NONCE_BYTES = 12
_VERSION = re.compile(rb"[\x21-\x7e]+")


class SealBroken(PermanentError):
    """A sealed content is not what was sealed, or this ring did not seal it."""


@dataclass(frozen=True)
class _Header:
    version: str
    wrapped: bytes
    nonce: bytes
    num_bytes: int


def seal(content: bytes, ring: KeyRing) -> bytes:
    """Seals a content of less than 2 GiB under a fresh key; sealed twice, it differs."""
    data_key, nonce = AESGCM.generate_key(bit_length=256), os.urandom(_NONCE_BYTES)
    version, wrapped = ring.wrap(data_key)
    header = _MAGIC + _LENGTHS.pack(len(version), len(wrapped)) + version.encode("ascii") + wrapped + nonce
    return header + AESGCM(data_key).encrypt(nonce, content, header)


def unseal(sealed: bytes, ring: KeyRing) -> bytes:
    """The content that was sealed.

    Raises:
        SealBroken: It was changed or cut since, or another ring sealed it.
        KeyMissing: The ring does not have the key that sealed it.
    """
    header = _header(sealed)
    try:
        data_key = ring.unwrap(header.version, header.wrapped)
        return AESGCM(data_key).decrypt(header.nonce, sealed[header.num_bytes :], sealed[: header.num_bytes])
    except (InvalidTag, KeyRingError, ValueError):
        raise _broken(f", or another ring's key {header.version} sealed it") from None


def is_sealed(beginning: bytes) -> bool:
    """Whether a content that begins so is a sealed one; 23 bytes are enough."""
    return beginning.startswith(_MAGIC)


def key_version(sealed: bytes) -> str:
    """Version of the key that sealed a content, read and not proven; the first kilobyte is enough.

    Raises:
        SealBroken: It does not begin as a sealed content does.
    """
    return _header(sealed).version


def _header(sealed: bytes) -> _Header:
    lengths_end = len(_MAGIC) + _LENGTHS.size
    if not is_sealed(sealed) or len(sealed) < lengths_end:
        raise _broken()
    version_length, wrapped_length = _LENGTHS.unpack_from(sealed, len(_MAGIC))
    version_end = lengths_end + version_length
    nonce_start = version_end + wrapped_length
    version, end = sealed[lengths_end:version_end], nonce_start + _NONCE_BYTES
    if len(sealed) < end or not _VERSION.fullmatch(version):
        raise _broken()
    return _Header(version.decode("ascii"), sealed[version_end:nonce_start], sealed[nonce_start:end], end)


def _broken(or_else: str = "") -> SealBroken:
    return SealBroken(
        f"A sealed content was changed or cut since it was sealed{or_else}; put it, or the ring, back from a backup."
    )
