"""Keys of personal data on the terminal: which there are, and a new one; never a key itself."""

import json
import sys
from dataclasses import asdict
from datetime import UTC
from pathlib import Path

from pydantic import SecretStr
from rich import box
from rich.console import Console
from rich.table import Table

from data_platform.privacy.keyring import ensure_ring, read_ring, rotate


def keys_list(reference: SecretStr, *, as_json: bool) -> int:
    """Prints what may be told of each key: version, purpose, when it was made, and which is active.

    Args:
        reference: The key ring: `file:///folder/keys.json`, or its JSON.
        as_json: As JSON instead of a table.

    Returns:
        The exit code.

    Raises:
        KeyRingError: The ring cannot be used.
    """
    facts = read_ring(reference).facts()
    if as_json:
        print(json.dumps([asdict(key) for key in facts], indent=1, default=lambda made_at: made_at.isoformat()))
        return 0
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("version", "purpose", "made at (UTC)", "active"):
        table.add_column(column, no_wrap=True)
    for key in facts:
        table.add_row(
            key.version, key.purpose, f"{key.made_at.astimezone(UTC):%Y-%m-%d %H:%M}", "yes" if key.is_active else ""
        )
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    return 0


def keys_rotate(reference: SecretStr) -> int:
    """Adds a sealing key to a ring in a file, which seals from now on.

    Args:
        reference: The key ring: `file:///folder/keys.json`.

    Returns:
        The exit code.

    Raises:
        KeyRingError: The ring cannot be used, or is not in a file.
    """
    version = rotate(reference)
    print(f"Sealing key {version} seals from now on; what older keys sealed stays readable, and tokens stay the same.")
    print("Back the key ring up now: what a lost key sealed cannot be read again.")
    return 0


def keys_new(file: Path) -> int:
    """Makes a key ring in a file, unless there is one, and says how the platform is told of it.

    Args:
        file: Where it goes.

    Returns:
        The exit code.

    Raises:
        KeyRingError: The file cannot be written, or is no key ring.
    """
    place = file.expanduser().absolute()
    existed = place.exists()
    ensure_ring(place)
    read_ring(SecretStr(place.as_uri()))
    print(f"{place} {'was there already and is left as it is' if existed else 'is a new key ring'}.")
    print(f"Set PRIVACY_KEYS={place.as_uri()}, and back it up: without it nobody can open what it sealed.")
    return 0
