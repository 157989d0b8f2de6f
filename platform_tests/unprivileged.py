"""What a user without rights meets, also where root runs the tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_NOBODY = 65_534


@contextmanager
def without_rights() -> Iterator[None]:
    """Root acts as nobody inside; whoever is not root stays who they are."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
