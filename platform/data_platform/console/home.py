"""Dagster's home of the embedded stack: its folder, its database, and the runs that a killed process left behind."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import dagster as dg
import psutil
from pydantic import SecretStr

from data_platform import local
from data_platform.defs.logins.draining import office_of
from data_platform.errors import PermanentError
from data_platform.local import queue_server, sample_world
from data_platform.local.sample_world import login_events, login_queue
from data_platform.publish import arrivals, messages
from data_platform.settings import Settings
from data_platform.stack import Stack, dagster_database

_STATEMENT_MS, _RECYCLE_SECONDS = 60_000, 3_600
_PAST_QUEUE = "login-events of the past"
_PID, _STARTED = "data_platform/pid", "data_platform/process_started"


def prepare(settings: Settings) -> Path:
    """Makes Dagster's home ready and tells Dagster about it, by the environment that it reads.

    Returns:
        The folder.
    """
    home = settings.local_dir.absolute() / "dagster"
    try:
        home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(local.__file__).parent / "dagster.yaml", home / "dagster.yaml")
    except OSError as error:
        raise PermanentError(
            f"{home} cannot be written ({error.strerror}); set LOCAL_DIR to another folder."
        ) from error
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["DAGSTER_POSTGRES_URL"] = dagster_database(settings).get_secret_value()
    return home


def settle_sample_world(stack: Stack) -> None:
    """Puts the sample world into a stack that is all embedded and in which nothing has arrived."""
    anything_arrived = arrivals.anything_arrived(stack.warehouse)
    app_url = stack.app.url if stack.app else None
    lessons_url = stack.lessons.url if stack.lessons else None
    sample_world.settle(
        stack.settings, stack.lake, stack.landing, app_url, lessons_url, anything_arrived=anything_arrived
    )
    if stack.settings.is_embedded:
        _settle_login_events(stack, app_url)


def _settle_login_events(stack: Stack, app_url: SecretStr | None) -> None:
    """Puts the sample's messages of past days aside, as if a drain had received them, and lets users log in now.

    The local queue forgets what it held when it ends; until a drain has booked any of it, it is sent again.
    """
    zone, queue = stack.settings.business_timezone, login_events.QUEUE
    received = messages.runs_of(stack.warehouse, _PAST_QUEUE)
    office = office_of(stack, "")
    for third, days in groupby(login_events.past(zone), key=lambda of: f"{of[0]:%Y-%m} {of[0].day // 11}"):
        if (label := f"sample world {third}") not in received:
            replace(office, run_id=label).put_aside(_PAST_QUEUE, [message for _, of_day in days for message in of_day])
    if stack.login_queue and not messages.runs_of(stack.warehouse, queue) and not stack.login_queue.depth().waiting:
        server = queue_server.ensure(stack.settings.local_dir.absolute() / "queue")
        login_queue.log_in(server, app_url, zone)


def keep_connections(instance: dg.DagsterInstance) -> None:
    """Lets the storage of runs and events keep its connections open, which a new one for each event would not be."""
    instance.optimize_for_webserver(statement_timeout=_STATEMENT_MS, pool_recycle=_RECYCLE_SECONDS, max_overflow=20)


def process_tags() -> dict[str, str]:
    """Tags by which a later process can tell that this one is gone."""
    return {_PID: str(os.getpid()), _STARTED: str(psutil.Process().create_time())}


def fail_orphans(instance: dg.DagsterInstance, *, of_the_ui: bool = False) -> int:
    """Marks runs of processes that no longer live as failed: they would stay STARTED for ever.

    Args:
        instance: Where the runs are.
        of_the_ui: Whether runs that the UI or a sensor started are orphans too; true only while no UI is up.

    Returns:
        How many there were.
    """
    unfinished = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
    )
    runs = instance.get_runs(unfinished)
    orphans = [run for run in runs if (of_the_ui if _PID not in run.tags else not _lives(run.tags))]
    for run in orphans:
        instance.report_run_failed(run, "The process of this run was killed; nothing half-done is visible.")
    return len(orphans)


def _lives(tags: Mapping[str, str]) -> bool:
    try:
        return str(psutil.Process(int(tags[_PID])).create_time()) == tags[_STARTED]
    except psutil.NoSuchProcess:
        return False
