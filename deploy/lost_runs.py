#!/usr/bin/env python
"""Becomes the code server, and reports the runs that the one before took along as failed, so that they start again.

    lost_runs.py dagster api grpc -p 4000 ...

Runs are processes beside the code server and die with its container. Dagster itself notices that only when
`max_runtime_seconds` has passed, and until then the sensors wait for them. It tries once to start a failed run again,
and gives up for good where it cannot reach the code server at that moment: so they are reported when it surely can.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import dagster as dg

_WITH_A_PROCESS = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
_DAEMON_RELOADS_WITHIN = 90  # seconds; each minute it looks anew for servers that it could not reach


def main(arguments: Sequence[str]) -> None:
    """Notes the lost runs, leaves their report to a process of its own, and becomes the command."""
    if arguments[0] == "--report":
        _report(int(arguments[1]), arguments[2:])
        return
    with dg.DagsterInstance.get() as instance:
        lost = [run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=list(_WITH_A_PROCESS)))]
    if lost:
        port = arguments[arguments.index("-p") + 1]
        subprocess.Popen([sys.executable, __file__, "--report", port, *lost])  # noqa: S603 (ids of runs)
    os.execvp(arguments[0], list(arguments))  # noqa: S606 (the command is the compose file's)


def _report(port: int, run_ids: Sequence[str]) -> None:
    while not _answers(port):
        time.sleep(1)
    time.sleep(_DAEMON_RELOADS_WITHIN)
    with dg.DagsterInstance.get() as instance:
        for run in instance.get_runs(dg.RunsFilter(run_ids=list(run_ids), statuses=list(_WITH_A_PROCESS))):
            if run.status == dg.DagsterRunStatus.CANCELING:
                instance.report_run_canceled(run, "The code server of this run ended before it was cancelled.")
            else:
                instance.report_run_failed(run, "The code server of this run ended; nothing half-done is visible.")


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


if __name__ == "__main__":
    main(sys.argv[1:])
