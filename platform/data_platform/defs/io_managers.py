"""Frames in and out of storage, by the publish protocol; one shape for one day and for many.

What does not belong here: anything about one product, and how publishing works (`publish/`).
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from data_platform import contracts
from data_platform.ahead import read_ahead
from data_platform.contracts.contract import Contract
from data_platform.contracts.outcome import DayByDay, Outcome, together
from data_platform.defs.describe import TABLE_NAME
from data_platform.defs.partitions import stretches
from data_platform.defs.resources import Storage
from data_platform.defs.retries import permanent_errors_are_final
from data_platform.errors import PermanentError
from data_platform.publish import protocol, reading
from data_platform.publish.shelves import LakeShelf, Shelf, WarehouseShelf
from data_platform.stack import Stack

EVERY_PUBLISHED_DAY = {"days": "published"}
"""Metadata of an `AssetIn`: read all days that are published, instead of exactly the mapped ones."""

FAILED_DAYS = "failed_days"
"""Metadata of a failure: how many days could not be made; all others of the run are published."""

_PREVIEW_ROWS, _PREVIEW_COLUMNS = 5, 8
_ROWS_AT_HAND = 200_000

Metadata = dict[str, Any]


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

    def handle_output(self, context: dg.OutputContext, obj: Outcome | DayByDay | pl.DataFrame | pl.LazyFrame) -> None:
        """Publishes the rows of the run's days, or of the whole table, with metadata for each day."""
        storage: Storage = context.resources.storage
        stack = storage.open()
        by = protocol.Provenance(context.asset_spec.code_version or "0", context.run_id, storage.end_of_reading())
        days = days_of(context.asset_partition_keys) if context.has_asset_partitions else None
        if isinstance(obj, DayByDay):
            self._publish_each(context, stack, obj, days or [], by)
            return
        outcome = obj if isinstance(obj, Outcome) else Outcome(obj.lazy().collect())
        with permanent_errors_are_final():
            for day, metadata in self._publish(context, stack, outcome, days, by):
                _tell(context, day, metadata)

    def _publish(
        self,
        context: dg.OutputContext,
        stack: Stack,
        outcome: Outcome,
        days: Sequence[date] | None,
        by: protocol.Provenance,
    ) -> Iterator[tuple[date | None, Metadata]]:
        contract = contracts.of_table(context.asset_spec.metadata[TABLE_NAME])
        done = protocol.publish(stack.warehouse, self.shelf(stack), contract, outcome, days=days, by=by)
        for day in done:
            rows = outcome.rows.filter(pl.col(contract.day) == day.day) if contract.day else outcome.rows
            yield day.day, self._metadata(stack, contract, day, rows) | outcome.facts

    def _publish_each(
        self,
        context: dg.OutputContext,
        stack: Stack,
        made: DayByDay,
        days: Sequence[date],
        by: protocol.Provenance,
    ) -> None:
        """Makes and publishes day after day; those that cannot be made are named once the others are there."""
        done: dict[date, Metadata] = {}
        failed: dict[date, PermanentError] = {}
        at_hand: dict[date, Outcome] = {}
        each = _each_made(made, days)
        for day, outcome in read_ahead(each, at_most=made.num_ahead) if made.num_ahead else each:
            if isinstance(outcome, Outcome):
                at_hand[day] = outcome
            else:
                failed[day] = outcome
            is_full = sum(outcome.rows.height for outcome in at_hand.values()) >= _ROWS_AT_HAND
            if at_hand and (is_full or day == days[-1]):
                # A transaction costs the same for a day as for many, so small days share one.
                self._publish_together(context, stack, at_hand, by, done, failed)
                at_hand.clear()
        tell_all(context, done, failed, num_days=len(days))

    def _publish_together(
        self,
        context: dg.OutputContext,
        stack: Stack,
        outcomes: Mapping[date, Outcome],
        by: protocol.Provenance,
        done: dict[date, Metadata],
        failed: dict[date, PermanentError],
    ) -> None:
        try:
            for day, metadata in self._publish(context, stack, together(outcomes.values()), [*outcomes], by):
                if day:
                    done[day] = metadata | outcomes[day].facts
        except PermanentError as error:
            if len(outcomes) == 1:
                failed |= dict.fromkeys(outcomes, error)
                return
            for day, outcome in outcomes.items():
                self._publish_together(context, stack, {day: outcome}, by, done, failed)

    def _metadata(self, stack: Stack, contract: Contract, done: protocol.Published, rows: pl.DataFrame) -> Metadata:
        count = "dagster/row_count" if done.day is None else "dagster/partition_row_count"
        return {
            count: dg.MetadataValue.int(done.num_rows),
            "num_rejected": dg.MetadataValue.int(done.num_rejected),
            "num_bytes": dg.MetadataValue.int(done.num_bytes or int(rows.estimated_size())),
            "status": dg.MetadataValue.text(done.status),
            "content_hash": dg.MetadataValue.text(done.content_hash),
            "dagster/uri": dg.MetadataValue.text(self.place(stack, contract, done.object_key)),
            "preview": dg.MetadataValue.md(preview(contract, rows)),
        }

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
        days = None if everything or not context.has_asset_partitions else days_of(context.asset_partition_keys)
        with permanent_errors_are_final():
            return reading.read(stack.warehouse, stack.lake, contract, days)


