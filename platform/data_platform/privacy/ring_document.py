"""The form of a key ring's JSON document.

What does not belong here: what the keys do, and where the document lies (`keyring.py`).
"""

import base64
import binascii
import json
import os
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

_KEY_BYTES = 32

Purpose = Literal["seal", "token"]


class NoRing(ValueError):
    """A document is no key ring; the message names fields, and nothing of what they hold."""


def _key_bytes(value: object) -> bytes:
    try:
        key = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise ValueError(f"expected {_KEY_BYTES} bytes in base64")
    return key


class Key(BaseModel):
    """One key of a ring."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    version: Annotated[str, Field(pattern="^[st][1-9][0-9]*$")]
    purpose: Purpose
    made_at: AwareDatetime
    key: Annotated[bytes, BeforeValidator(_key_bytes), Field(repr=False)]

    @model_validator(mode="after")
    def _version_tells_purpose(self) -> Self:
        if self.version[0] != self.purpose[0]:
            raise ValueError("expected a version such as s1 for a sealing key, t1 for the token key")
        return self


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    keys: tuple[Key, ...]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        purposes = Counter(key.purpose for key in self.keys)
        if not purposes["seal"] or purposes["token"] != 1:
            raise ValueError("expected at least one sealing key and exactly one token key")
        if len({key.version for key in self.keys}) < len(self.keys):
            raise ValueError("expected each version once")
        if len({key.key for key in self.keys}) < len(self.keys):
            raise ValueError("expected each key once, not under two versions")
        return self


def keys_of(document: str | bytes) -> Sequence[Key]:
    """The keys of a document, in its order.

    Raises:
        NoRing: It does not have the form.
    """
    try:
        return _Document.model_validate_json(document).keys
    except ValidationError as error:
        faults = [_told(fault) for fault in error.errors(include_url=False, include_input=False)]
    raise NoRing("; ".join(faults))  # outside: not even as its context goes an error that holds the input


def new_key(version: str, purpose: Purpose) -> dict[str, str]:
    """A random key, made now, as it stands in a document."""
    key = base64.b64encode(os.urandom(_KEY_BYTES)).decode()
    return {**described(version, purpose), "key": key}


def described(version: str, purpose: Purpose) -> dict[str, str]:
    """A key made now, with words for the key itself."""
    made_at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {"version": version, "purpose": purpose, "made_at": made_at, "key": f"<{_KEY_BYTES} bytes in base64>"}


def written(*keys: dict[str, str], after: bytes = b'{"keys": []}') -> bytes:
    """A document with keys after those of another."""
    return json.dumps({"keys": [*json.loads(after)["keys"], *keys]}, indent=1).encode()


def _told(fault: ErrorDetails) -> str:
    # The name of a field that is not known is left out: it could be a key that stands in the wrong place.
    known = {*_Document.model_fields, *Key.model_fields}
    place = ".".join(str(part) for part in fault["loc"] if isinstance(part, int) or part in known)
    message = fault["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
