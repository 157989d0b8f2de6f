"""The keys of personal data: those that wrap the key of each sealed content, and the one that makes tokens.

The interface `KeyRing` is all that sealing and tokens know; `LocalKeyRing` serves it from a JSON document. What does
not belong here: the form of that document (`ring_document.py`), and how a file is changed (`private_file.py`).
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from data_platform.errors import PermanentError
from data_platform.privacy import private_file, ring_document
from data_platform.privacy.ring_document import Key, NoRing, Purpose

_NONCE_BYTES = 12


class KeyRingError(PermanentError):
    """The key ring cannot be used, or is not the one that a content was sealed by."""


class KeyMissing(PermanentError):
    """The ring does not have the key by which a content was sealed."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"The key ring lacks sealing key {version}, by which this content was sealed;"
            " put that key back into PRIVACY_KEYS from a backup."
        )


@dataclass(frozen=True)
class TokenKey:
    """The key that turns values into tokens, and the version that each token begins with."""

    version: str
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class KeyFacts:
    """What may be told of a key. Active is the sealing key that seals what is new, and the token key."""

    version: str
    purpose: Purpose
    made_at: datetime
    is_active: bool


class KeyRing(Protocol):
    """What sealing and tokens need of keys.

    A key management service can stand behind it as well: `wrap` and `unwrap` are its calls Encrypt and Decrypt, so
    that a sealing key never leaves it; the token key is a secret that it has encrypted, opened once at the start.
    """

    @property
    def sealing_version(self) -> str:
        """Version of the key that `wrap` uses."""
        ...

    @property
    def token_key(self) -> TokenKey:
        """The one key that makes tokens."""
        ...

    def wrap(self, data_key: bytes) -> tuple[str, bytes]:
        """Encrypts the key of one content; gives the sealing key's version and the wrapped key."""
        ...

    def unwrap(self, version: str, wrapped: bytes) -> bytes:
        """Decrypts what `wrap` gave.

        Raises:
            KeyMissing: The ring has no sealing key of this version.
            KeyRingError: The ring's key of this version did not wrap this.
        """
        ...


class LocalKeyRing:
    """A key ring from a JSON document; the last sealing key in it seals, all of them unseal."""

    def __init__(self, document: str | bytes, *, called: str = "The key ring") -> None:
        """Reads the document.

        Args:
            document: `{"keys": [{"version": "s1", "purpose": "seal", "made_at": "2026-01-31T12:00:00Z", "key":
                "<32 bytes in base64>"}, {"version": "t1", "purpose": "token", ...}]}`.
            called: What an error calls it.

        Raises:
            KeyRingError: It does not have this form; the sentence names fields, and nothing of what they hold.
        """
        try:
            self._keys: Sequence[Key] = ring_document.keys_of(document)
        except NoRing as error:
            raise KeyRingError(
                f"{called} cannot be used ({error}); correct it, or put it back from a backup."
            ) from error

    @property
    def sealing_version(self) -> str:
        """Version of the newest sealing key."""
        return self._sealing_key.version

    @property
    def token_key(self) -> TokenKey:
        """The token key."""
        [key] = [key for key in self._keys if key.purpose == "token"]
        return TokenKey(key.version, key.key)

    def wrap(self, data_key: bytes) -> tuple[str, bytes]:
        """Encrypts the key of one content by AES-256-GCM, with the version as associated data.

        Random nonces are safe for 2**32 wraps by one key: at a thousand contents a minute, for eight years.
        """
        key, nonce = self._sealing_key, os.urandom(_NONCE_BYTES)
        return key.version, nonce + AESGCM(key.key).encrypt(nonce, data_key, key.version.encode())

    def unwrap(self, version: str, wrapped: bytes) -> bytes:
        """Decrypts what `wrap` gave, by the key of that version.

        Raises:
            KeyMissing: The ring has no sealing key of this version.
            KeyRingError: The ring's key of this version did not wrap this.
        """
        for key in self._keys:
            if key.version == version and key.purpose == "seal":
                try:
                    return AESGCM(key.key).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], version.encode())
                except (InvalidTag, ValueError):
                    raise KeyRingError(
                        f"Sealing key {version} of the ring does not open what was wrapped under that version;"
                        " put the ring that sealed it back into PRIVACY_KEYS from a backup."
                    ) from None
        raise KeyMissing(version)

    def facts(self) -> list[KeyFacts]:
        """What may be told of each key, in the order of the document."""
        active = {self.sealing_version, self.token_key.version}
        return [KeyFacts(key.version, key.purpose, key.made_at, key.version in active) for key in self._keys]

    def next_sealing_version(self) -> str:
        """The version that a new sealing key gets."""
        return f"s{1 + max(int(key.version[1:]) for key in self._keys if key.purpose == 'seal')}"

    @property
    def _sealing_key(self) -> Key:
        return [key for key in self._keys if key.purpose == "seal"][-1]


