"""The sample world is laid whole, however often laying was interrupted, and never beside what others brought."""

from pathlib import Path

import pytest

from data_platform.lake import snapshots
from data_platform.lake.store import Store
from data_platform.local.sample_world import app, settle
from data_platform.local.sample_world.mobile import event_files
from data_platform.settings import Settings

ZONE = "UTC"


def folder(path: Path) -> Store:
    return Store(path.as_uri())


def keys(store: Store) -> list[str]:
    return [entry.key for entry in store.list()]


def settle_in(path: Path, *, anything_arrived: bool = False) -> Store:
    landing = folder(path / "landing")
    settle(Settings(local_dir=path), folder(path / "lake"), landing, None, None, anything_arrived=anything_arrived)
    return landing


@pytest.mark.parametrize("laid", [0, 1, 8, 9, -1])
def test_files_whose_laying_was_interrupted_are_laid_to_the_last(tmp_path: Path, laid: int) -> None:
    landing = settle_in(tmp_path)
    whole = keys(landing)
    for key in whole[laid:]:
        landing.delete(key)
    assert keys(settle_in(tmp_path)) == whole


def test_files_are_laid_as_they_are(tmp_path: Path) -> None:
    landing = settle_in(tmp_path)
    found = {entry.name: b"".join(landing.read(entry.key)) for entry in landing.list("mobile_events")}
    assert found == {file.file_name: file.content for file in event_files()}


def test_nothing_is_laid_beside_a_file_of_others_or_once_anything_arrived(tmp_path: Path) -> None:
    folder(tmp_path / "landing").create("mobile_events/theirs.csv", b"")
    assert keys(settle_in(tmp_path)) == ["mobile_events/theirs.csv"]
    assert keys(settle_in(tmp_path / "later", anything_arrived=True)) == []


def test_nothing_is_laid_where_anything_outside_is_named(tmp_path: Path) -> None:
    landing = folder(tmp_path / "landing")
    named = Settings(local_dir=tmp_path, landing_uri=landing.uri)
    settle(named, folder(tmp_path / "lake"), landing, None, None, anything_arrived=False)
    assert keys(landing) == []


@pytest.mark.parametrize("taken", [0, 1, -1])
def test_snapshots_whose_taking_was_interrupted_are_taken_to_the_last(tmp_path: Path, taken: int) -> None:
    lake = folder(tmp_path)
    app.take_snapshots(lake, ZONE)
    whole = keys(lake)
    snapshots.delete(lake, app.COUNTERS, snapshots.days(lake, app.COUNTERS)[taken:])
    app.take_snapshots(lake, ZONE)
    assert keys(lake) == whole


def test_snapshots_that_were_pruned_are_not_taken_again(tmp_path: Path) -> None:
    lake = folder(tmp_path)
    app.take_snapshots(lake, ZONE)
    snapshots.delete(lake, app.COUNTERS, snapshots.days(lake, app.COUNTERS)[:40])
    pruned = keys(lake)
    app.take_snapshots(lake, ZONE)
    assert keys(lake) == pruned
