"""The main job from the command line: brings every asset up to date through Dagster, shows how far it is, sums up."""

import sys
import time
from collections.abc import Sequence
from datetime import date

import dagster as dg
from rich.console import Console

from data_platform import settings as settings_module
from data_platform.console import home
from data_platform.console.execution import Execution, quiet_logs, say_failures, say_warnings
from data_platform.console.plan import tasks
from data_platform.console.summary import places, summary
from data_platform.definitions import defs as load_definitions
from data_platform.defs.operations.replay import Outcome, derive
from data_platform.defs.partitions import daily
from data_platform.errors import PermanentError
from data_platform.stack import Stack, open_stack


def run(assets: Sequence[str], days: tuple[date, date] | None) -> int:
    """Runs what is not current, or what is asked for, and prints one table.

    Args:
        assets: Names of assets to run; none for all.
        days: First and last day to run; None for those that are not current.

    Returns:
        The exit code: 0 when everything asked for is current, 1 when a step or a check failed.
    """
    console = Console(width=None if sys.stdout.isatty() else 120)
    began = time.monotonic()
    settings = settings_module.load()
    with console.status("Starting Postgres, opening the lake ..."):
        home.prepare(settings)
        stack = open_stack(settings)
        home.settle_sample_world(stack)
        definitions = load_definitions()
    quiet_logs()
    with dg.DagsterInstance.get() as instance:
        home.keep_connections(instance)
        if orphans := home.fail_orphans(instance):
            console.print(
                f"{orphans} run(s) of a killed process were marked as failed; what they left open is done now."
            )
        chosen = _keys(definitions, assets)
        _refuse_unknown_days(days)
        execution = Execution(console, definitions, instance)
        outcomes = [execution.execute(days, chosen)] if assets else _bring_up_to_date(execution, stack, days)
        console.print(summary(stack, definitions, instance, execution.seconds))
        console.print(places(stack), style="dim", highlight=False, soft_wrap=True)
    say_warnings(console, [warning for outcome in outcomes for warning in outcome.warnings])
    if say_failures(console, [failure for outcome in outcomes for failure in outcome.failures]):
        console.print("What was published before stays as it was. Mend the cause, then run `make run` again.")
        return 1
    if not outcomes:
        console.print(
            "Nothing is known of those days." if days else "[bold green]All is current;[/] nothing was changed."
        )
    else:
        console.print(f"[bold green]Done[/] in {time.monotonic() - began:.0f} s.")
    console.print(
        "Next: [bold]make up[/] serves the UI, [bold]make sql[/] the warehouse, and"
        " [bold].venv/bin/data-platform rejects list[/] says what could not be used, and why."
    )
    return 0


def _refuse_unknown_days(days: tuple[date, date] | None) -> None:
    known = daily.get_partition_keys()
    for day in days or ():
        if day.isoformat() not in known:
            raise PermanentError(f"There is no day {day}; days go from {known[0]} to {known[-1]}.")


def _keys(definitions: dg.Definitions, assets: Sequence[str]) -> tuple[dg.AssetKey, ...]:
    known = {key.to_user_string(): key for key in definitions.resolve_asset_graph().materializable_asset_keys}
    if strangers := sorted(set(assets) - known.keys()):
        raise PermanentError(f"There is no asset {strangers[0]!r}; there are {', '.join(sorted(known))}.")
    return tuple(known[name] for name in assets)


def _bring_up_to_date(execution: Execution, stack: Stack, within: tuple[date, date] | None) -> list[Outcome]:
    outcomes: list[Outcome] = []
    todo = tasks(execution.definitions, stack, execution.instance, within)
    while True:
        with execution.console.status("Looking for what is not current ..."):
            task = next(todo, None)
        if task is None:
            return outcomes
        outcomes += derive(
            task.key, task.days, lambda key, stretch: execution.execute(stretch, [key]), longest_gap=task.longest_gap
        )
