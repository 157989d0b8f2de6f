"""The state of every asset as one table."""

from collections.abc import Set as AbstractSet

import dagster as dg
from rich import box
from rich.table import Table

from data_platform import contracts
from data_platform.contracts.contract import Contract
from data_platform.defs.describe import TABLE_NAME
from data_platform.publish import reading
from data_platform.publish.reading import Publication
from data_platform.stack import Stack

Seconds = dict[dg.AssetKey, float]
"""How long the step of each asset took, for those that ran."""


def summary(stack: Stack, definitions: dg.Definitions, instance: dg.DagsterInstance, seconds: Seconds) -> Table:
    """Asset, days, rows, rejected, checks passed, seconds, and where the rows lie."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for header, justify in (
        ("asset", "left"), ("days", "left"), ("rows", "right"), ("rejected", "right"), ("checks", "right"),
        ("seconds", "right"), ("where it lies", "left"),
    ):  # fmt: skip
        table.add_column(header, justify=justify, no_wrap=header in {"asset", "days"}, overflow="fold")  # pyright: ignore[reportArgumentType]
    graph = definitions.resolve_asset_graph()
    for key in graph.toposorted_asset_keys:
        metadata = graph.get(key).metadata
        if TABLE_NAME not in metadata:
            continue
        contract = contracts.of_table(metadata[TABLE_NAME])
        versions = reading.publications(stack.warehouse, contract)
        table.add_row(
            key.to_user_string(),
            _days(versions),
            f"{sum(version.num_rows for version in versions):,}",
            f"{sum(version.num_rejected for version in versions):,}",
            _checks(graph.get_check_keys_for_assets({key}), instance),
            f"{seconds[key]:.1f}" if key in seconds else "-",
            _place(contract),
        )
    return table


def _days(versions: list[Publication]) -> str:
    days = [version.day for version in versions if version.day]
    if len(days) > 1:
        return f"{len(days)}: {days[0]}..{days[-1]}"
    return str(days[0]) if days else "all"


def _checks(keys: AbstractSet[dg.AssetCheckKey], instance: dg.DagsterInstance) -> str:
    latest = [instance.get_latest_asset_check_evaluation_record(key) for key in keys]
    return f"{sum(record.status.value == 'SUCCEEDED' for record in latest if record)}/{len(keys)}"


def _place(contract: Contract) -> str:
    return (
        f"warehouse: {contract.table}"
        if contract.kept_in == "warehouse"
        else f"lake: tables/{contract.schema}/{contract.name}"
    )


def places(stack: Stack) -> str:
    """Where warehouse and lake of the table's last column are."""
    return f"warehouse: postgresql://{stack.warehouse.address}\nlake:      {stack.lake.uri}"
