"""The state of every asset as one table."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date

import dagster as dg
from rich import box
from rich.table import Table

from data_platform import contracts
from data_platform.contracts.contract import Contract
from data_platform.defs.describe import QUEUE, REPORT_TYPE, TABLE_NAME
from data_platform.publish import delivered, messages, reading
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
        facts = _facts(stack, key, graph.get(key).metadata)
        if facts is None:
            continue
        table.add_row(
            key.to_user_string(),
            facts.days,
            f"{facts.num_rows:,}",
            f"{facts.num_rejected:,}",
            _checks(graph.get_check_keys_for_assets({key}), instance),
            f"{seconds[key]:.1f}" if key in seconds else "-",
            facts.place,
        )
    return table


@dataclass(frozen=True)
class _Facts:
    days: str
    num_rows: int
    num_rejected: int
    place: str


def _facts(stack: Stack, key: dg.AssetKey, metadata: Mapping[str, object]) -> _Facts | None:
    """What an asset has; None for one that the platform does not make."""
    if REPORT_TYPE in metadata:
        files = delivered.current(stack.warehouse, key.to_user_string())
        rows_of = {file.report_date: file.num_rows for file in files}
        return _Facts(_days([*rows_of], "-"), sum(rows_of.values()), 0, "reports: " + key.to_user_string())
    if QUEUE in metadata:
        sums = messages.account(stack.warehouse).drop("queue").sum().fill_null(0).row(0, named=True)
        num_rejected = sums["num_rejected"] + sums["num_conflicting"]
        return _Facts("all", sums["num_received"], num_rejected, "warehouse: ops.message_ledger")
    if TABLE_NAME not in metadata:
        return None
    contract = contracts.of_table(str(metadata[TABLE_NAME]))
    versions = reading.publications(stack.warehouse, contract)
    return _Facts(
        _days([version.day for version in versions if version.day], "all"),
        sum(version.num_rows for version in versions),
        sum(version.num_rejected for version in versions),
        _place(contract),
    )


def _days(days: list[date], without: str) -> str:
    if len(days) > 1:
        return f"{len(days)}: {days[0]}..{days[-1]}"
    return str(days[0]) if days else without


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
    """Where the places of the table's last column are."""
    of = {"warehouse": f"postgresql://{stack.warehouse.address}", "lake": stack.lake.uri, "reports": stack.reports.uri}
    return "\n".join(f"{name + ':':<11}{uri}" for name, uri in of.items())
