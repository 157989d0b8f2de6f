"""A year of one asset as one Dagster run, beside a run a day: the same definitions and IO managers."""

import os
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
from rich.console import Console

from data_platform.definitions import defs
from data_platform.lake.store import Store
from data_platform.local.postgres import Server
from data_platform.local.sample_world.leads import deliveries

FIRST_DAY, NUM_DAYS, SINGLE_RUNS = date(2023, 1, 1), 365, 5
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def main(server: Server, database: str) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral() as instance:
        lake = Store((Path(folder) / "lake").as_uri())
        os.environ |= {"WAREHOUSE_URL": server.url(database), "LAKE_URI": lake.uri}
        [nevada, *_] = deliveries()
        for number in range(NUM_DAYS):
            day = FIRST_DAY + timedelta(days=number)
            lake.create(
                f"landing/leads/{day:%m-%d-%Y} Nevada.csv", nevada.content + f"{number},,,,,,,,,,,,,\r\n".encode()
            )
        job = defs().resolve_job_def("everything")

        def run(first: date, last: date) -> float:
            began = time.perf_counter()
            tags = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
            asset = [dg.AssetKey("raw_leads")]
            result = job.execute_in_process(run_config=_QUIET, instance=instance, tags=tags, asset_selection=asset)
            made = [event.partition for event in result.get_asset_materialization_events()]
            if len(made) != (last - first).days + 1:
                raise RuntimeError(f"expected one materialisation for each day, found {len(made)}")
            return time.perf_counter() - began

        single = [run(day, day) for day in (FIRST_DAY + timedelta(days=n) for n in range(SINGLE_RUNS))]
        whole = run(FIRST_DAY, FIRST_DAY + timedelta(days=NUM_DAYS - 1))
    a_day = sum(single) / len(single)
    Console().print(
        f"{NUM_DAYS} days of raw_leads with a file each: {whole:.1f} s in one Dagster run; one day alone takes"
        f" {a_day:.2f} s, so a run a day would take {a_day * NUM_DAYS:.0f} s: ratio {whole / (a_day * NUM_DAYS):.3f}."
    )