def _each_made(made: DayByDay, days: Sequence[date]) -> Iterator[tuple[date, Outcome | PermanentError]]:
    for day in days:
        try:
            yield day, made.of_day(day)
        except PermanentError as error:
            yield day, error


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
    return markdown(rows.select(told[:_PREVIEW_COLUMNS]))


def markdown(rows: pl.DataFrame) -> str:
    """The first rows of a frame as a Markdown table."""
    shown = rows.head(_PREVIEW_ROWS)
    lines = [shown.columns, ["---"] * shown.width, *([_cell(value) for value in row] for row in shown.iter_rows())]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    text = "" if value is None else str(value).replace("|", r"\|").replace("\n", " ").replace("\r", "")
    return text if len(text) <= 40 else f"{text[:39]}…"  # noqa: PLR2004


def _tell(context: dg.OutputContext, day: date | None, metadata: Metadata) -> None:
    if day is None or len(context.asset_partition_keys) == 1:
        context.add_output_metadata(metadata)
    else:
        context.step_context.add_asset_metadata(metadata, asset_key=context.asset_key, partition_key=day.isoformat())


def tell_all(
    context: dg.OutputContext,
    done: Mapping[date, Metadata],
    failed: Mapping[date, PermanentError],
    *,
    num_days: int,
    word: str = "published",
) -> None:
    """Tells of the days that were made, and fails if any was not.

    Raises:
        dg.Failure: Its message names the days that failed.
    """
    if not failed:
        for day, metadata in done.items():
            _tell(context, day, metadata)
        return
    for day, metadata in done.items():
        # A run that fails tells nothing of what it has made all the same; this does.
        context.step_context.instance.report_runless_asset_event(
            dg.AssetMaterialization(context.asset_key, partition=day.isoformat(), metadata=metadata)
        )
    raise dg.Failure(_named(failed, num_days, word), metadata={FAILED_DAYS: len(failed)}, allow_retries=False)


def _named(failed: Mapping[date, PermanentError], num_days: int, word: str) -> str:
    # Of many days that fail for the same reason, the first one's sentence is enough.
    first_of_kind = {type(error): str(error) for error in reversed([*failed.values()])}
    told = " ".join(reversed(first_of_kind.values()))
    if num_days == 1:
        return told
    days = ", ".join(f"{first}" if first == last else f"{first}..{last}" for first, last in stretches(failed))
    others = f"the others are {word}" if len(failed) < num_days else f"none was {word}"
    return f"{len(failed)} of {num_days} days could not be made, {others}: {days}. {told}"


def days_of(keys: Iterable[str]) -> Sequence[date]:
    """The days that partition keys name."""
    return [date.fromisoformat(key) for key in keys]
