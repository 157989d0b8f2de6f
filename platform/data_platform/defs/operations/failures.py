"""What went wrong in a run, one sentence for each step and check that failed."""

from collections.abc import Iterator
from typing import cast

import dagster as dg

from data_platform.defs.io_managers import FAILED_DAYS
from data_platform.defs.trying_again import causes

_SHOWN = 3


def failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """A sentence for each step that failed and each check that did not pass."""
    return [*_of_steps(result), *_of_checks(result, dg.AssetCheckSeverity.ERROR)]


def a_day_cannot_be_made(result: dg.ExecuteInProcessResult, definitions: dg.Definitions) -> bool:
    """Whether an asset with days failed in a way that no other try mends (`permanent_errors_are_final`).

    One that makes its days one after the other has made all those that can be made.
    """
    graph = definitions.resolve_asset_graph()
    with_days = {key.to_python_identifier() for key in graph.materializable_asset_keys if graph.get(key).is_partitioned}
    return any(
        error.cls_name == dg.Failure.__name__
        for event in result.get_step_failure_events()
        if not _made_the_others(event)
        for error in causes(event.step_failure_data.error)
        if event.step_key in with_days
    )


def _made_the_others(event: dg.DagsterEvent) -> bool:
    told = event.step_failure_data.user_failure_data
    return bool(told and FAILED_DAYS in told.metadata)


def _of_steps(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    for event in result.get_step_failure_events():
        chain = list(causes(event.step_failure_data.error))
        # The first error of ours is the sentence for people; what it was raised from is for the log.
        told = next(
            (error for error in chain if error.message.startswith("data_platform.")), chain[-1] if chain else None
        )
        sentence = told.message.strip().split(": ", 1)[-1] if told else "see the run's log in the UI"
        yield f"{event.step_key}: {sentence}"


def warnings(result: dg.ExecuteInProcessResult) -> list[str]:
    """A sentence for each check that only warns and did not pass."""
    return list(_of_checks(result, dg.AssetCheckSeverity.WARN))


def _of_checks(result: dg.ExecuteInProcessResult, severity: dg.AssetCheckSeverity) -> Iterator[str]:
    evaluations = result.get_asset_check_evaluations()
    # Of a range, the evaluation without a day speaks for all of its days.
    of_ranges = {(check.asset_key, check.check_name) for check in evaluations if not check.partition}
    for check in evaluations:
        is_told = check.partition and (check.asset_key, check.check_name) in of_ranges
        if not check.passed and check.severity == severity and not is_told:
            facts = ", ".join(f"{name}={_short(value.value)}" for name, value in check.metadata.items())
            yield f"check {check.check_name} of {check.asset_key.to_user_string()}: {facts}"


def _short(value: object) -> str:
    if not isinstance(value, list):
        return str(value)
    items = cast("list[object]", value)
    told = ", ".join(str(item) for item in items[:_SHOWN])
    return told if len(items) <= _SHOWN else f"{told} and {len(items) - _SHOWN} more"
