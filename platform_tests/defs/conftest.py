"""The platform's own definitions, bound to a warehouse, a lake and a landing prefix of the test's own."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from data_platform.definitions import defs
from data_platform.defs.logins import draining
from data_platform.lake.store import Store
from data_platform.local.sample_world.leads import deliveries
from data_platform.privacy.keyring import ensure_ring
from data_platform.publish.draining import Limits
from data_platform.warehouse.connection import Warehouse
from platform_tests.defs.app_queue import AppQueue, app_queue, serving

JULY_7, JULY_14 = date(2023, 7, 7), date(2023, 7, 14)
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Platform:
    """Definitions, an instance, and what they work with."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    warehouse: Warehouse
    lake: Store
    landing: Store

    def run(self, *days: date, assets: tuple[str, ...] = ("raw_leads", "leads")) -> dg.ExecuteInProcessResult:
        tags = {}
        if days:
            tags = {
                "dagster/asset_partition_range_start": days[0].isoformat(),
                "dagster/asset_partition_range_end": days[-1].isoformat(),
            }
        return self.definitions.resolve_job_def("everything").execute_in_process(
            run_config=_QUIET,
            instance=self.instance,
            tags=tags,
            raise_on_error=False,
            asset_selection=[dg.AssetKey(name) for name in assets],
        )

    def drop(self, *states: str, days: tuple[date, ...] = (JULY_7, JULY_14)) -> None:
        for delivery in deliveries(providers_per_state=40):
            if delivery.day in days and (not states or delivery.state in states):
                self.landing.create(f"leads/{delivery.file_name}", delivery.content)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        with self.warehouse.transaction() as transaction:
            return list(transaction.query(sql).iter_rows())


@pytest.fixture
def platform(warehouse: Warehouse, lake: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    monkeypatch.setenv("WAREHOUSE_URL", warehouse.url.get_secret_value())
    monkeypatch.setenv("LAKE_URI", lake.uri)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Platform(defs(), instance, warehouse, lake, Store(f"{lake.uri}/landing"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with serving(tmp_path_factory.mktemp("queue")) as running:
        yield running


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "keys" / "keys.json"
    ensure_ring(file)
    monkeypatch.setenv("PRIVACY_KEYS", file.as_uri())
    # A test need not wait for what may still come.
    monkeypatch.setattr(draining, "Limits", partial(Limits, wait_seconds=0, linger_seconds=0.2))
    return file


@pytest.fixture
def app(server: Any, keys: Path, monkeypatch: pytest.MonkeyPatch) -> AppQueue:
    queue = app_queue(server)
    monkeypatch.setenv("LOGIN_QUEUE_URL", queue.url)
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return queue
