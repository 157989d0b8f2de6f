"""The code location: everything under `defs/`, with its resources. Nothing else is decided here."""

from pathlib import Path

import dagster as dg

from data_platform.defs.io_managers import LakeIOManager, WarehouseIOManager, bound_to_storage
from data_platform.defs.operations.replay_job import EVERYTHING, replay_rejects_job
from data_platform.defs.operations.standing import standing_checks
from data_platform.defs.reports.delivering import report_io_manager
from data_platform.defs.resources import Storage


@dg.definitions
def defs() -> dg.Definitions:
    """Assets, checks, sensors and jobs of every product, bound to the running stack."""
    return bound(dg.load_from_defs_folder(path_within_project=Path(__file__)))


def bound(parts: dg.Definitions) -> dg.Definitions:
    """Assets, checks and sensors bound to the running stack, with the jobs that work on all of them."""
    whole = dg.Definitions.merge(
        parts,
        standing_checks(parts),
        dg.Definitions(
            resources={
                "storage": Storage(),
                "warehouse_io_manager": bound_to_storage(WarehouseIOManager),
                "lake_io_manager": bound_to_storage(LakeIOManager),
                "report_io_manager": report_io_manager,
            },
            jobs=[
                dg.define_asset_job(EVERYTHING, selection=dg.AssetSelection.all(), description="Every asset and check.")
            ],
            # Steps are short: a process for each would cost far more than it does (about ten times over).
            executor=dg.in_process_executor,
        ),
    )
    return dg.Definitions.merge(whole, dg.Definitions(jobs=[replay_rejects_job(whole)]))
