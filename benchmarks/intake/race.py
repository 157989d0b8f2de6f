"""The runs: the readers in turns on each file, each reading in a process of its own."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.intake import samples, tables
from benchmarks.intake.contenders import CONTENDERS
from benchmarks.intake.samples import Sample
from benchmarks.intake.tables import CLEAN_BASE, Outcome, Result
from benchmarks.measure import turns

DESCRIPTION = """Reads generated CSV files with our reader and with those one would use instead, in turns, each reading
in a fresh process: seconds, peak memory, and how many records come out right, wrong, rejected or not at all. A small
run: --records 100_000 --dense-records 100_000 --large-bytes 20_000_000 --rounds 1."""
FILES = {
    "clean": "undamaged",
    "damaged": "the same, with damaged records spread over it",
    "dense": "every field quoted; quotes, delimiters and line ends inside",
    "large": "clean and large, for the memory: one round, not judged",
}
_LIBRARIES = ("polars", "duckdb", "pyarrow", "pandas")
_SPARE_BYTES = 2**30


def add_options(parser: argparse._ArgumentGroup) -> None:  # pyright: ignore[reportPrivateUsage]  # it has no public name
    """The flags of this benchmark."""
    parser.add_argument(
        "--files",
        nargs="+",
        choices=FILES,
        default=[*FILES],
        metavar="FILE",
        help=f"all by default. {_described(FILES)}",
    )
    readers = {name: contender.__doc__ or "" for name, contender in CONTENDERS.items()}
    parser.add_argument(
        "--readers",
        nargs="+",
        choices=CONTENDERS,
        default=[*CONTENDERS],
        metavar="READER",
        help=f"all by default. {_described(readers)}",
    )
    sizes = {
        "records": (10_000_000, "records of clean, and of damaged"),
        "damaged": (100, "how many records of damaged are"),
        "quoted-every": (50, "one record in so many of clean, damaged and large has a quoted field; 0 for none"),
        "dense-records": (5_000_000, "records of dense"),
        "large-bytes": (2_000_000_000, "size of large"),
        "rounds": (3, "how often each reader reads each file"),
        "timeout": (900, "seconds that one reading may take"),
    }
    for name, (default, what) in sizes.items():
        parser.add_argument(
            f"--{name}", type=int, default=default, metavar="N", help=f"{what} ({default:_} by default)"
        )
    parser.add_argument("--folder", type=Path, help="where the files are made, and removed again (else the system's)")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write all figures there, as far as they are known"
    )


def _described(choices: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {what.rstrip('.')}" for name, what in choices.items()).replace("%", "%%")


@dataclass(frozen=True)
class _Track:
    """A file and what is to be done with it."""

    title: str
    sample: Sample
    rounds: int
    is_judged: bool
    base: Sample | None = None  # where no plain reader may get through: a file that one does


def main(options: argparse.Namespace) -> None:
    """Measures and prints."""
    tracks = _tracks(options)
    _refuse_a_full_disk(options.folder, max(_bytes_needed(track) for track in tracks.values()))
    results: dict[str, Result] = {}
    idle_bytes = int(_child({"do": "nothing"}, options.timeout)["peak_bytes"])
    for name, track in tracks.items():
        with _written(track, options.folder) as (path, base):
            results[name] = _run(track, path, base, options)
        tables.print_result(results[name], idle_bytes)
        if options.json:
            options.json.write_text(_as_json(options, idle_bytes, results))
    tables.print_legend({name: CONTENDERS[name].__doc__ or "" for name in options.readers})


def _tracks(options: argparse.Namespace) -> dict[str, _Track]:
    if (
        not 0 < options.damaged <= options.records
        or min(options.rounds, options.dense_records, options.large_bytes) < 1
    ):
        raise SystemExit("Sizes and rounds must be at least 1, and no more records can be damaged than there are.")
    clean = Sample(options.records, quoted_every=options.quoted_every)
    damaged = Sample(options.records, options.damaged, options.quoted_every)
    dense = Sample(options.dense_records, dense=True)
    large = samples.of_size(options.large_bytes, quoted_every=options.quoted_every)
    tracks = {
        "clean": _Track("Clean", clean, options.rounds, is_judged=True),
        "damaged": _Track(f"{options.damaged:,} records damaged", damaged, options.rounds, is_judged=True, base=clean),
        "dense": _Track("Densely quoted", dense, options.rounds, is_judged=True),
        "large": _Track("Large", large, 1, is_judged=False),
    }
    return {name: track for name, track in tracks.items() if name in options.files}


def _bytes_needed(track: _Track) -> int:
    return track.sample.num_bytes + (track.base.num_bytes if track.base else 0)


def _refuse_a_full_disk(folder: Path | None, needed: int) -> None:
    place = folder or Path(tempfile.gettempdir())
    free = shutil.disk_usage(place).free
    if free < needed + _SPARE_BYTES:
        raise SystemExit(
            f"The files need {needed / 1e9:.1f} GB in {place}, beside a spare {_SPARE_BYTES / 1e9:.1f} GB, and"
            f" {free / 1e9:.1f} GB are free: make room, name another place with --folder, or take fewer --records,"
            " --dense-records or --large-bytes."
        )


@contextmanager
def _written(track: _Track, folder: Path | None) -> Iterator[tuple[Path, Path | None]]:
    """The file, and the base's file if there is one; both go with their folder, whatever happens."""
    with tempfile.TemporaryDirectory(prefix="intake-benchmark-", dir=folder) as made:
        path, base = Path(made) / "file.csv", Path(made) / "base.csv"
        _progress(f"{track.title}: writing {_bytes_needed(track) / 1e6:,.0f} MB")
        track.sample.write(path)
        if track.base:
            track.base.write(base)
        yield path, base if track.base else None


