"""The logins product through Dagster, on a real app database and on snapshots of a small world."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from typing import IO

import dagster as dg
import psycopg2
import pytest
from pydantic import SecretStr

from data_platform import contracts
from data_platform.definitions import defs
from data_platform.defs.logins import app as app_module
from data_platform.defs.logins import sensor
from data_platform.defs.operations.failures import failures
from data_platform.lake import snapshots
from data_platform.lake.store import Store
from data_platform.local.sample_world import app as sample_app
from data_platform.local.sample_world import logins as world
from data_platform.logins.days import ended_day
from data_platform.publish import reading
from data_platform.warehouse.connection import Warehouse
from platform_tests.defs.conftest import Platform

SNAPSHOTS, DAILY = contracts.of_table("logins.monthly_snapshots"), contracts.of_table("logins.daily_logins")
BOTH = ("monthly_snapshots", "daily_logins")
SEP = {n: date(2026, 9, n) for n in range(1, 31)}


@pytest.fixture
def app_url(empty_database: SecretStr) -> SecretStr:
    sample_app.fill(empty_database, "UTC")
    return empty_database


@pytest.fixture
def logins(
    warehouse: Warehouse, lake: Store, app_url: SecretStr, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    monkeypatch.setenv("WAREHOUSE_URL", warehouse.url.get_secret_value())
    monkeypatch.setenv("LAKE_URI", lake.uri)
    monkeypatch.setenv("APP_DATABASE_URL", app_url.get_secret_value())
    with dg.DagsterInstance.ephemeral() as instance:
        yield Platform(defs(), instance, warehouse, lake, Store(f"{lake.uri}/landing"))


def put(lake: Store, *days: date, edit: Mapping[date, Sequence[tuple[bytes, bytes]]] | None = None) -> None:
    """Puts the sample world's snapshots of some days into the lake."""
    for day, read_at, content in world.snapshots("UTC"):
        if day in days:
            for old, new in (edit or {}).get(day, ()):
                assert old in content
                content = content.replace(old, new, 1)  # noqa: PLW2901

            def copy(file: IO[bytes], content: bytes = content, read_at: datetime = read_at) -> datetime:
                file.write(content)
                return read_at

            snapshots.take(lake, world_table(), day, copy)


def world_table() -> str:
    return sample_app.COUNTERS


def said(result: dg.ExecuteInProcessResult) -> str:
    return " ".join(failures(result))


def failed_checks(result: dg.ExecuteInProcessResult) -> set[str]:
    return {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}


def hashes(platform: Platform) -> dict[date | None, str]:
    return {version.day: version.content_hash for version in reading.publications(platform.warehouse, DAILY)}


def asked(platform: Platform) -> list[tuple[str, str, str]]:
    with dg.build_sensor_context(
        instance=platform.instance, definitions=platform.definitions, sensor_name="login_counters_sensor",
        resources=dict(platform.definitions.resources or {}),
    ) as context:  # fmt: skip
        requests = sensor.login_counters_sensor.evaluate_tick(context).run_requests or []
    return [
        (
            request.asset_selection[0].to_user_string(),
            request.tags["dagster/asset_partition_range_start"],
            request.tags["dagster/asset_partition_range_end"],
        )
        for request in requests
        if request.asset_selection
    ]


def test_a_range_takes_what_exists_and_names_what_does_not(logins: Platform) -> None:
    put(logins.lake, SEP[4], SEP[5], SEP[7])
    result = logins.run(SEP[4], SEP[8], assets=BOTH)
    assert not result.success
    assert "2 of 5 days could not be made, the others are published: 2026-09-06, 2026-09-08." in said(result)
    assert "There is no snapshot of 2026-09-06 and none can be made up" in said(result)
    assert [v.day for v in reading.publications(logins.warehouse, SNAPSHOTS)] == [SEP[4], SEP[5], SEP[7]]
    made = logins.instance.get_materialized_partitions(dg.AssetKey("monthly_snapshots"))
    assert made == {str(SEP[n]) for n in (4, 5, 7)}


def test_a_snapshot_that_was_taken_is_never_overwritten(logins: Platform) -> None:
    put(logins.lake, SEP[4])
    first = snapshots.find(logins.lake, world_table(), SEP[4])

    def copy(file: IO[bytes]) -> datetime:
        file.write(b"something else")
        return datetime.now(UTC)

    assert snapshots.take(logins.lake, world_table(), SEP[4], copy) == first
    assert logins.run(SEP[4], assets=("monthly_snapshots",)).success


