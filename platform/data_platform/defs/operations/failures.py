"""What went wrong in a run, one sentence for each step and check that failed."""

from collections.abc import Iterator

import dagster as dg
from dagster_shared.error import SerializableErrorInfo


def failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """A sentence for each step that failed and each check that did not pass."""
    return [*_of_steps(result), *_of_checks(result)]


def a_day_cannot_be_made(result: dg.ExecuteInProcessResult, definitions: dg.Definitions) -> bool:
    """Whether an asset with days failed in a way that no other try mends (`permanent_errors_are_final`)."""
    graph = definitions.resolve_asset_graph()
    with_days = {key.to_python_identifier() for key in graph.materializable_asset_keys if graph.get(key).is_partitioned}
    return any(
        error.cls_name == dg.Failure.__name__
        for event in result.get_step_failure_events()
        for error in _causes(event.step_failure_data.error)
        if event.step_key in with_days
    )


def _of_steps(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    for event in result.get_step_failure_events():
        chain = list(_causes(event.step_failure_data.error))
        # The first error of ours is the sentence for people; what it was raised from is for the log.
        told = next(
            (error for error in chain if error.message.startswith("data_platform.")), chain[-1] if chain else None
        )
        sentence = told.message.strip().split(": ", 1)[-1] if told else "see the run's log in the UI"
        yield f"{event.step_key}: {sentence}"


def _causes(error: SerializableErrorInfo | None) -> Iterator[SerializableErrorInfo]:
    while error:
        yield error
        error = error.cause


def _of_checks(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    for check in result.get_asset_check_evaluations():
        if not check.passed:
            facts = ", ".join(f"{name}={value.value}" for name, value in check.metadata.items())
            yield f"check {check.check_name} of {check.asset_key.to_user_string()}: {facts}"
