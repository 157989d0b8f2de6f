"""The benchmark of sessions, with tiny samples: that all ways find the same, and that the judge would see it if not."""

import json
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest

from benchmarks.__main__ import main
from benchmarks.sessions import deliveries, judge, samples
from benchmarks.sessions.contenders import CONTENDERS, Task
from benchmarks.sessions.race import meaning
from data_platform.contracts.mobile_events import CONTENT, MobileEvents

WAYS = [name for name in CONTENDERS if name != "clickhouse" or find_spec("chdb")]


def test_days_are_as_they_are_published_with_the_cases_that_wrong_ways_get_wrong() -> None:
    days = dict(samples.days(20_000, 3))
    assert len(days) == 3
    for day, rows in days.items():
        MobileEvents.validate(rows)
        assert rows["day"].unique().to_list() == [day]
        assert rows.select(CONTENT).equals(rows.select(CONTENT).unique().sort(CONTENT))
    events = pl.concat(days.values()).sort("anonymous_id", "device_id", "created_at")
    passed = pl.col("created_at").diff().over("anonymous_id", "device_id").dt.total_milliseconds()
    assert {0, 899_999, 900_000} <= set(events.select(passed).to_series())
    assert events.group_by("anonymous_id").agg(pl.col("device_id").n_unique())["device_id"].max() == 2
    over_midnight = (passed < 900_000) & (pl.col("day").diff().over("anonymous_id", "device_id") > timedelta(0))
    assert events.select(over_midnight.any()).item()


def test_the_same_arguments_give_the_same_events() -> None:
    one, two = (pl.concat(rows for _, rows in samples.days(5_000, 2)) for _ in range(2))
    assert one.equals(two)
    assert not one.equals(pl.concat(rows for _, rows in samples.days(5_000, 2, seed=7)))


def test_every_way_finds_the_same_sessions(tmp_path: Path) -> None:
    (tmp_path / "days").mkdir()
    samples.write(tmp_path / "days", 20_000, 3)
    days = sorted((tmp_path / "days").iterdir())
    found: dict[str, dict[str, str | int]] = {}
    for name in WAYS:
        into = tmp_path / name
        into.mkdir()
        CONTENDERS[name](Task(days, into, **meaning()))
        found[name] = judge.found(into)
    del found["bare"], found["new-day"]
    assert set(found) >= {"ours", "ours-whole", "duckdb", "duckdb-windows", "pandas"}
    assert {name: what for name, what in found.items() if what != found["ours"]} == {}
    assert found["ours"]["num_events"] == sum(pl.read_parquet(day).height for day in days)


def test_the_ways_run_in_turns_in_processes_of_their_own_and_the_folder_is_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, figures = tmp_path / "made", tmp_path / "figures.json"
    folder.mkdir()
    sizes = "--events 3_000 --days 2 --delivered 3_000 --known 9_000 --rounds 1".split()
    main(
        ["sessions", *sizes, "--contenders", "ours", "duckdb", "--folder", str(folder), "--sessions-json", str(figures)]
    )
    assert not list(folder.iterdir())
    tracks = json.loads(figures.read_text())["tracks"]
    assert [(name, track["stopped"]) for name, track in tracks.items()] == [("sessions", {}), ("delivery", {})]
    verdicts = tracks["sessions"]["verdicts"]
    assert verdicts["ours"] == verdicts["duckdb"]
    assert tracks["delivery"]["runs"].keys() == {"ours", "ours-delivered", "duckdb"}
    printed = capsys.readouterr().out
    assert "ours, duckdb found the same" in printed
    assert "All found every record; ours every event of every day once." in printed


def test_a_way_that_stops_is_told_with_its_error_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = "--tracks sessions --events 100 --days 2 --rounds 2 --timeout 0".split()
    main(["sessions", *sizes, "--contenders", "ours", "duckdb", "--folder", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "ours stopped: took longer than 0 s" in printed
    assert "duckdb stopped: took longer than 0 s" in printed


def test_the_judge_sees_any_difference_and_no_order(tmp_path: Path) -> None:
    at = pl.Series([1_000_000, 2_000_000]).cast(pl.Datetime("us", "UTC"))
    sessions = pl.DataFrame(
        {"anonymous_id": ["a", "b"], "device_id": ["c", "d"], "started_at": at, "ended_at": at, "num_events": [1, 2],
         "looked_at": at, "ride_started_at": [None, at[0]], "plain_booked": [False, True]},
        schema_overrides={"ride_started_at": at.dtype},
    )  # fmt: skip
    other_types = sessions.with_columns(pl.col("num_events").cast(pl.UInt64), pl.col("plain_booked").cast(pl.UInt8))
    changed = [
        sessions.with_columns(pl.lit(None, at.dtype).alias(name))
        for name in ("looked_at", "ride_started_at", "ended_at")
    ]
    changed.append(sessions.with_columns(plain_booked=pl.lit(value=True)))

    def judged(name: str, frame: pl.DataFrame) -> dict[str, str | int]:
        folder = tmp_path / name
        folder.mkdir()
        frame.write_parquet(folder / "sessions.parquet")
        return judge.found(folder)

    true = judged("true", sessions)
    assert (true["num_sessions"], true["num_events"]) == (2, 3)
    assert judged("reversed", other_types.reverse()) == true
    for number, frame in enumerate(changed):
        assert judged(str(number), frame)["hash"] != true["hash"]


def test_half_of_a_delivery_is_known_half_is_new(tmp_path: Path) -> None:
    truth = deliveries.write(tmp_path / "file.csv", tmp_path / "lake", num_records=6_000, num_known=60_000)
    records = pl.read_csv(tmp_path / "file.csv", separator=";", infer_schema=False)
    assert records.height == truth.num_records == 6_000
    day = records["created_at"].str.head(10)
    assert set(day) == set(truth.num_events)
    assert max(truth.num_events) == truth.day
    known = {path.stem for path in (tmp_path / "lake" / "mobile_events").iterdir()}
    assert len(known) == 300
    assert records.filter(day.is_in(known)).height == 3_000
    assert records.unique().height == 6_000
