"""Real services for the tests: one Postgres, MySQL and S3 server a session, a fresh database and lake a test."""

import itertools
import os
import resource
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg2
import pytest
from hypothesis import HealthCheck, settings
from moto.server import ThreadedMotoServer
from psycopg2 import sql
from pydantic import SecretStr

from data_platform.lake.store import Store
from data_platform.local import postgres
from data_platform.settings import sql_folder
from data_platform.warehouse.connection import Warehouse
from data_platform.warehouse.migrate import migrate
from platform_tests import mysql_server as mysql
from platform_tests.mysql_server import MySqlDatabase, MySqlServer

for profile, examples in (("tests", 400), ("soak", 5_000)):
    slow = [HealthCheck.too_slow]
    settings.register_profile(
        profile, deadline=None, print_blob=True, max_examples=examples, suppress_health_check=slow
    )
settings.load_profile("tests")

_TEMPLATE = "template_of_tests"
_numbers = itertools.count()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Runs the soak tests when they are asked for, and only then."""
    if "soak" in str(config.getoption("markexpr")):
        return
    config.hook.pytest_deselected(items=[item for item in items if "soak" in item.keywords])
    items[:] = [item for item in items if "soak" not in item.keywords]


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A test sees only the settings that it sets itself."""
    from data_platform.settings import Settings

    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path / "local"))


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Server]:
    folder = tmp_path_factory.mktemp("postgres")
    server = postgres.ensure(folder, [_TEMPLATE])
    migrate(SecretStr(server.url(_TEMPLATE)), sql_folder() / "migrations")
    yield server
    postgres.stop(folder)


@pytest.fixture
def warehouse(postgres_server: postgres.Server) -> Warehouse:
    """A migrated warehouse of the test's own."""
    name = f"warehouse_{next(_numbers)}"
    administer(
        postgres_server,
        sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(_TEMPLATE)),
    )
    return Warehouse(SecretStr(postgres_server.url(name)))


@pytest.fixture
def empty_database(postgres_server: postgres.Server) -> SecretStr:
    """URL of a database without any table."""
    name = f"empty_{next(_numbers)}"
    administer(postgres_server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return SecretStr(postgres_server.url(name))


def administer(server: postgres.Server, statement: sql.Composable) -> None:
    connection = psycopg2.connect(server.url("postgres"))
    try:
        connection.autocommit = True
        connection.cursor().execute(statement)
    finally:
        connection.close()


@pytest.fixture(scope="session")
def mysql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MySqlServer]:
    """The server of TEST_MYSQL_URL, or a MariaDB of our own; a test that needs it fails where there is neither."""
    with ExitStack() as opened:
        try:
            server = opened.enter_context(mysql.running(tmp_path_factory.mktemp("mysql")))
        except mysql.NoMySql as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        yield server


@pytest.fixture
def mysql_database(mysql_server: MySqlServer) -> Iterator[MySqlDatabase]:
    """An empty MySQL database: its URL for a user who may only SELECT, and `run` as the administrator."""
    with mysql.fresh_database(mysql_server) as database:
        yield database


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def s3_store(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    import boto3

    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    bucket = f"bucket-{os.getpid()}-{next(_numbers)}"
    boto3.client("s3", endpoint_url=s3_endpoint).create_bucket(Bucket=bucket)
    return Store(f"s3://{bucket}/lake", s3_endpoint)


@pytest.fixture
def lake(tmp_path: Path) -> Store:
    return Store((tmp_path / "lake").as_uri())


@pytest.fixture(params=["folder", "s3"])
def any_lake(request: pytest.FixtureRequest) -> Store:
    """The same test on a local folder and on S3."""
    return request.getfixturevalue("lake" if request.param == "folder" else "s3_store")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder where no more than two megabytes fit: a file system of that size, or for who may not mount, a limit."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode == 0:
        yield folder
        subprocess.run(["umount", str(folder)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 2**20, before[1]))
    yield folder
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