def test_the_day_that_ended_last_is_read_from_the_app(logins: Platform) -> None:
    due = ended_day(datetime.now(UTC), "UTC")
    result = logins.run(due, assets=("login_history", *BOTH))
    assert result.success, said(result)
    [version] = reading.publications(logins.warehouse, SNAPSHOTS)
    assert (version.day, version.num_rows) == (due, 96 if due.day <= 3 else 48)
    again = logins.run(due, assets=BOTH)
    assert [e.materialization.metadata["status"].value for e in again.get_asset_materialization_events()] == [
        "unchanged", "unchanged"
    ]  # fmt: skip


def test_two_months_are_exact_where_they_can_be_and_say_where_not(logins: Platform) -> None:
    put(logins.lake, *SEP.values())
    assert logins.run(SEP[4], SEP[30], assets=("login_history", "monthly_snapshots")).success
    result = logins.run(SEP[1], SEP[30], assets=("daily_logins",))
    assert result.success, said(result)
    assert failed_checks(result) == {"is_sure_enough"}
    found = logins.query(
        "SELECT status, min(day) FROM logins.daily_logins WHERE status <> 'exact' GROUP BY 1 ORDER BY 1"
    )
    assert found == [("bounded", SEP[5]), ("imputed", SEP[1])]


def test_days_in_any_order_give_the_same_table(logins: Platform) -> None:
    put(logins.lake, SEP[4], SEP[5], SEP[7], SEP[8])
    assert not logins.run(SEP[4], SEP[8], assets=("monthly_snapshots",)).success
    assert logins.run(SEP[1], SEP[8], assets=("daily_logins",)).success
    together = hashes(logins)
    with logins.warehouse.transaction() as transaction:
        transaction.run("DELETE FROM ops.tallies WHERE table_name = 'logins.daily_logins'")
        transaction.run("DELETE FROM ops.publications WHERE table_name = 'logins.daily_logins'")
        transaction.run("DELETE FROM logins.daily_logins")
    for day in (7, 1, 8, 4, 6, 2, 5, 3):
        result = logins.run(SEP[day], assets=("daily_logins",))
        assert result.success, said(result)
    assert hashes(logins) == together


def test_a_counter_that_fell_too_far_stops_its_day_and_no_other(logins: Platform) -> None:
    day, next_day = SEP[10], SEP[11]
    rows = {d: content for d, _, content in world.snapshots("UTC") if d in (day, SEP[9])}
    line = max(rows[day].splitlines()[1:], key=lambda row: int(row.split(b",")[4]))
    fields = line.split(b",")
    fallen = b",".join([*fields[:4], b"1", *fields[5:]])
    put(logins.lake, SEP[9], next_day)
    put(logins.lake, day, edit={day: [(line, fallen)]})
    logins.run(SEP[9], next_day, assets=("monthly_snapshots",))
    result = logins.run(SEP[9], next_day, assets=("daily_logins",))
    assert "1 of 3 days could not be made, the others are published: 2026-09-10." in said(result)
    assert f"user {fields[1].decode()} on {fields[5].decode()} from" in said(result)
    assert "so few of them look like corrections of single rows" in said(result)
    assert set(hashes(logins)) == {SEP[9], next_day}


def test_a_table_edited_behind_the_back_fails_conservation(logins: Platform) -> None:
    put(logins.lake, *(SEP[n] for n in range(4, 9)))
    logins.run(SEP[4], SEP[8], assets=("monthly_snapshots",))
    assert logins.run(SEP[1], SEP[8], assets=("daily_logins",)).success
    with logins.warehouse.transaction() as transaction:
        transaction.run(
            "UPDATE logins.daily_logins SET num_logins = num_logins + 1, high = high + 1 WHERE day = '2026-09-06'"
        )
        transaction.run("DELETE FROM logins.daily_logins WHERE day = '2026-09-07' AND user_id = 1")
    result = logins.run(SEP[8], assets=("daily_logins",))
    assert "conserves_the_counter" in failed_checks(result)
    assert "covers_every_counter" not in failed_checks(result)  # the run's own day is whole
    assert "conserves_the_counter" not in failed_checks(logins.run(SEP[1], SEP[8], assets=("daily_logins",)))


