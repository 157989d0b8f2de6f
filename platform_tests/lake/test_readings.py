"""What was read of a file: found as a whole or not at all, by day, and for as long as it is kept."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from data_platform.lake import frames, readings
from data_platform.lake.store import Store

DAYS = [date(2026, 10, day) for day in (1, 2, 3)]
NAME = "mobile_events/some-code/some-file"


def batch(*numbers: int) -> pl.DataFrame:
    days = [DAYS[number % len(DAYS)] for number in numbers]
    return pl.DataFrame({"day": days, "number": numbers}, schema={"day": pl.Date, "number": pl.Int64})


def kept(lake: Store, *batches: pl.DataFrame) -> list[str]:
    writer = readings.Writer(lake, NAME)
    for rows in batches:
        writer.put(rows)
    return writer.end()


def after(**lapse: float) -> datetime:
    return datetime.now(UTC) + timedelta(**lapse)


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_rows_are_found_by_day_in_the_order_in_which_they_came(
    any_lake: Store, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(readings, "_ROWS_AT_ONCE", at_once)
    keys = kept(any_lake, batch(5, 4, 3), batch(), batch(0, 1), batch(8))
    assert readings.find(any_lake, NAME) == keys
    rows = frames.scan(any_lake, keys)
    found = [rows.filter(pl.col("day") == day).collect()["number"].to_list() for day in DAYS]
    assert found == [[3, 0], [4, 1], [5, 8]]


def test_a_file_without_rows_is_known_to_have_none(lake: Store) -> None:
    assert readings.find(lake, NAME) is None
    assert kept(lake, batch()) == []
    assert readings.find(lake, NAME) == []


def test_what_broke_off_is_not_found_and_no_part_of_what_comes_after(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "_ROWS_AT_ONCE", 1)
    readings.Writer(lake, NAME).put(batch(1))
    assert readings.find(lake, NAME) is None
    keys = kept(lake, batch(2), batch(3))
    assert readings.find(lake, NAME) == keys
    assert frames.scan(lake, keys).collect()["number"].to_list() == [2, 3]


def test_of_a_reading_with_a_damaged_or_lost_part_nothing_is_found(
    lake: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "_ROWS_AT_ONCE", 1)
    first, second = kept(lake, batch(2), batch(3))
    content = b"".join(lake.read(first))
    lake.create(first, content[:-1], replace=True)
    assert readings.find(lake, NAME) is None
    lake.create(first, content, replace=True)
    assert readings.find(lake, NAME) == [first, second]
    lake.delete(second)
    assert readings.find(lake, NAME) is None


def test_what_is_kept_is_found_for_a_day_and_removed_after_two(any_lake: Store) -> None:
    keys = kept(any_lake, batch(1))
    assert readings.find(any_lake, NAME, after(hours=23)) == keys
    assert readings.find(any_lake, NAME, after(hours=25)) is None
    readings.remove_old(any_lake, after(hours=47))
    assert len(any_lake.list("readings")) == 2
    readings.remove_old(any_lake, after(hours=49))
    assert any_lake.list("readings") == []
