"""Sixty days of daily logins for a million users, in one Dagster run over each asset, and the memory that it takes."""

import multiprocessing
import os
import resource
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
from rich.console import Console

from benchmarks.logins import NUM_USERS, counters, put_snapshot
from data_platform.definitions import defs
from data_platform.lake.store import Store
from data_platform.local.postgres import Server

FIRST_DAY, NUM_DAYS = date(2026, 9, 1), 60
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def main(server: Server, database: str) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Store((Path(folder) / "lake").as_uri())
        for number in range(NUM_DAYS):
            put_snapshot(lake, FIRST_DAY + timedelta(days=number), counters(FIRST_DAY + timedelta(days=number)))
        os.environ |= {"WAREHOUSE_URL": server.url(database), "LAKE_URI": lake.uri}
        for asset in ("monthly_snapshots", "daily_logins"):
            # A process of its own, so that its peak is the run's and nobody else's.
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                seconds, peak = pool.apply(run, (asset,))
                pool.close()
                pool.join()
            Console().print(
                f"{asset}: {NUM_DAYS} days of {NUM_USERS:,} users in one run, checks included: {seconds:.0f} s,"
                f" {seconds / NUM_DAYS:.1f} s a day, peak memory {peak / 2**30:.2f} GiB."
            )


def run(asset: str) -> tuple[float, int]:
    """Runs one asset over all days; seconds, and peak memory in bytes."""
    last = FIRST_DAY + timedelta(days=NUM_DAYS - 1)
    tags = {"dagster/asset_partition_range_start": str(FIRST_DAY), "dagster/asset_partition_range_end": str(last)}
    with dg.DagsterInstance.ephemeral() as instance:
        began = time.perf_counter()
        result = (
            defs()
            .resolve_job_def("everything")
            .execute_in_process(run_config=_QUIET, instance=instance, tags=tags, asset_selection=[dg.AssetKey(asset)])
        )
        made = {event.partition for event in result.get_asset_materialization_events()}
        if len(made) != NUM_DAYS:
            raise RuntimeError(f"expected a materialisation of each of {NUM_DAYS} days, found {len(made)}")
        return time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
