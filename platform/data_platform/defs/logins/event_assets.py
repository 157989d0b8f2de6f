"""Assets of login events: the drained queue, and one table for each declared type of event."""

from datetime import timedelta
from typing import Any

import dagster as dg

from data_platform.contracts import message_ledger as ledger_contract
from data_platform.contracts.outcome import DayByDay
from data_platform.defs import checks
from data_platform.defs.describe import QUEUE, column_schema, describe, fresh
from data_platform.defs.logins.draining import derived_days, drain
from data_platform.defs.partitions import daily
from data_platform.defs.resources import Storage
from data_platform.defs.retries import RETRY_TRANSIENT, permanent_errors_are_final
from data_platform.logins import event_types, events
from data_platform.logins.event_types import EventType
from data_platform.privacy import tokens
from data_platform.publish.draining import Drained

login_queue = dg.AssetSpec(
    "login_queue",
    group_name="logins",
    owners=["team:app"],
    kinds={"sqs"},
    description="The app's queue of login events: JSON messages, at least once each, in no order.",
)


@dg.asset(
    retry_policy=RETRY_TRANSIENT,
    deps=[login_queue],
    group_name="logins",
    owners=["team:analytics"],
    kinds={"sqs", "postgres"},
    code_version=event_types.load().version,
    freshness_policy=fresh(timedelta(days=1)),
    metadata={"dagster/column_schema": column_schema(ledger_contract.CONTRACT), QUEUE: "login_queue"},
)
def login_messages(context: dg.AssetExecutionContext, storage: Storage) -> dg.MaterializeResult[Any]:
    """Drains the queue: each message is sealed and kept, booked in `ops.message_ledger` with the row that it became.

    Nothing is deleted from the queue before that is committed, so a message is never lost; one that comes again, by its
    id or its content, is never counted twice, whenever it comes.
    """
    with permanent_errors_are_final():
        stack = storage.open()
        return dg.MaterializeResult(metadata=_facts(drain(stack, context.run.run_id)))


def _facts(drained: Drained) -> dict[str, dg.MetadataValue]:
    numbers = {f"num_{outcome}": number for outcome, number in drained.counts.items()} | {
        "dagster/row_count": sum(drained.counts.values()),
        "num_batches": drained.num_batches,
        "num_resumed": drained.num_resumed,
        "num_not_deleted": drained.num_not_deleted,
    }
    return {name: dg.MetadataValue.int(number) for name, number in numbers.items()}


def _asset_of(type_: EventType) -> dg.AssetsDefinition:
    """The asset of a type of event: its days, derived again from the sealed messages."""
    contract = type_.contract

    @dg.asset(
        name=contract.name,
        description=f"{contract.description}\n\nThe drain appends rows as messages come in; a run of a day derives them"
        " again from the evidence, and publishes the day.",
        partitions_def=daily,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=RETRY_TRANSIENT,
        deps=[login_messages],
        **describe(
            contract,
            group="logins",
            owner="team:analytics",
            made_by=[events, event_types.FILE, tokens],
            every=timedelta(days=1),
        ),
    )
    def events_of_days(context: dg.AssetExecutionContext, storage: Storage) -> DayByDay:
        with permanent_errors_are_final():
            return DayByDay(derived_days(storage.open(), contract, context.run.run_id), num_ahead=1)

    return events_of_days


event_assets = [_asset_of(type_) for type_ in event_types.load().by_name.values()]
event_checks = [checks.checks_of(asset) for asset in event_assets]
EVENT_KEYS = [asset.key for asset in event_assets]
