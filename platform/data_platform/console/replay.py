"""Replay from the command line: derives again what a fix may read otherwise, and says what that won."""

import sys

import dagster as dg
from rich.console import Console
from rich.text import Text

from data_platform import settings as settings_module
from data_platform.console import home
from data_platform.console.execution import Execution, quiet_logs, say_failures
from data_platform.console.terminal import shown
from data_platform.definitions import defs as load_definitions
from data_platform.defs.operations import replay as replaying
from data_platform.defs.operations.asked import days_asked
from data_platform.publish.rejects import Scope
from data_platform.stack import open_stack


def replay(scope: Scope, *, dry_run: bool) -> int:
    """Derives again the days of a scope and what is made of them, or only says which those are.

    Returns:
        The exit code: 1 when a step or a check failed.
    """
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    settings = settings_module.load()
    with console.status("Starting Postgres, opening the lake ..."):
        home.prepare(settings)
        stack = open_stack(settings)
        definitions = load_definitions()
    quiet_logs()
    work = replaying.find_work(definitions, stack, scope)
    if not work:
        console.print("There is nothing to replay: no such rejects, and all is derived by the present code.")
        return 0
    for key, why in work.items():
        console.print(Text(f"{key.to_user_string()}: {why}"), soft_wrap=True)
    if dry_run:
        console.print("Nothing was changed; without --dry-run these are derived again, then what is made of them.")
        return 0
    with dg.DagsterInstance.get() as instance:
        home.fail_orphans(instance)
        execution = Execution(console, definitions, instance)
        report = replaying.replay(
            definitions, stack, scope, work,
            lambda key, stretch: execution.execute(stretch, [key]),
            lambda key: days_asked(definitions, instance, key),
        )  # fmt: skip
    for line in replaying.sentences(report):
        console.print(Text(shown(line)), soft_wrap=True)
    if say_failures(console, report.failures):
        console.print("What was published before stays as it was. Mend the cause, then replay again.")
        return 1
    return 0
