"""A failure that another try can mend is tried again by all three means; one that none can mend is tried once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import dagster as dg
import pytest

from data_platform.defs.retries import RETRY_TRANSIENT, permanent_errors_are_final
from data_platform.defs.trying_again import ASKED, pause_after, until_done
from data_platform.errors import PermanentError, TransientError

MOST = timedelta(days=1)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


class Step:
    """A step that fails as it is told, and counts how often it was tried."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.num_tries = 0

    def job(self) -> dg.JobDefinition:
        policy = dg.RetryPolicy(max_retries=RETRY_TRANSIENT.max_retries, delay=0)

        @dg.op(retry_policy=policy)
        def step() -> None:
            self.num_tries += 1
            with permanent_errors_are_final():
                if self.failures:
                    raise self.failures.pop(0)

        @dg.job
        def work() -> None:
            step()

        return work


def run(instance: dg.DagsterInstance, step: Step, key: str = "day") -> bool:
    return step.job().execute_in_process(instance=instance, tags={ASKED: key}, raise_on_error=False).success


def asked(instance: dg.DagsterInstance, *, later: timedelta = timedelta(0)) -> dg.RunRequest:
    wanted = [dg.RunRequest(run_key="day", partition_key="2026-06-01", tags={"mine": "stays"})]
    with dg.build_sensor_context(instance=instance) as context:
        [request] = until_done(context, wanted, datetime.now(UTC) + later)
    return request


def test_what_was_never_tried_is_asked_for_as_it_is(instance: dg.DagsterInstance) -> None:
    request = asked(instance)
    assert (request.run_key, request.partition_key) == ("day", "2026-06-01")
    assert request.tags == {"mine": "stays", ASKED: "day"}


def test_a_passing_failure_is_mended_by_the_next_try_of_the_step(instance: dg.DagsterInstance) -> None:
    step = Step(TransientError("gone"))
    assert run(instance, step)
    assert step.num_tries == 2
    assert asked(instance, later=MOST).run_key == "day"


def test_a_passing_failure_of_a_whole_run_is_asked_for_again_after_a_pause(instance: dg.DagsterInstance) -> None:
    step = Step(*[TransientError("gone")] * 3)
    assert not run(instance, step)
    assert step.num_tries == 1 + RETRY_TRANSIENT.max_retries
    assert asked(instance).run_key == "day"
    assert asked(instance, later=pause_after(1)).run_key == "day:try-2"


def test_each_failure_makes_the_pause_longer(instance: dg.DagsterInstance) -> None:
    for number in range(1, 5):
        assert not run(instance, Step(*[TransientError("gone")] * 3))
        assert asked(instance, later=pause_after(number) - timedelta(seconds=30)).run_key == "day"
        assert asked(instance, later=pause_after(number)).run_key == f"day:try-{number + 1}"


def test_pauses_grow_and_have_an_end() -> None:
    pauses = [pause_after(number) for number in range(1, 50)]
    assert all(one <= other for one, other in pairwise(pauses))
    assert pauses[0] < pauses[3] < pauses[-1] <= timedelta(hours=6)


def test_a_permanent_error_is_tried_once_and_never_again(instance: dg.DagsterInstance) -> None:
    step = Step(*[PermanentError("wrong")] * 9)
    assert not run(instance, step)
    assert step.num_tries == 1
    assert asked(instance, later=MOST).run_key == "day"


def test_another_cause_is_another_key_whatever_failed_before(instance: dg.DagsterInstance) -> None:
    assert not run(instance, Step(PermanentError("wrong")), key="day of another content")
    assert asked(instance, later=MOST).run_key == "day"


def test_a_success_after_failures_is_the_end(instance: dg.DagsterInstance) -> None:
    assert not run(instance, Step(*[TransientError("gone")] * 3))
    assert run(instance, Step())
    assert asked(instance, later=MOST).run_key == "day"


def test_a_run_whose_process_died_is_asked_for_again(instance: dg.DagsterInstance) -> None:
    dead = instance.create_run_for_job(Step().job(), tags={ASKED: "day"})
    assert asked(instance, later=MOST).run_key == "day"
    instance.report_run_failed(dead, "The process of this run was killed.")
    assert asked(instance, later=MOST).run_key == "day:try-2"
