"""The runs: the ways in turns on the same files, each in a process of its own."""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.measure import turns
from benchmarks.sessions import tables
from benchmarks.sessions.contenders import CONTENDERS
from benchmarks.sessions.readers import READERS
from benchmarks.sessions.tables import Result, Run
from data_platform.sessions import rules

DESCRIPTION = """Makes sessions of generated events with our code and with what one would use instead, and reads a
delivered file of events, in turns, each in a fresh process: seconds, processors, peak memory, and whether all found the
same. --rounds, --timeout and --folder are as for intake. A small run: --events 100_000 --delivered 100_000 --known
300_000 --rounds 1."""
TRACKS = {
    "sessions": "a month of events into sessions, and what one day more costs",
    "delivery": "a delivered file into the events of its days",
    "large": "many events, our core alone, for the memory: one round",
}
_OURS = ("ours", "ours-whole", "new-day")
_NOT_JUDGED = ("new-day", "bare")
_AGREED = ("num_sessions", "num_events", "hash")
_LIBRARIES = ("polars", "duckdb", "chdb", "pyarrow", "pandas", "numpy")


def add_options(parser: argparse._ArgumentGroup) -> None:  # pyright: ignore[reportPrivateUsage]  # it has no public name
    """The flags of this benchmark."""
    parser.add_argument(
        "--tracks",
        nargs="+",
        choices=TRACKS,
        default=["sessions", "delivery"],
        metavar="TRACK",
        help="; ".join(f"{name}: {what}" for name, what in TRACKS.items()) + " (all but large by default)",
    )
    ways = "; ".join(f"{name}: {(way.__doc__ or '').rstrip('.')}" for name, way in CONTENDERS.items())
    parser.add_argument(
        "--contenders",
        nargs="+",
        choices=CONTENDERS,
        default=[*CONTENDERS],
        metavar="WAY",
        help=f"of sessions; all by default. {ways}",
    )
    sizes = {
        "events": (10_000_000, "events of sessions"),
        "days": (30, "days that these are spread over"),
        "delivered": (10_000_000, "records of the delivered file"),
        "known": (100_000_000, "events, of 300 days, that are known before it"),
        "large-events": (50_000_000, "events of large"),
    }
    for name, (default, what) in sizes.items():
        parser.add_argument(
            f"--{name}", type=int, default=default, metavar="N", help=f"{what} ({default:_} by default)"
        )
    parser.add_argument("--sessions-json", type=Path, metavar="FILE", help="also write all figures there")


def main(options: argparse.Namespace) -> None:
    """Measures and prints."""
    if min(options.rounds, options.events, options.days, options.delivered, options.known, options.large_events) < 1:
        raise SystemExit("Sizes, days and rounds must be at least 1.")
    tracks = {"sessions": _sessions, "delivery": _delivery, "large": _large}
    results: dict[str, Result] = {}
    for name in options.tracks:
        with tempfile.TemporaryDirectory(prefix="sessions-benchmark-", dir=options.folder) as folder:
            results[name] = tracks[name](Path(folder), options)
        if options.sessions_json:
            options.sessions_json.write_text(_as_json(options, results))
    used = {name: CONTENDERS[name].__doc__ or "" for name in options.contenders}
    readers = {f"{name} of a delivery": way.__doc__ or "" for name, way in READERS.items()}
    tables.print_legend((used if "sessions" in results else {}) | (readers if "delivery" in results else {}))


def _sessions(folder: Path, options: argparse.Namespace) -> Result:
    """The race, and beside it the day that comes after."""
    result = _race(folder, options.events, options.days, options.contenders, options)
    tables.print_result(result, ("ours", "bare"))
    others = [name for name in CONTENDERS if name not in (*_OURS, "bare")]
    tables.say_ratio(result, "ours", tables.best_of(result, others), "Ours to the best of the others")
    tables.say_ratio(result, "ours", "bare", "Ours to the floor")
    tables.say_ratio(result, "new-day", "ours-whole", "A new day, to making all days")
    tables.say_ratio_without_imports(result, "new-day", "ours-whole", "The same in processes that have their imports")
    _say_agreement(result)
    return result


def _large(folder: Path, options: argparse.Namespace) -> Result:
    once = argparse.Namespace(**{**vars(options), "rounds": 1})
    result = _race(folder, options.large_events, options.days, ["ours"], once)
    tables.print_result(result, ())
    return result


def _race(folder: Path, num_events: int, num_days: int, names: list[str], options: argparse.Namespace) -> Result:
    made = folder / "days"
    made.mkdir()
    _say(f"Sessions: writing {num_events:,} events on {num_days} days")
    whole = num_events + num_events // num_days
    _must(_run({"do": "write-days", "folder": str(made), "num_events": whole, "num_days": num_days + 1}, None))
    days = sorted(made.iterdir())
    _read_once(days)
    into = {name: folder / name for name in names}

    def run(name: str) -> Run | str:
        _say(f"Sessions: {name}")
        shutil.rmtree(into[name], ignore_errors=True)
        into[name].mkdir()
        of_task = days if name == "new-day" else days[:num_days]
        task = {"do": "sessions", "way": name, "days": [str(path) for path in of_task], "into": str(into[name])}
        return _run(task | meaning(), options.timeout)

    title = f"Sessions of {num_events:,} events on {num_days} days"
    result = _in_turns(title, {name: partial(run, name) for name in names}, options.rounds)
    _say("Sessions: judging")
    judged = {name: str(found) for name, found in into.items() if name in result.seconds and name not in _NOT_JUDGED}
    return replace(result, verdicts=_must(_run({"do": "judge", "folders": judged}, None)).answer)


