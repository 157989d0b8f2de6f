"""The report: a table for each track, and below it what stopped whom."""

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.measure import ratio

_MEASURES = """Seconds are of whole processes, from their start to their end, the imports included; "cpu s" counts all
threads, and the system's time; ratios are medians over the rounds. Peak memory is of the whole process, and includes
the pages of files that it maps."""


@dataclass(frozen=True)
class Run:
    """One process: wall and processor seconds, peak memory, and what it answered."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    answer: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """All that was found on one sample.

    Attributes:
        title: What the sample is.
        runs: By way, a run a round; fewer for one that stopped.
        stopped: By way, the error that it stopped with.
        verdicts: By way, what it found, or how that differs from what it should have.
    """

    title: str
    runs: dict[str, list[Run]]
    stopped: dict[str, str]
    verdicts: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def seconds(self) -> dict[str, list[float]]:
        """By way that got through, its wall seconds by round."""
        return {
            name: [run.seconds for run in taken]
            for name, taken in self.runs.items()
            if name not in self.stopped and taken
        }


def print_result(result: Result, bases: Sequence[str]) -> None:
    """Print a track's table.

    Args:
        result: What was found.
        bases: The ways to which there is a column of ratios.
    """
    seconds = result.seconds
    there = [base for base in bases if base in seconds]
    table = Table("way", title=result.title, title_justify="left")
    for heading in ("median s", "min-max s", "cpu s", "peak MB", *(f"ratio to\n{base}" for base in there)):
        table.add_column(heading, justify="right")
    for name, taken in seconds.items():
        runs = result.runs[name]
        table.add_row(
            name,
            f"{statistics.median(taken):.2f}",
            f"{min(taken):.2f}-{max(taken):.2f}",
            f"{statistics.median(run.cpu_seconds for run in runs):.2f}",
            f"{max(run.peak_bytes for run in runs) / 1e6:,.0f}",
            *(f"{ratio(seconds, name, base):.2f}" for base in there),
        )
    console = _console()
    console.print(table)
    for name, error in result.stopped.items():
        say(f"{name} stopped: {error}")


def best_of(result: Result, names: Sequence[str]) -> str | None:
    """The fastest of some ways by the median."""
    seconds = {name: taken for name, taken in result.seconds.items() if name in names}
    return min(seconds, key=lambda name: statistics.median(seconds[name]), default=None)


def say_ratio(result: Result, of: str, to: str | None, what: str) -> None:
    """A sentence with the ratio of two ways, if both got through."""
    if to and {of, to} <= result.seconds.keys():
        say(f"{what}: {ratio(result.seconds, of, to):.3f} ({of} to {to})")


def say_ratio_without_imports(result: Result, of: str, to: str, what: str) -> None:
    """The same of the seconds that ways give as their own."""
    if {of, to} <= result.seconds.keys():
        own = {name: [run.answer["seconds"] for run in result.runs[name]] for name in (of, to)}
        say(f"{what}: {ratio(own, of, to):.3f} ({of} to {to})")


def say(text: str) -> None:
    """Print a line."""
    _console().print(text, markup=False, highlight=False)


def print_legend(ways: Mapping[str, str]) -> None:
    """Print what the words and names mean."""
    for paragraph in (_MEASURES, *(f"{name}: {what}" for name, what in ways.items())):
        say(" ".join(paragraph.split()))


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 140)
