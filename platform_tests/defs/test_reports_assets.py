"""Reports through Dagster: made from real databases, delivered into a real store, looked at again by their checks."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import polars as pl
import psycopg2
import pytest
from psycopg2 import sql
from pydantic import SecretStr

from data_platform import settings
from data_platform.console.plan import tasks
from data_platform.definitions import defs
from data_platform.defs.operations.failures import failures
from data_platform.defs.reports import sensor, telling
from data_platform.defs.reports.making import ReportMaker, defined
from data_platform.lake.store import Store
from data_platform.local import postgres
from data_platform.local.sample_world import app as sample_app
from data_platform.local.sample_world.lessons import completions, users
from data_platform.local.sample_world.lessons_database import fill_lessons
from data_platform.publish import delivered
from data_platform.publish.delivered import DeliveredFile
from data_platform.reports import report_type
from data_platform.stack import open_stack
from data_platform.warehouse import streams
from data_platform.warehouse.connection import Warehouse
from data_platform.warehouse.foreign import ForeignUnavailable
from platform_tests.conftest import administer
from platform_tests.defs.conftest import JULY_7, JULY_14, Platform
from platform_tests.mysql_server import MySqlDatabase
from platform_tests.oracles import reports as oracle
from platform_tests.publish import mail_server

DAY, NEXT_DAY = date(2026, 9, 15), date(2026, 9, 16)
HEADER = ("Name", "Number of lessons completed", "Date")
ACTIVE, CHANGED = "active_user_report", "leads_changed"


@pytest.fixture
def lessons_url(postgres_server: postgres.Server, warehouse: Warehouse) -> SecretStr:
    name = f"lessons_of_{warehouse.address.rsplit('/', 1)[-1]}"
    administer(postgres_server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = SecretStr(postgres_server.url(name))
    fill_lessons(url, date(2026, 10, 31))
    return url


@pytest.fixture
def app_url(empty_database: SecretStr) -> SecretStr:
    sample_app.fill(empty_database, "UTC")
    return empty_database


@pytest.fixture
def reports(
    warehouse: Warehouse, lake: Store, app_url: SecretStr, lessons_url: SecretStr, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    monkeypatch.setenv("WAREHOUSE_URL", warehouse.url.get_secret_value())
    monkeypatch.setenv("LAKE_URI", lake.uri)
    monkeypatch.setenv("APP_DATABASE_URL", app_url.get_secret_value())
    monkeypatch.setenv("LESSONS_DATABASE_URL", lessons_url.get_secret_value())
    with dg.DagsterInstance.ephemeral() as instance:
        yield Platform(defs(), instance, warehouse, lake, Store(f"{lake.uri}/landing"))


def run(platform: Platform, *days: date, asset: str = ACTIVE) -> dg.ExecuteInProcessResult:
    return platform.run(*days, assets=(asset,))


def said(result: dg.ExecuteInProcessResult) -> str:
    return " ".join(failures(result))


def failed_checks(result: dg.ExecuteInProcessResult) -> set[str]:
    return {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}


def files_of(platform: Platform, asset: str = ACTIVE) -> list[DeliveredFile]:
    return delivered.current(platform.warehouse, asset)


def content(platform: Platform, file: DeliveredFile) -> bytes:
    return b"".join(Store(f"{platform.lake.uri}/reports").read(file.s3_object_key.split("/reports/", 1)[1]))


def objects(platform: Platform) -> list[str]:
    return [entry.key for entry in Store(f"{platform.lake.uri}/reports").list()]


def fill_mysql(database: MySqlDatabase) -> None:
    database.run(
        "CREATE TABLE lesson_completion (completion_id int AUTO_INCREMENT PRIMARY KEY, user_id int NOT NULL,"
        " lesson_id int NOT NULL, completion_date date NOT NULL)"
    )
    rows = ", ".join(f"({user}, {lesson}, '{day}')" for user, lesson, day in completions(date(2026, 10, 31)))
    database.run(f"INSERT INTO lesson_completion (user_id, lesson_id, completion_date) VALUES {rows}")


def change(url: SecretStr, statement: str) -> None:
    with closing(psycopg2.connect(url.get_secret_value())) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_day_is_delivered_as_the_oracle_has_it_and_every_check_passes(reports: Platform) -> None:
    result = run(reports, DAY)
    assert result.success, said(result)
    assert failed_checks(result) == set()
    assert len(result.get_asset_check_evaluations()) == 5
    [file] = files_of(reports)
    rows = oracle.rows(users(), completions(date(2026, 10, 31)), DAY, 30, "every")
    assert content(reports, file) == oracle.csv(HEADER, rows)
    assert (file.num_rows, file.version, file.supersedes) == (len(rows), 1, None)
    [event] = result.get_asset_materialization_events()
    facts = event.materialization.metadata
    assert facts["dagster/partition_row_count"].value == len(rows)
    assert facts["status"].value == "new"
    assert "Number of lessons completed" in str(facts["preview"].value)
    assert "Name" not in str(facts["preview"].value)


def test_lessons_out_of_mysql_make_the_very_same_file(
    reports: Platform, mysql_database: MySqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(reports, DAY)
    [from_postgres] = files_of(reports)
    fill_mysql(mysql_database)
    monkeypatch.setenv("LESSONS_DATABASE_URL", mysql_database.url.get_secret_value())
    assert run(reports, DAY, NEXT_DAY).success
    unchanged, next_day = files_of(reports)
    assert unchanged == from_postgres
    rows = oracle.rows(users(), completions(date(2026, 10, 31)), NEXT_DAY, 30, "every")
    assert content(reports, next_day) == oracle.csv(HEADER, rows)
    [manifest] = [key for key in objects(reports) if key.endswith(f"{NEXT_DAY}_v1.manifest.json")]
    sources = json.loads(b"".join(Store(f"{reports.lake.uri}/reports").read(manifest)))["sources"]
    assert [source["name"] for source in sources] == ["users", "lessons"]
    assert 0 <= next_day.skew_seconds < 60


def test_mysql_gone_in_mid_stream_delivers_nothing_and_the_next_run_delivers(
    reports: Platform, mysql_database: MySqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_mysql(mysql_database)
    monkeypatch.setenv("LESSONS_DATABASE_URL", mysql_database.url.get_secret_value())
    frames = streams.Stream.frames

    def cut(stream: streams.Stream, types: pl.Schema) -> Iterator[pl.DataFrame]:
        for frame in frames(stream, types):
            yield frame
            raise ForeignUnavailable("The database went away in the middle.")

    with monkeypatch.context() as patched:
        patched.setattr(streams.Stream, "frames", cut)
        result = run(reports, DAY)
    assert "went away in the middle" in said(result)
    assert (files_of(reports), objects(reports)) == ([], [])
    assert reports.lake.list("evidence") == []
    assert run(reports, DAY).success


def test_the_same_day_again_changes_nothing_and_a_late_correction_is_a_second_version(
    reports: Platform, lessons_url: SecretStr
) -> None:
    run(reports, DAY)
    [first] = files_of(reports)
    before = content(reports, first), objects(reports)
    again = run(reports, DAY)
    assert again.success
    assert files_of(reports) == [first]
    assert objects(reports) == before[1]
    change(lessons_url, f"INSERT INTO lesson_completion (user_id, lesson_id, completion_date) VALUES (1, 777, '{DAY}')")
    corrected = run(reports, DAY)
    assert corrected.success
    assert failed_checks(corrected) == set()
    [second] = files_of(reports)
    assert (second.version, second.supersedes) == (2, first.report_id)
    assert content(reports, first) == before[0]
    assert content(reports, second) != before[0]
    assert reports.query("SELECT count(*) FROM reports.reports_generated") == [(2,)]


def test_a_range_delivers_each_of_its_days(reports: Platform) -> None:
    result = run(reports, DAY, DAY + timedelta(days=3))
    assert result.success, said(result)
    assert [file.report_date for file in files_of(reports)] == [DAY + timedelta(days=n) for n in range(4)]
    assert failed_checks(result) == set()


def test_a_closed_gate_delivers_nothing_and_the_next_run_delivers(reports: Platform, app_url: SecretStr) -> None:
    change(app_url, "UPDATE users SET active_status = 'inactive'")
    result = run(reports, DAY)
    assert not result.success
    assert f"{ACTIVE} of {DAY} is not delivered: it has 0 rows, min_rows is 1" in said(result)
    assert (files_of(reports), objects(reports)) == ([], [])
    change(app_url, "UPDATE users SET active_status = 'Active'")
    assert run(reports, DAY).success
    assert len(files_of(reports)) == 1


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DROP TABLE lesson_completion", ['relation "lesson_completion" does not exist', "LESSONS_DATABASE_URL"]),
        ("ALTER TABLE lesson_completion RENAME lesson_id TO lesson", ['column "lesson_id" does not exist']),
        ("ALTER TABLE lesson_completion ALTER user_id TYPE text", ["user_id", "expected integer", "lessons.sql"]),
    ],
)  # fmt: skip
def test_a_source_that_is_not_as_declared_is_one_sentence_and_nothing_is_delivered(
    reports: Platform, lessons_url: SecretStr, statement: str, words: list[str]
) -> None:
    change(lessons_url, statement)
    result = run(reports, DAY)
    assert not result.success
    [sentence] = failures(result)
    for word in words:
        assert word in sentence
    assert "\n" not in sentence
    assert (files_of(reports), objects(reports)) == ([], [])


def test_a_database_that_is_not_there_is_one_sentence_without_its_password(
    reports: Platform, lessons_url: SecretStr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LESSONS_DATABASE_URL", "mysql://reader:hunter2@127.0.0.1:9/lessons")
    result = run(reports, DAY)
    assert "The database at 127.0.0.1:9/lessons cannot be reached" in said(result)
    assert "hunter2" not in said(result)
    assert objects(reports) == []
    monkeypatch.setenv("LESSONS_DATABASE_URL", lessons_url.get_secret_value())
    assert run(reports, DAY).success


def test_a_report_whose_database_no_setting_names_says_which_setting(
    reports: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LESSONS_DATABASE_URL")
    assert "set LESSONS_DATABASE_URL" in said(run(reports, DAY))


def test_no_event_shows_who_a_user_is(reports: Platform) -> None:
    result = run(reports, DAY)
    told = " ".join(str(event) for event in result.all_events)
    names = [name for _, name, _ in users() if len(name) > 8]
    assert not [name for name in names if name in told]


def test_the_checks_see_what_was_changed_behind_the_platforms_back(reports: Platform) -> None:
    run(reports, DAY)
    store = Store(f"{reports.lake.uri}/reports")
    [key] = [key for key in objects(reports) if key.endswith(".csv")]
    original = b"".join(store.read(key))
    store.create(key, original.replace(b",0,", b",1,", 1), replace=True)
    assert failed_checks(run(reports, DAY)) == {"lies_as_delivered"}
    store.create(key, original, replace=True)
    assert failed_checks(run(reports, DAY)) == set()
    with reports.warehouse.transaction() as transaction:
        transaction.run(
            "INSERT INTO reports.attempts (report_type, report_date, manifest, run_id) VALUES ($1, $2, '{}', 'x')",
            ACTIVE, NEXT_DAY,
        )  # fmt: skip
    store.delete(key)
    assert failed_checks(run(reports, DAY)) == {"lies_as_delivered"}


def test_leads_that_changed_in_the_window_are_delivered_as_csv_and_workbook(reports: Platform) -> None:
    reports.drop(days=(JULY_7, JULY_14))
    reports.run(JULY_7, JULY_14, assets=("raw_leads", "leads"))
    result = run(reports, JULY_14, asset=CHANGED)
    assert result.success, said(result)
    csv, workbook = files_of(reports, CHANGED)
    assert (csv.file_format, workbook.file_format) == ("csv", "xlsx")
    rows = pl.read_csv(content(reports, csv), infer_schema=False)
    expected = reports.query(
        "SELECT count(*) FROM leads.leads WHERE updated_at >= '2023-07-08' AND updated_at < '2023-07-15'"
    )
    assert [(rows.height,)] == expected
    assert rows.height > 0
    assert set(rows["Change"]) <= {"new", "changed"}


def test_the_sensor_asks_for_each_report_that_is_due_until_it_is_there(
    reports: Platform, lessons_url: SecretStr, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 9, 21, 8, tzinfo=UTC)  # a Monday

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # pyright: ignore[reportIncompatibleMethodOverride]
            return now

    monkeypatch.setattr(sensor, "datetime", Clock)

    def asked() -> set[tuple[str, str]]:
        with dg.build_sensor_context(
            instance=reports.instance, definitions=reports.definitions, sensor_name="reports_sensor",
            resources=dict(reports.definitions.resources or {}),
        ) as context:  # fmt: skip
            requests = sensor.reports_sensor.evaluate_tick(context).run_requests or []
        return {
            (request.asset_selection[0].to_user_string(), request.tags["dagster/asset_partition_range_start"])
            for request in requests
            if request.asset_selection
        }

    assert asked() == {(ACTIVE, "2026-09-20"), (CHANGED, "2026-09-20")}
    run(reports, date(2026, 9, 18))
    assert asked() == {(ACTIVE, "2026-09-19"), (ACTIVE, "2026-09-20"), (CHANGED, "2026-09-20")}
    run(reports, date(2026, 9, 19), date(2026, 9, 20))
    assert asked() == {(CHANGED, "2026-09-20")}


def test_days_asked_for_without_an_asset_leave_delivered_reports_alone(
    reports: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who derives a week of tables again does not send its reports again."""
    run(reports, DAY, NEXT_DAY)
    monkeypatch.setattr(sensor, "days_due", lambda *_: [NEXT_DAY])
    found = tasks(reports.definitions, open_stack(settings.load()), reports.instance, (DAY, NEXT_DAY))
    assert {task.key.to_user_string(): task.days for task in found if "report" in task.key.to_user_string()} == {
        ACTIVE: {NEXT_DAY}
    }


