"""What each table holds: columns, types, rules and meaning, one file a table. The only description of it.

Migrations are tested to agree with these files; publishing, asset checks, the UI's column lists and empty frames are
made from them. What does not belong here: how a row comes about.
"""

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data_platform.contracts.contract import Contract


@cache
def every() -> "tuple[Contract, ...]":
    """Every table's contract, in the order of the file names."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return tuple(module.CONTRACT for module in modules if hasattr(module, "CONTRACT"))


@cache
def of_table(table: str) -> "Contract":
    """The contract of a table, by its name with schema, such as `leads.leads`.

    Raises:
        KeyError: No contract describes that table.
    """
    return {contract.table: contract for contract in every()}[table]
