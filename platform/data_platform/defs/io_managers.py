"""Frames in and out of storage, by the publish protocol; one shape for one day and for many.

What does not belong here: anything about one product, and how publishing works (`publish/`).
"""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from datetime import date

import dagster as dg
import polars as pl

from data_platform import contracts
from data_platform.contracts.contract import Contract
from data_platform.contracts.outcome import Outcome
from data_platform.defs.describe import TABLE_NAME
from data_platform.defs.resources import Storage
from data_platform.defs.retries import permanent_errors_are_final
from data_platform.publish import protocol, reading
from data_platform.publish.shelves import LakeShelf, Shelf, WarehouseShelf
from data_platform.stack import Stack

EVERY_PUBLISHED_DAY = {"days": "published"}
"""Metadata of an `AssetIn`: read all days that are published, instead of exactly the mapped ones."""

_PREVIEW_ROWS, _PREVIEW_COLUMNS = 5, 8


class PublishingIOManager(dg.IOManager):
    """Publishes what an asset returns, and reads what others published.

    The `storage` resource comes from the run and is not nested: Dagster would make a second one for each manager, and
    when reading began is known to the one that the asset read with.
    """

    @abstractmethod
    def shelf(self, stack: Stack) -> Shelf:
        """Where the rows of this manager's tables lie."""

    @abstractmethod
    def place(self, stack: Stack, contract: Contract, object_key: str | None) -> str:
        """Address of a table's rows, for people."""

    def handle_output(self, context: dg.OutputContext, obj: Outcome | pl.DataFrame | pl.LazyFrame) -> None:
        """Publishes the rows of the run's days, or of the whole table, with metadata for each day."""
        contract = contracts.of_table(context.asset_spec.metadata[TABLE_NAME])
        storage: Storage = context.resources.storage
        stack = storage.open()
        outcome = obj if isinstance(obj, Outcome) else Outcome(obj.lazy().collect())
        by = protocol.Provenance(context.asset_spec.code_version or "0", context.run_id, storage.end_of_reading())
        days = _days(context.asset_partition_keys) if context.has_asset_partitions else None
        with permanent_errors_are_final():
            done = protocol.publish(stack.warehouse, self.shelf(stack), contract, outcome, days=days, by=by)
        for day in done:
            rows = outcome.rows.filter(pl.col(contract.day) == day.day) if contract.day else outcome.rows
            self._report(context, stack, contract, day, rows)

    def _report(
        self, context: dg.OutputContext, stack: Stack, contract: Contract, done: protocol.Published, rows: pl.DataFrame
    ) -> None:
        count = "dagster/row_count" if done.day is None else "dagster/partition_row_count"
        metadata: dict[str, dg.MetadataValue] = {  # pyright: ignore[reportMissingTypeArgument]
            count: dg.MetadataValue.int(done.num_rows),
            "num_rejected": dg.MetadataValue.int(done.num_rejected),
            "num_bytes": dg.MetadataValue.int(done.num_bytes or int(rows.estimated_size())),
            "status": dg.MetadataValue.text(done.status),
            "content_hash": dg.MetadataValue.text(done.content_hash),
            "dagster/uri": dg.MetadataValue.text(self.place(stack, contract, done.object_key)),
            "preview": dg.MetadataValue.md(preview(contract, rows)),
        }
        if done.day is None or len(context.asset_partition_keys) == 1:
            context.add_output_metadata(metadata)
        else:
            execution = context.step_context
            execution.add_asset_metadata(metadata, asset_key=context.asset_key, partition_key=done.day.isoformat())

    def load_input(self, context: dg.InputContext) -> pl.LazyFrame:
        """The published rows of the days that the input maps to.

        Raises:
            DayNotPublished: One of them is not published; the message says how to fill it.
        """
        upstream = context.upstream_output
        if upstream is None:
            raise dg.DagsterInvariantViolationError(
                f"{context.asset_key.to_user_string()} is no asset of this platform."
            )
        contract = contracts.of_table(upstream.asset_spec.metadata[TABLE_NAME])
        stack = context.resources.storage.open()
        everything = context.definition_metadata.get("days") == EVERY_PUBLISHED_DAY["days"]
        days = None if everything or not context.has_asset_partitions else _days(context.asset_partition_keys)
        with permanent_errors_are_final():
            return reading.read(stack.warehouse, stack.lake, contract, days)


class WarehouseIOManager(PublishingIOManager):
    """Tables in Postgres."""

    def shelf(self, stack: Stack) -> Shelf:
        """The table of the contract's name."""
        return WarehouseShelf()

    def place(self, stack: Stack, contract: Contract, object_key: str | None) -> str:
        """Host, database and table."""
        return f"postgresql://{stack.warehouse.address}/{contract.table}"


class LakeIOManager(PublishingIOManager):
    """Parquet objects in the lake, one a day."""

    def shelf(self, stack: Stack) -> Shelf:
        """The lake."""
        return LakeShelf(stack.lake)

    def place(self, stack: Stack, contract: Contract, object_key: str | None) -> str:
        """URI of the object."""
        return f"{stack.lake.uri}/{object_key}"


def bound_to_storage(manager: type[PublishingIOManager]) -> dg.IOManagerDefinition:
    """An IO manager that works with the run's `storage` resource."""
    return dg.IOManagerDefinition(resource_fn=lambda _: manager(), required_resource_keys={"storage"})


def preview(contract: Contract, rows: pl.DataFrame) -> str:
    """The first rows as a Markdown table: few columns, none of them personal, and none that is empty throughout."""
    told = [name for name in contract.open_columns if rows.height == 0 or rows[name].null_count() < rows.height]
    shown = rows.head(_PREVIEW_ROWS).select(told[:_PREVIEW_COLUMNS])
    lines = [shown.columns, ["---"] * shown.width, *([_cell(value) for value in row] for row in shown.iter_rows())]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    text = "" if value is None else str(value).replace("|", r"\|").replace("\n", " ").replace("\r", "")
    return text if len(text) <= 40 else f"{text[:39]}…"  # noqa: PLR2004


def _days(keys: Iterable[str]) -> Sequence[date]:
    return [date.fromisoformat(key) for key in keys]