def _delivery(folder: Path, options: argparse.Namespace) -> Result:
    file, lake = folder / "mobile_events.csv", folder / "lake"
    _say(f"Delivery: writing {options.delivered:,} records, and {options.known:,} known events")
    task = {"file": str(file), "lake": str(lake)}
    sizes = {"num_records": options.delivered, "num_known": options.known}
    truth = _must(_run({"do": "write-delivery", **task, **sizes}, None)).answer
    _read_once([file])

    def run(name: str) -> Run | str:
        _say(f"Delivery: {name}")
        return _run({"do": "read", "way": name, "day": truth["day"], **task}, options.timeout)

    title = (
        f"A delivery of {truth['num_records']:,} records, {file.stat().st_size / 1e6:,.0f} MB, beside"
        f" {options.known:,} known events"
    )
    result = _in_turns(title, {name: partial(run, name) for name in READERS}, options.rounds)
    tables.print_result(result, ("duckdb",))
    wrong = [name for name, runs in result.runs.items() if any(_differs(run, truth) for run in runs)]
    tables.say(f"Wrong: {', '.join(wrong)}" if wrong else "All found every record; ours every event of every day once.")
    if steps := [taken.answer["steps"] for taken in result.runs["ours"]]:
        spent = (f"{name} {statistics.median(of[name] for of in steps):.2f} s" for name in steps[0])
        tables.say(f"Ours, by step: {', '.join(spent)}")
    return result


def _differs(run: Run, truth: dict[str, Any]) -> bool:
    return any(truth[key] != run.answer[key] for key in ("num_records", "num_events") if key in run.answer)


def _in_turns(title: str, ways: Mapping[str, Callable[[], Run | str]], rounds: int) -> Result:
    """Each way once a round; one that stops is not tried again."""
    stopped: dict[str, str] = {}

    def unless_stopped(name: str, way: Callable[[], Run | str]) -> Run | None:
        if name in stopped:
            return None
        done = way()
        if isinstance(done, str):
            stopped[name] = done
            return None
        return done

    taken = turns({name: partial(unless_stopped, name, way) for name, way in ways.items()}, rounds=rounds)
    return Result(title, {name: [run for run in runs if run] for name, runs in taken.items()}, stopped)


def _say_agreement(result: Result) -> None:
    found = {name: tuple(verdict[key] for key in _AGREED) for name, verdict in result.verdicts.items()}
    if len(set(found.values())) == 1:
        num_sessions, num_events, _ = next(iter(found.values()))
        tables.say(f"{', '.join(found)} found the same {num_sessions:,} sessions of {num_events:,} events.")
    for name, what in found.items() if len(set(found.values())) > 1 else ():
        tables.say(f"They differ: {name} found {what[0]:,} sessions of {what[1]:,} events, hash {what[2][:12]}")


def meaning() -> dict[str, Any]:
    """What the statements of the others must be told; ours reads the rules itself."""
    known = rules.load()
    return {
        "gap_us": round(known.gap.total_seconds() * 1_000_000),
        "looked": known.events["looked"],
        "started": known.events["started"],
        "booked": [name for step in known.plain_booked for name in known.events[step]],
    }


def _read_once(paths: list[Path]) -> None:
    """Into the system's cache, so that no way pays for the disk."""
    for path in paths:
        with path.open("rb") as file:
            while file.read(2**24):
                pass


def _run(task: dict[str, Any], timeout: float | None) -> Run | str:
    """A process of its own; if it stopped, why."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.sessions.child", json.dumps(task)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},  # it imports what we import
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"took longer than {timeout:,.0f} s"
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if not done.stdout:
        return f"ended by signal {-done.returncode}" if done.returncode < 0 else done.stderr.strip()[-200:]
    answer = json.loads(done.stdout.splitlines()[-1])
    if "error" in answer:
        return str(answer["error"])
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, cpu_seconds, answer.pop("peak_bytes"), answer)


def _must(done: Run | str) -> Run:
    if isinstance(done, str):
        raise SystemExit(f"The benchmark itself stopped: {done}")
    return done


def _as_json(options: argparse.Namespace, results: Mapping[str, Result]) -> str:
    names = ("tracks", "contenders", "events", "days", "delivered", "known", "large_events", "rounds")
    return json.dumps(
        {
            "settings": {name: getattr(options, name) for name in names},
            "machine": {"python": sys.version, "system": platform.platform(), "cpus": os.cpu_count()},
            "libraries": {name: version(name) for name in _LIBRARIES if find_spec(name)},
            "tracks": {name: asdict(result) for name, result in results.items()},
        },
        indent=2,
    )


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
