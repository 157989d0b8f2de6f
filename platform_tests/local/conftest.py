"""Folders for an embedded Postgres; after each test nothing may run there any more."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_platform.local import postgres
from data_platform.local.postgres import LocalPostgresError
from platform_tests.local.embedded_postgres import kill_users, processes_under


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield from _guarded(tmp_path / "local postgres")


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A folder whose parents everybody may pass, unlike pytest's."""
    place = Path(tempfile.mkdtemp(prefix="postgres-test-"))
    place.chmod(0o755)
    yield from _guarded(place / "home")
    shutil.rmtree(place)


def _guarded(folder: Path) -> Iterator[Path]:
    try:
        yield folder
    finally:
        kill_users()
        postgres.release(folder)
        with contextlib.suppress(LocalPostgresError):
            postgres.stop(folder)
        left = [process.pid for process in processes_under(folder)]
    assert left == []
