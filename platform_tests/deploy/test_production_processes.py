"""The very processes of docker-compose.yml, started from it: commands, environment, secrets, probes, dagster.yaml."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from data_platform.local.sample_world.leads import deliveries
from platform_tests.deploy import proxy as proxies
from platform_tests.deploy import stack as production
from platform_tests.deploy.proxy import UPGRADE
from platform_tests.deploy.stack import OURS, ProductionStack, StackError
from platform_tests.mysql_server import MySqlServer

_LOCATIONS = """
{ workspaceOrError { ... on Workspace { locationEntries {
    name loadStatus locationOrLoadError { __typename ... on PythonError { message } }
} } } }
"""
_CHILDREN = """
query($tag: String!) { runsOrError(filter: {tags: [{key: "dagster/parent_run_id", value: $tag}]}) {
    ... on Runs { results { runId status } }
} }
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, mysql_server: MySqlServer) -> Iterator[ProductionStack]:
    with production.running(tmp_path_factory.mktemp("production"), mysql_server) as started:
        yield started


def rows(stack: ProductionStack, query: str, role: str = "warehouse", database: str = "warehouse") -> list[object]:
    with closing(psycopg2.connect(stack.database(role, database).get_secret_value())) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]


def test_every_process_is_healthy_and_the_code_location_loads(stack: ProductionStack) -> None:
    assert all(stack.is_healthy(name) for name in OURS if name != "prepare")
    for webserver in ("webserver", "viewers"):
        [location] = stack.graphql(_LOCATIONS, webserver)["workspaceOrError"]["locationEntries"]
        assert (location["name"], location["loadStatus"]) == ("data_platform", "LOADED")
        assert location["locationOrLoadError"]["__typename"] == "RepositoryLocation", location


def test_a_run_that_the_webserver_was_asked_for_goes_through_the_daemons_queue(stack: ProductionStack) -> None:
    body = json.dumps({"type": "unknown to everybody"})
    stack.client("sqs").send_message(QueueUrl=stack.queue_url, MessageBody=body)
    run = stack.launch("update_login_events", ["login_messages"])
    stack.wait_for(lambda: stack.status(run) in {"SUCCESS", "FAILURE"}, "the run to end")
    assert stack.status(run) == "SUCCESS", stack.log("code-server")
    queued = f"SELECT dagster_event_type FROM event_logs WHERE run_id = '{run}'"
    assert "PIPELINE_ENQUEUED" in rows(stack, queued, "dagster", "dagster")
    assert rows(stack, "SELECT count(*)::int FROM ops.message_batches") != [0]


def test_the_sensors_make_a_table_of_a_file_that_is_dropped(stack: ProductionStack) -> None:
    delivery = deliveries()[0]
    stack.client("s3").put_object(Bucket="landing", Key=f"leads/{delivery.file_name}", Body=delivery.content)
    stack.wait_for(lambda: rows(stack, "SELECT count(*)::int FROM leads.leads") != [0], "leads to be published")


def test_viewers_see_everything_and_start_nothing(stack: ProductionStack) -> None:
    with pytest.raises(StackError, match="UnauthorizedError"):
        stack.launch("update_leads", ["raw_leads"], to="viewers")


def test_through_the_proxy_the_ui_and_its_websocket_answer_those_who_may(
    stack: ProductionStack, tmp_path: Path
) -> None:
    with proxies.running(tmp_path, stack.ports["webserver"], stack.ports["viewers"]) as proxy:
        for prefix, user in (("", "ann"), ("/viewers", "vic"), ("/viewers", "ann")):
            assert proxy.ask(f"{prefix}/server_info", user).status == 200
            assert b"<html" in proxy.ask(f"{prefix}/runs", user).body
            assert proxy.ask(f"{prefix}/graphql", user, headers=UPGRADE).status == 101
        for prefix, user in (("", ""), ("", "vic"), ("/viewers", "")):
            for path in ("/server_info", "/runs", "/graphql"):
                assert proxy.ask(f"{prefix}{path}", user).status == 401
            assert proxy.ask(f"{prefix}/graphql", user, headers=UPGRADE).status == 401


def test_each_role_reaches_its_own_database_and_the_analyst_reads_without_writing(stack: ProductionStack) -> None:
    assert rows(stack, "SELECT count(*)::int FROM ops.publications", "analyst") != [0]
    assert rows(stack, "SELECT count(*)::int FROM sessions.bookings_by_day_and_city", "analyst") == [0]
    for role, database in (("warehouse", "dagster"), ("analyst", "dagster"), ("dagster", "warehouse")):
        with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
            psycopg2.connect(stack.database(role, database).get_secret_value())
    with closing(psycopg2.connect(stack.database("analyst", "warehouse").get_secret_value())) as connection:
        connection.cursor().execute("SET default_transaction_read_only = off")
        connection.commit()
        for statement in ("DELETE FROM leads.leads", "CREATE TABLE leads.mine (n int)", "CREATE SCHEMA mine"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                connection.cursor().execute(statement)
            connection.rollback()


def test_nothing_embedded_runs_and_nothing_is_written_beside_the_volumes(stack: ProductionStack) -> None:
    embedded = {"postgres", "queue", "keys", "lake", "up.log", "up.lock"}
    assert not {path.name for path in stack.image_path("/opt/platform").iterdir()} & (embedded | {".local"})
    copied = {"entrypoint", "dagster.yaml", "workspace.yaml", "prepare.py", "lost_runs.py", "sample.py"}
    assert {path.name for path in stack.image_path("/opt/platform").iterdir()} == copied


def test_a_run_that_dies_with_the_code_server_is_started_again(stack: ProductionStack) -> None:
    with closing(psycopg2.connect(stack.database("warehouse", "warehouse").get_secret_value())) as connection:
        connection.cursor().execute("LOCK TABLE ops.publications, ops.message_batches IN ACCESS EXCLUSIVE MODE")
        run = stack.launch("update_login_events", ["login_messages"])
        stack.wait_for(lambda: stack.status(run) == "STARTED", "the run to start and to wait for the table")
        stack.kill("code-server")
    stack.start("code-server")

    def again() -> list[str]:
        return [child["status"] for child in stack.graphql(_CHILDREN, tag=run)["runsOrError"]["results"]]

    stack.wait_for(lambda: "SUCCESS" in again(), "the run that takes its place", seconds=600)
    assert stack.status(run) == "FAILURE"
    assert len(again()) == 1


def test_a_second_preparation_changes_nothing(stack: ProductionStack) -> None:
    stack.start("prepare")


def test_every_process_ends_when_it_is_told_to(stack: ProductionStack) -> None:
    codes = {name: stack.stop(name) for name in ("daemon", "viewers", "webserver", "code-server")}
    assert set(codes.values()) <= {0, -15}, codes