def _run(track: _Track, path: Path, base: Path | None, options: argparse.Namespace) -> Result:
    stopped: dict[str, str] = {}

    def measure(name: str, contender: str, file: Path) -> Outcome | None:
        if name in stopped:
            return None
        _progress(f"{track.title}: {name}")
        answer = _child({"do": "time", "contender": contender, "path": str(file)}, options.timeout)
        if error := answer.get("error"):
            stopped[name] = error
            return None
        return Outcome(answer["seconds"], answer["cpu_seconds"], answer["peak_bytes"])

    ways: dict[str, Callable[[], Outcome | None]] = {
        name: partial(measure, name, name, path) for name in options.readers
    }
    if base and "polars" in options.readers:
        ways[CLEAN_BASE] = partial(measure, CLEAN_BASE, "polars", base)
    _read_once([path, *([base] if base else [])])
    outcomes = {
        name: [outcome for outcome in taken if outcome] for name, taken in turns(ways, rounds=track.rounds).items()
    }
    verdicts: dict[str, dict[str, Any]] = {}
    for name in options.readers if track.is_judged else ():
        if name not in stopped:
            _progress(f"{track.title}: judging {name}")
            task = {"do": "judge", "contender": name, "path": str(path), "sample": asdict(track.sample)}
            verdicts[name] = _child(task, options.timeout * 4)
    return Result(track.title, track.sample, path.stat().st_size, outcomes, stopped, verdicts)


def _read_once(paths: list[Path]) -> None:
    """Into the system's cache, so that no reader pays for the disk."""
    for path in paths:
        with path.open("rb") as file:
            while file.read(2**24):
                pass


def _child(task: dict[str, Any], timeout: float) -> dict[str, Any]:
    """What a process of its own answers; `error` says what stopped it."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.intake.child", json.dumps(task)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},  # it imports what we import
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"took longer than {timeout:,.0f} s"}
    if done.stdout:
        return json.loads(done.stdout.splitlines()[-1])
    return {"error": f"ended by signal {-done.returncode}" if done.returncode < 0 else done.stderr.strip()[-200:]}


def _as_json(options: argparse.Namespace, idle_bytes: int, results: Mapping[str, Result]) -> str:
    setting = {name: value for name, value in vars(options).items() if name not in {"names", "json", "folder"}}
    machine = {"python": sys.version, "system": platform.platform(), "cpus": os.cpu_count()}
    return json.dumps(
        {
            "settings": setting,
            "machine": machine,
            "libraries": {name: version(name) for name in _LIBRARIES},
            "idle_bytes": idle_bytes,
            "files": {name: asdict(result) for name, result in results.items()},
        },
        indent=2,
    )


def _progress(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
