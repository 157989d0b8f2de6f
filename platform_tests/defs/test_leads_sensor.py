"""The sensor: sees new content, asks for its day once, and sleeps through copies, touches and new names."""

import os
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import pytest

from data_platform.defs import asking
from data_platform.lake.store import Store
from platform_tests.defs.conftest import JULY_7, JULY_14, Platform


def asked(platform: Platform) -> list[dg.RunRequest]:
    sensor = platform.definitions.resolve_sensor_def("lead_files_sensor")
    with dg.build_sensor_context(
        instance=platform.instance, definitions=platform.definitions, sensor_name=sensor.name,
        resources=dict(platform.definitions.resources or {}),
    ) as context:  # fmt: skip
        return list(sensor.evaluate_tick(context).run_requests or ())


def days(platform: Platform) -> list[str | None]:
    return [request.partition_key for request in asked(platform)]


def folder_of(store: Store) -> Path:
    return Path(urlsplit(store.uri).path)


def test_an_empty_landing_prefix_asks_for_nothing(platform: Platform) -> None:
    assert asked(platform) == []


def test_new_files_ask_for_their_days_until_they_are_published(platform: Platform) -> None:
    platform.drop()
    first = asked(platform)
    assert [request.partition_key for request in first] == [JULY_7.isoformat(), JULY_14.isoformat()]
    assert [request.run_key for request in asked(platform)] == [request.run_key for request in first]
    platform.run(JULY_7)
    assert days(platform) == [JULY_14.isoformat()]
    platform.run(JULY_14)
    assert days(platform) == []


def test_a_copy_a_touch_and_a_new_name_ask_for_nothing(platform: Platform) -> None:
    platform.drop()
    platform.run(JULY_7, JULY_14)
    assert days(platform) == []
    leads = folder_of(platform.landing) / "leads"
    for number, path in enumerate(sorted(leads.iterdir())):
        if number % 3 == 0:
            path.touch()
        elif number % 3 == 1:
            (leads / f"copy {number}.csv").write_bytes(path.read_bytes())
        else:
            path.rename(leads / f"renamed {number}.csv")
    assert days(platform) == []


def test_another_content_of_the_same_day_asks_again_with_another_key(platform: Platform) -> None:
    platform.drop("NV", days=(JULY_7,))
    [first] = asked(platform)
    platform.drop("TX", days=(JULY_7,))
    [second] = asked(platform)
    assert first.partition_key == second.partition_key
    assert first.run_key != second.run_key


def test_a_file_too_large_for_a_tick_is_left_to_the_run(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_READ_IN_A_TICK", 10)
    platform.drop("NV", days=(JULY_7,))
    assert days(platform) == [JULY_7.isoformat()]
    assert platform.query("SELECT count(*) FROM ops.evidence") == [(0,)]
    platform.run(JULY_7)
    assert platform.query("SELECT count(*) FROM ops.evidence") == [(1,)]
    assert days(platform) == []


def test_a_run_that_made_the_records_and_not_the_table_is_asked_for_again(platform: Platform) -> None:
    platform.drop()
    platform.run(JULY_7, JULY_14, assets=("raw_leads",))
    [request] = asked(platform)
    assert request.asset_selection == [dg.AssetKey("leads")]
    platform.run(assets=("leads",))
    assert asked(platform) == []


def test_a_file_with_an_impossible_time_is_delivered_today_and_stops_nobody(platform: Platform) -> None:
    platform.drop("NV", days=(JULY_7,))
    for name, time in (("old.csv", 315_360_000), ("ahead.csv", 4_102_444_800)):
        path = folder_of(platform.landing) / "leads" / name
        path.write_text(f"a,b\n1,{name}\n")
        os.utime(path, (time, time))
    today = datetime.now(UTC).date().isoformat()
    assert days(platform) == [JULY_7.isoformat(), today]
    assert platform.run(date.fromisoformat(today)).success
