"""Runs every benchmark, or those that are named, such as `python -m benchmarks logins`."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from benchmarks import logins, publishing, ranges, rebuild, reports
from benchmarks.intake import race
from benchmarks.login_events import race as login_events
from benchmarks.sessions import race as sessions
from data_platform.local import postgres

IN_DATABASE = {"publishing": publishing.main, "ranges": ranges.main, "logins": logins.main, "rebuild": rebuild.main}


def main(arguments: list[str] | None = None) -> None:
    """Each benchmark that needs one gets a database of its own on one embedded Postgres."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [*IN_DATABASE, "intake", "sessions", "reports", "login_events"]
    parser.add_argument(
        "names", nargs="*", choices=[*names, []], metavar="name", help=f"{', '.join(names)}; all by default"
    )
    race.add_options(parser.add_argument_group("intake", race.DESCRIPTION))
    sessions.add_options(parser.add_argument_group("sessions", sessions.DESCRIPTION))
    reports.add_options(parser.add_argument_group("reports", reports.__doc__))
    login_events.add_options(parser.add_argument_group("login_events", login_events.__doc__))
    options = parser.parse_args(arguments)
    chosen = options.names or names
    _run_in_database([name for name in chosen if name in IN_DATABASE])
    if "intake" in chosen:
        race.main(options)
    if "sessions" in chosen:
        sessions.main(options)
    if "reports" in chosen:
        reports.main(options)
    if "login_events" in chosen:
        login_events.main(options)


def _run_in_database(names: list[str]) -> None:
    if not names:
        return
    with tempfile.TemporaryDirectory() as folder:
        server = postgres.ensure(Path(folder) / "postgres", names)
        try:
            for name in names:
                IN_DATABASE[name](server, name)
        finally:
            postgres.release(Path(folder) / "postgres")


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit("The benchmarks were told to stop.")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)  # told to end, as by `timeout`, they still remove what they made
    main()
