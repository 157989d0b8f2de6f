"""No day is left failed unseen: the check of every asset that has days."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from data_platform.definitions import defs
from data_platform.defs.operations.standing import CHECK, has_no_failed_day

DAYS = dg.StaticPartitionsDefinition(["2026-06-01", "2026-06-02", "2026-06-03"])
BROKEN: set[str] = set()


@dg.asset(partitions_def=DAYS)
def numbers(context: dg.AssetExecutionContext) -> None:
    if context.partition_key in BROKEN:
        raise dg.Failure("broken")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    BROKEN.clear()
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def run(instance: dg.DagsterInstance, *days: str) -> None:
    for day in days:
        dg.materialize([numbers], instance=instance, partition_key=day, raise_on_error=False)


def looked(instance: dg.DagsterInstance) -> tuple[bool, Any]:
    check = has_no_failed_day(numbers.key, DAYS)
    definitions = dg.Definitions(assets=[numbers], asset_checks=[check], jobs=[
        dg.define_asset_job("look", selection=dg.AssetSelection.checks(check))
    ])  # fmt: skip
    result = definitions.resolve_job_def("look").execute_in_process(instance=instance)
    [evaluation] = result.get_asset_check_evaluations()
    return evaluation.passed, evaluation.metadata["failed_days"].value


def test_days_that_were_never_made_are_no_failures(instance: dg.DagsterInstance) -> None:
    run(instance, "2026-06-01")
    assert looked(instance) == (True, [])


def test_a_day_whose_last_run_failed_is_named_until_it_is_made(instance: dg.DagsterInstance) -> None:
    BROKEN.add("2026-06-02")
    run(instance, "2026-06-01", "2026-06-02")
    assert looked(instance) == (False, ["2026-06-02"])
    BROKEN.clear()
    run(instance, "2026-06-02")
    assert looked(instance) == (True, [])


def test_every_asset_with_days_has_the_check_and_a_job_looks_at_all_of_them() -> None:
    definitions = defs()
    graph = definitions.resolve_asset_graph()
    with_days = {key for key in graph.materializable_asset_keys if graph.get(key).is_partitioned}
    checked = {check.asset_key for check in graph.asset_check_keys if check.name == CHECK}
    assert checked == with_days
    job = definitions.resolve_job_def("look_for_failed_days")
    assert {check.asset_key for check in job.asset_layer.asset_graph.asset_check_keys} >= with_days
