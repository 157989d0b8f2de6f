"""Runs of Dagster in this process, with a bar that shows how far each is."""

import logging
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import dagster as dg
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from data_platform.console import home
from data_platform.console.summary import Seconds
from data_platform.console.terminal import shown
from data_platform.defs.operations.failures import a_day_cannot_be_made, failures, warnings
from data_platform.defs.operations.replay import Outcome
from data_platform.defs.operations.replay_job import EVERYTHING, QUIET
from data_platform.defs.partitions import range_tags

_DONE = {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.STEP_SKIPPED}


@dataclass(frozen=True)
class Execution:
    """Runs the job of every asset, or a part of it, and notes how long each asset took.

    Attributes:
        seconds: By asset; grows with each run.
    """

    console: Console
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    seconds: Seconds = field(default_factory=dict[dg.AssetKey, float])

    def execute(self, stretch: tuple[date, date] | None, keys: Sequence[dg.AssetKey] = ()) -> Outcome:
        """Runs some assets, or all of them, over some days, or without any."""
        run_id = str(uuid.uuid4())
        job = self.definitions.resolve_job_def(EVERYTHING)
        num_steps = len(keys) * 2 if keys else len(job.graph.node_dict)
        days = (f"{stretch[0]}..{stretch[1]}",) if stretch else ()
        with self._progress(run_id, num_steps, " ".join((*days, *(key.to_user_string() for key in keys)))):
            result = job.execute_in_process(
                run_config=QUIET, instance=self.instance, raise_on_error=False, run_id=run_id,
                tags=home.process_tags() | range_tags(stretch), asset_selection=list(keys) or None,
            )  # fmt: skip
        took = {e.step_key: e.step_success_data.duration_ms / 1000 for e in result.get_step_success_events()}
        made = {e.asset_key: e.step_key for e in result.get_asset_materialization_events()}
        for key, step in made.items():
            if key:
                self.seconds[key] = self.seconds.get(key, 0.0) + took.get(step, 0.0)
        return Outcome(tuple(failures(result)), a_day_cannot_be_made(result, self.definitions), tuple(warnings(result)))

    @contextmanager
    def _progress(self, run_id: str, num_steps: int, title: str) -> Iterator[None]:
        """Shows finished steps while a run goes on, from its own events."""
        over = threading.Event()
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} steps"),
        )
        with Progress(*columns, TimeElapsedColumn(), console=self.console) as progress:
            task = progress.add_task(title, total=num_steps)

            def follow() -> None:
                while not over.wait(0.5):
                    entries = [e.dagster_event for e in self.instance.all_logs(run_id) if e.dagster_event]
                    started = [e.step_key for e in entries if e.event_type == dg.DagsterEventType.STEP_START]
                    done = sum(e.event_type in _DONE for e in entries)
                    progress.update(task, completed=done, description=f"{title} {started[-1] if started else ''}")

            follower = threading.Thread(target=follow, daemon=True)
            follower.start()
            try:
                yield
                progress.update(task, completed=num_steps, description=title)
            finally:
                over.set()
                follower.join()


def quiet_logs() -> None:
    """Keeps what libraries log off the terminal, warnings and errors apart."""
    for chatty in ("alembic", "dagster"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def say_failures(console: Console, sentences: Sequence[str]) -> bool:
    """Prints each failure once; returns whether there was any."""
    for sentence in dict.fromkeys(sentences):
        console.print(f"[bold red]Failed:[/] {escape(shown(sentence))}", highlight=False, soft_wrap=True)
    return bool(sentences)


def say_warnings(console: Console, sentences: Sequence[str]) -> None:
    """Prints each warning once."""
    for sentence in dict.fromkeys(sentences):
        console.print(f"[yellow]Warning:[/] {escape(shown(sentence))}", highlight=False, soft_wrap=True)
