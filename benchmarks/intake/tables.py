"""The report: a table for each file, and below it what stopped whom."""

import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.intake.judge import MEANING
from benchmarks.intake.samples import Sample
from benchmarks.measure import ratio

CLEAN_BASE = "polars, undamaged"
_MEASURES = """Seconds are of the reading alone, the imports left out; "cpu s" counts all threads; ratios are medians
over the rounds. Peak memory is of the whole process, the imports and those pages of the file that it maps included,
less that of a process that reads nothing; the readers that hand out pieces drop each, the others hold the whole
table."""
_FATES = ("right", "wrong", "rejected", "lost", "neighbours_harmed")


@dataclass(frozen=True)
class Outcome:
    """One reading: wall and processor seconds without the imports, and the process's peak memory with them."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Result:
    """All that was found on one file.

    Attributes:
        title: what the file is.
        sample: its truth.
        num_bytes: its size.
        outcomes: by reader, a reading a round; fewer for a reader that stopped.
        stopped: by reader, the error that it stopped with.
        verdicts: by reader, the fields of a `Verdict`, or its error; empty if the file was not judged.
    """

    title: str
    sample: Sample
    num_bytes: int
    outcomes: dict[str, list[Outcome]]
    stopped: dict[str, str]
    verdicts: dict[str, dict[str, Any]]


def print_result(result: Result, idle_bytes: int) -> None:
    """Print a file's table.

    Args:
        result: what was found.
        idle_bytes: peak memory of a process that reads nothing, to be taken off.
    """
    read = {name: taken for name, taken in result.outcomes.items() if name not in result.stopped}
    seconds = {name: [outcome.seconds for outcome in taken] for name, taken in read.items()}
    base = next((name for name in ("polars", CLEAN_BASE) if name in seconds), None)
    table = Table("reader", title=_title(result, base), title_justify="left")
    for heading in ("median s", "min-max s", "cpu s", *(["ratio"] if base else []), "peak MB"):
        table.add_column(heading, justify="right")
    for fate in _FATES if result.verdicts else ():
        table.add_column(fate.replace("_", "\n"), justify="right")
    for name, taken in read.items():
        peak = max(outcome.peak_bytes for outcome in taken) - idle_bytes
        table.add_row(
            name,
            f"{statistics.median(seconds[name]):.2f}",
            f"{min(seconds[name]):.2f}-{max(seconds[name]):.2f}",
            f"{statistics.median(outcome.cpu_seconds for outcome in taken):.2f}",
            *([f"{ratio(seconds, name, base):.2f}"] if base else []),
            f"{peak / 1e6:,.0f}",
            *(_count(result.verdicts.get(name, {}).get(fate)) for fate in _FATES if result.verdicts),
        )
    console = _console()
    console.print(table)
    for name, error in result.stopped.items():
        _print(console, f"{name} stopped: {error}")
    for name, verdict in result.verdicts.items():
        if "error" in verdict:
            _print(console, f"{name} stopped while it was judged: {verdict['error']}")
    _print(console, "")


def print_legend(readers: Mapping[str, str]) -> None:
    """Print what the words and names mean."""
    console = _console()
    for paragraph in (MEANING, _MEASURES, *(f"{name}: {what}" for name, what in readers.items())):
        _print(console, " ".join(paragraph.split()))


def _title(result: Result, base: str | None) -> str:
    size = f"{result.sample.num_records:,} records x 8 columns, {result.num_bytes / 1e6:,.0f} MB"
    return f"{result.title}: {size}" + (f"; ratio to {base}" if base else "")


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False)


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 140)
