"""Checks that look at each day of a run: one function from days to findings makes one check in the UI.

What does not belong here: what is looked at (`checks.py`, and each product's own).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg

from data_platform.defs.resources import Storage
from data_platform.stack import Stack


@dataclass(frozen=True)
class DayFinding:
    """What a check found of a day."""

    day: date
    passed: bool
    facts: Mapping[str, float | str] = field(default_factory=dict[str, float | str])


Look = Callable[[Stack, Sequence[date]], list[DayFinding]]
"""From the days of a run to what was found of each; a day of which nothing can be said is left out."""


def day_check(asset: dg.AssetsDefinition, look: Look, *, severity: dg.AssetCheckSeverity) -> dg.AssetChecksDefinition:
    """A check of an asset's days, named and described by the function that looks.

    Args:
        asset: Has days.
        look: Its name is the check's, its docstring the description.
        severity: Whether a day that does not pass is an error or a warning.
    """
    description = (look.__doc__ or "").split("\n", 1)[0]

    @dg.asset_check(asset=asset, name=look.__name__, description=description, partitions_def=asset.partitions_def)
    def check(context: dg.AssetCheckExecutionContext, storage: Storage) -> dg.AssetCheckResult:
        findings = look(storage.open(), [date.fromisoformat(key) for key in context.partition_keys])
        if len(findings) > 1:
            for finding in findings:
                report_day(context, asset.key, look.__name__, finding, severity)
        failed = [finding for finding in findings if not finding.passed]
        told = failed[0] if failed else findings[-1] if findings else None
        facts: dict[str, Any] = {
            "failed_days": [str(finding.day) for finding in failed],
            **(told.facts if told else {}),
        }
        return dg.AssetCheckResult(passed=not failed, severity=severity, metadata=facts)

    return check


def report_day(
    context: dg.AssetCheckExecutionContext,
    key: dg.AssetKey,
    name: str,
    finding: DayFinding,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> None:
    """Leaves the evaluation of one day beside that of a range, which carries no partition, in the same run."""
    evaluation = dg.AssetCheckEvaluation(
        asset_key=key, check_name=name, passed=finding.passed, partition=str(finding.day), metadata=finding.facts,
        severity=severity,
    )  # fmt: skip
    # Accepted since checks have partitions; only the annotation does not say so yet.
    context.op_execution_context.log_event(evaluation)  # pyright: ignore[reportArgumentType]
