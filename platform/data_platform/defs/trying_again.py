"""When a run that a sensor asked for is asked for again: after a failure that another try can mend, at growing pauses.

The third of three tries: a step is tried again at once (`retries.py`), a run whose process died by the daemon
(`run_retries` in dagster.yaml). What does not belong here: what is asked for (each product's sensor).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

ASKED = "data_platform/asked"
"""Tag of a run: the key of the request that it began with, whichever try it is."""

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=2), timedelta(hours=6)
_DOUBLINGS = 8  # the pause is at its longest by then


def until_done(
    context: dg.SensorEvaluationContext, requests: Iterable[dg.RunRequest], now: datetime | None = None
) -> Iterator[dg.RunRequest]:
    """The same requests; one whose last run failed for a passing reason has another key once its pause is over.

    Dagster starts one run for a key, ever. What no other try can mend stays under its key until its cause changes, and
    the key with it: a permanent error is tried once.
    """
    for request in requests:
        key = str(request.run_key)
        runs = context.instance.get_run_records(dg.RunsFilter(tags={ASKED: key}), limit=100)
        is_due = bool(runs) and _is_due(context.instance, runs, now or datetime.now(UTC))
        run_key = f"{key}:try-{len(runs) + 1}" if is_due else key
        yield request.with_replaced_attrs(run_key=run_key, tags={**request.tags, ASKED: key})


def pause_after(num_failed: int) -> timedelta:
    """How long is waited after so many failures in a row."""
    return min(_FIRST_PAUSE * 2 ** min(num_failed - 1, _DOUBLINGS), _LONGEST_PAUSE)


def failed_for_good(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a step of a run failed in a way that no other try mends (`permanent_errors_are_final`)."""
    failed = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    errors = [entry.dagster_event.step_failure_data.error for entry in failed if entry.dagster_event]
    return any(error.cls_name == dg.Failure.__name__ for first in errors for error in causes(first))


def causes(error: SerializableErrorInfo | None) -> Iterator[SerializableErrorInfo]:
    """An error, what it was raised from, and so on."""
    while error:
        yield error
        error = error.cause


def _is_due(instance: dg.DagsterInstance, runs: Sequence[dg.RunRecord], now: datetime) -> bool:
    last = runs[0]
    if last.dagster_run.status != dg.DagsterRunStatus.FAILURE or failed_for_good(instance, last.dagster_run.run_id):
        return False
    return now >= last.update_timestamp.replace(tzinfo=UTC) + pause_after(len(runs))