def test_who_was_not_told_at_first_is_told_by_the_job_and_once(
    reports: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report of long ago too, as long as it was delivered in the last week."""
    run(reports, DAY)
    [report] = [report for report in report_type.every() if report.name == ACTIVE]
    told = report.model_copy(update={"recipients": ("ann@example.com",)})
    monkeypatch.setattr(telling, "report_types", [told])

    def job() -> None:
        found = reports.definitions.resolve_job_def("mail_reports")
        assert found.execute_in_process(instance=reports.instance).success

    with mail_server.listening() as server:
        monkeypatch.setenv("MAIL_URL", server.url())
        monkeypatch.setenv("MAIL_FROM", "reports@example.com")
        server.answers["RCPT"] = "451 later"
        job()
        assert server.told == []
        server.answers.clear()
        for _ in range(2):
            job()
        assert server.told == ["ann@example.com"]


def test_a_manifest_names_no_recipient(reports: Platform) -> None:
    [report] = [report for report in report_type.every() if report.name == ACTIVE]
    told = report.model_copy(update={"recipients": ("ann@example.com",)})
    maker = ReportMaker(open_stack(settings.load()), told, DAY)
    assert "ann@example.com" not in str(maker.definition)
    assert defined(maker.definition) == report


def test_every_shipped_report_type_is_an_asset_with_the_tables_that_it_reads(reports: Platform) -> None:
    graph = reports.definitions.resolve_asset_graph()
    for report in report_type.every():
        node = graph.get(dg.AssetKey(report.name))
        reads = {name for source in report.sources.values() for name in source.reads}
        assert {key.to_user_string() for key in node.parent_keys} == reads
