"""What every asset tells about itself, from its contract: one helper, so that no asset says less than another."""

import hashlib
import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, TypedDict

import dagster as dg

from data_platform.contracts.contract import Contract

TABLE_NAME = "dagster/table_name"
REPORT_TYPE = "report_type"
"""Metadata of an asset that is delivered instead of published: the name of its report type."""

QUEUE = "queue"
"""Metadata of an asset that drains a queue: the external asset that the queue is."""

LANDING_FOLDER = "landing_folder"
"""Metadata of an external asset: the folder below LANDING_URI that its files arrive in."""


class Description(TypedDict):
    """Keyword arguments of `dg.asset`."""

    group_name: str
    owners: list[str]
    kinds: set[str]
    io_manager_key: str
    code_version: str
    freshness_policy: dg.FreshnessPolicy
    metadata: dict[str, Any]


def describe(
    contract: Contract, *, group: str, owner: str, made_by: Iterable[ModuleType | Path], every: timedelta
) -> Description:
    """Keyword arguments for `dg.asset`: group, owner, kinds, columns, table name, code version, freshness, IO manager.

    Args:
        contract: Describes the table that the asset is stored as.
        group: The product.
        owner: `team:...`, who is asked when it breaks.
        made_by: Modules, packages and folders that make the rows; an edit of any of their files is a new code version.
        every: How often something new is expected.
    """
    return {
        "group_name": group,
        "owners": [owner],
        "kinds": {"polars", "postgres" if contract.kept_in == "warehouse" else "parquet"},
        "io_manager_key": f"{contract.kept_in}_io_manager",
        "code_version": code_version(contract, made_by),
        "freshness_policy": fresh(every),
        "metadata": {TABLE_NAME: contract.table, "dagster/column_schema": column_schema(contract)},
    }


def fresh(every: timedelta) -> dg.FreshnessPolicy:
    """Warns two hours after something new should have been there, and fails half a day after it."""
    return dg.FreshnessPolicy.time_window(
        fail_window=every + timedelta(hours=12), warn_window=every + timedelta(hours=2)
    )


def column_schema(contract: Contract) -> dg.TableSchema:
    """The contract's columns as the UI shows them."""
    key = contract.rows.primary_key()
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                type=str(column.dtype),
                description=column.description,
                tags={"personal": ""} if name not in contract.open_columns else None,
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=[name] == key),
            )
            for name, column in contract.rows.columns().items()
        ]
    )


def code_version(contract: Contract, made_by: Iterable[ModuleType | Path]) -> str:
    """A digest of the contract's file and of those that make the rows."""
    return digest_of([_module_of(contract), *made_by])


def digest_of(places: Iterable[ModuleType | Path]) -> str:
    """A digest of the files of modules, packages and folders."""
    files = sorted({file for place in places for file in _files(place)}, key=lambda file: file.as_posix())
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _module_of(contract: Contract) -> ModuleType:
    return sys.modules[contract.rows.__module__]


def _files(place: ModuleType | Path) -> list[Path]:
    path = place if isinstance(place, Path) else Path(str(place.__file__))
    if path.name != "__init__.py" and path.is_file():
        return [path]
    folder = path if path.is_dir() else path.parent
    return [file for file in folder.rglob("*") if file.suffix in {".py", ".yaml", ".sql"}]