def test_a_snapshot_without_counters_of_its_month_is_flagged(logins: Platform) -> None:
    with closing(psycopg2.connect(_app(logins))) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM monthly_login_aggregates")
    due = ended_day(datetime.now(UTC), "UTC")
    result = logins.run(due, assets=("monthly_snapshots",))
    assert result.success
    assert "counts_something" in failed_checks(result)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DROP TABLE monthly_login_aggregates", "has no table monthly_login_aggregates"),
        (
            "ALTER TABLE monthly_login_aggregates RENAME COLUMN num_logins TO logins",
            "has no column num_logins, it has user_type, user_id, year, month, logins",
        ),
    ],
)
def test_an_app_that_changed_is_named_in_one_sentence(logins: Platform, sql: str, words: str) -> None:
    with closing(psycopg2.connect(_app(logins))) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql)
    result = logins.run(ended_day(datetime.now(UTC), "UTC"), assets=("monthly_snapshots",))
    assert words in said(result)
    assert snapshots.days(logins.lake, world_table()) == []


def test_an_app_that_cannot_be_reached_is_tried_again_and_keeps_nothing(
    logins: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_DATABASE_URL", "postgresql://reader:hunter2@127.0.0.1:9/app")
    result = logins.run(ended_day(datetime.now(UTC), "UTC"), assets=("monthly_snapshots",))
    assert sum(event.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY for event in result.all_events) == 2
    assert "The database at 127.0.0.1:9/app cannot be reached" in said(result)
    assert "hunter2" not in said(result)
    assert snapshots.days(logins.lake, world_table()) == []


def test_an_app_that_goes_away_in_mid_read_leaves_nothing(logins: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = app_module.Cut.copy_out

    def cut_off(cut: app_module.Cut, query: str, values: Mapping[str, Sequence[str | int]], file: IO[bytes]) -> None:
        with closing(psycopg2.connect(_app(logins))) as other, other.cursor() as cursor:
            other.autocommit = True
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        copied(cut, query, values, file)

    monkeypatch.setattr(app_module.Cut, "copy_out", cut_off)
    result = logins.run(ended_day(datetime.now(UTC), "UTC"), assets=("monthly_snapshots",))
    assert "cannot be reached or went away" in said(result)
    assert snapshots.days(logins.lake, world_table()) == []


def test_the_sensor_asks_for_the_day_that_ended_and_then_for_what_follows(logins: Platform) -> None:
    due = str(ended_day(datetime.now(UTC), "UTC"))
    assert asked(logins) == [("monthly_snapshots", due, due)]
    put(logins.lake, SEP[4], SEP[5])
    assert ("monthly_snapshots", "2026-09-04", "2026-09-05") in asked(logins)
    logins.run(SEP[4], SEP[5], assets=("monthly_snapshots",))
    assert asked(logins) == [("monthly_snapshots", due, due), ("daily_logins", "2026-09-01", "2026-09-05")]
    logins.run(SEP[1], SEP[5], assets=("daily_logins",))
    assert asked(logins) == [("monthly_snapshots", due, due)]
    logins.run(date.fromisoformat(due), assets=("monthly_snapshots",))
    [(name, first, last)] = asked(logins)
    assert (name, date.fromisoformat(first).day, last) == ("daily_logins", 1, due)


def test_while_a_run_goes_on_nothing_but_the_due_snapshot_is_asked_for(logins: Platform) -> None:
    due = str(ended_day(datetime.now(UTC), "UTC"))
    put(logins.lake, SEP[4])
    job = logins.definitions.resolve_job_def("update_logins")
    run = logins.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert asked(logins) == [("monthly_snapshots", due, due)]
    logins.instance.report_run_failed(run)
    assert ("monthly_snapshots", "2026-09-04", "2026-09-04") in asked(logins)


def test_a_late_snapshot_asks_again_for_just_the_days_that_it_decides(logins: Platform) -> None:
    put(logins.lake, SEP[4], SEP[7])
    for day in (SEP[4], SEP[7]):
        logins.run(day, assets=("monthly_snapshots",))
    logins.run(SEP[1], SEP[7], assets=("daily_logins",))
    put(logins.lake, SEP[6])
    logins.run(SEP[6], assets=("monthly_snapshots",))
    assert ("daily_logins", "2026-09-05", "2026-09-07") in asked(logins)


def test_no_password_of_the_app_is_in_an_event(logins: Platform) -> None:
    logins.run(ended_day(datetime.now(UTC), "UTC"), assets=BOTH)
    password = SecretStr(_app(logins)).get_secret_value().split(":")[2].split("@")[0]
    for record in logins.instance.get_run_records():
        logs = logins.instance.all_logs(record.dagster_run.run_id)
        assert password not in " ".join(str(entry) for entry in logs)


def _app(platform: Platform) -> str:
    resource = (platform.definitions.resources or {})["storage"]
    stack = resource.open()
    assert stack.app
    return stack.app.url.get_secret_value()