def read_ring(reference: SecretStr) -> LocalKeyRing:
    """The key ring that a setting names.

    Args:
        reference: `file:///folder/keys.json`, or the JSON document itself.

    Raises:
        KeyRingError: It is missing, cannot be read, is open to others, or is no key ring.
    """
    file = _file_of(reference)
    if file:
        return _read(file)[1]
    return LocalKeyRing(reference.get_secret_value(), called="The key ring in PRIVACY_KEYS")


def ensure_ring(file: Path) -> None:
    """Makes a ring with one sealing key and one token key, unless the file is there; that one is left alone.

    Of several processes one makes it, and all find the same.

    Raises:
        KeyRingError: The folder cannot be written.
    """
    with _one_sentence(file):
        if file.exists():
            return
        with private_file.changing(file):
            if not file.exists():
                first = ring_document.new_key("s1", "seal"), ring_document.new_key("t1", "token")
                private_file.replace(file, ring_document.written(*first))


def rotate(reference: SecretStr) -> str:
    """Adds a sealing key, which seals from now on; the old ones stay, because older content is sealed by them.

    The token key does not rotate: another one would give each value a second token, which no longer joins with the
    first and counts as a second value. So equal values keep equal tokens, and COUNT(DISTINCT) stays what it was.

    Args:
        reference: `file:///folder/keys.json`; a ring inside the setting itself can be changed only where it is kept.

    Returns:
        The new key's version: s2, s3, ...

    Raises:
        KeyRingError: The ring cannot be used or changed.
    """
    file = _file_of(reference)
    if file is None:
        version = read_ring(reference).next_sealing_version()
        form = json.dumps(ring_document.described(version, "seal"))
        raise KeyRingError(
            "PRIVACY_KEYS holds the key ring itself, which only its secret store can change;"
            f' there, add {form} to the end of "keys".'
        )
    file = file.resolve()
    _read(file)
    with _one_sentence(file), private_file.changing(file):
        document, ring = _read(file)
        version = ring.next_sealing_version()
        added = ring_document.written(ring_document.new_key(version, "seal"), after=document)
        private_file.replace(file, added)
    return version


def _file_of(reference: SecretStr) -> Path | None:
    text = reference.get_secret_value().strip()
    if text.startswith("{"):
        return None
    parts = urlsplit(text)
    if parts.scheme != "file" or parts.netloc or not parts.path.startswith("/"):
        raise KeyRingError("PRIVACY_KEYS names no key ring; set file:///folder/keys.json, or the ring itself as JSON.")
    return Path(unquote(parts.path))


def _read(file: Path) -> tuple[bytes, LocalKeyRing]:
    try:
        document, is_private = private_file.read(file)
    except FileNotFoundError:
        raise KeyRingError(
            f"There is no key ring at {file}; put it there from a backup, or correct PRIVACY_KEYS."
        ) from None
    except OSError as error:
        raise KeyRingError(
            f"The key ring {file} cannot be read ({error.strerror}); make it a file of the user who runs this."
        ) from None
    if not is_private:
        raise KeyRingError(f"The key ring {file} is open to its group or to others; close it by chmod 600 {file}.")
    return document, LocalKeyRing(document, called=f"The key ring {file}")


@contextmanager
def _one_sentence(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyRingError(
            f"The key ring {file} cannot be written ({error.strerror}); run this as its owner, where there is space."
        ) from None
