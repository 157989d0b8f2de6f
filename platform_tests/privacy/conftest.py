"""A key ring in a file, as the embedded stack has one."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from data_platform.privacy.keyring import LocalKeyRing, ensure_ring, read_ring


@pytest.fixture
def ring_file(tmp_path: Path) -> Path:
    file = tmp_path / "keys" / "keys.json"
    ensure_ring(file)
    return file


@pytest.fixture
def reference(ring_file: Path) -> SecretStr:
    return SecretStr(ring_file.as_uri())


@pytest.fixture
def ring(reference: SecretStr) -> LocalKeyRing:
    return read_ring(reference)
