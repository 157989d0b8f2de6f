"""Assets of the leads product."""

from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import polars as pl

from data_platform import intake, leads
from data_platform.contracts import leads as lead_contract
from data_platform.contracts import raw_leads as raw_contract
from data_platform.contracts.outcome import Outcome
from data_platform.defs.checks import checks_of
from data_platform.defs.describe import LANDING_FOLDER, describe
from data_platform.defs.io_managers import EVERY_PUBLISHED_DAY
from data_platform.defs.leads.landing import lead_arrivals
from data_platform.defs.partitions import daily
from data_platform.defs.resources import Storage
from data_platform.defs.retries import RETRY_TRANSIENT, permanent_errors_are_final
from data_platform.leads import conform, raw, sources

_WEEK = timedelta(days=7)

lead_files = dg.AssetSpec(
    "lead_files",
    group_name="leads",
    owners=["team:leads"],
    kinds={"csv"},
    metadata={LANDING_FOLDER: "leads"},
    description="Licensing files of childcare providers, as outsiders drop them in `leads/` of the landing prefix.",
)


def lead_assets(layouts: Path) -> tuple[dg.AssetsDefinition, dg.AssetsDefinition]:
    """`raw_leads` and `leads` by the layouts of a folder, whose files are part of the assets' code version."""

    @dg.asset(
        partitions_def=daily,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=RETRY_TRANSIENT,
        deps=[lead_files],
        **describe(
            raw_contract.CONTRACT, group="leads", owner="team:leads", made_by=[leads, intake, layouts], every=_WEEK
        ),
    )
    def raw_leads(context: dg.AssetExecutionContext, storage: Storage) -> Outcome:
        """Every record of the licensing files delivered on a day, each value as text, with the place of its bytes.

        Whatever landed for the day is first kept as evidence. Records that cannot be read, and files whose layout no
        source has, are in `ops.rejects`. A file of which too many records cannot be used holds its whole day.
        """
        days = [date.fromisoformat(key) for key in context.partition_keys]
        with permanent_errors_are_final():
            return raw.read(lead_arrivals(storage.open()).receive_days(days), sources.every(layouts))

    @dg.asset(
        name="leads",
        ins={"raw_leads": dg.AssetIn(metadata=EVERY_PUBLISHED_DAY)},
        retry_policy=RETRY_TRANSIENT,
        **describe(lead_contract.CONTRACT, group="leads", owner="team:leads", made_by=[leads, layouts], every=_WEEK),
    )
    def current_leads(raw_leads: pl.LazyFrame) -> Outcome:
        """Childcare providers as their state's licensing office last described them: one row by source and licence.

        Made of every delivery ever received, so the order in which files arrive does not matter.
        """
        with permanent_errors_are_final():
            return conform.conform(raw_leads.collect(), sources.every(layouts))

    return raw_leads, current_leads


raw_leads, current_leads = lead_assets(sources.FOLDER)
raw_leads_checks = checks_of(raw_leads)
leads_checks = checks_of(current_leads)
