"""Times of several ways of doing the same thing, taken in turns, so that a noisy machine is noisy for all of them."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from rich.console import Console
from rich.table import Table

Result = TypeVar("Result")


def turns(ways: Mapping[str, Callable[[], Result]], *, rounds: int) -> dict[str, list[Result]]:
    """Runs every way once a round; what each returned, by way."""
    results: dict[str, list[Result]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            results[name].append(way())
    return results


def in_turns(ways: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, list[float]]:
    """Runs every way once a round; seconds by way, the first round left out as warm-up."""

    def timed(way: Callable[[], object]) -> Callable[[], float]:
        def seconds() -> float:
            began = time.perf_counter()
            way()
            return time.perf_counter() - began

        return seconds

    taken = turns({name: timed(way) for name, way in ways.items()}, rounds=rounds + 1)
    return {name: seconds[1:] for name, seconds in taken.items()}


def ratio(seconds: Mapping[str, list[float]], of: str, to: str) -> float:
    """Median over the rounds of one way's time to another's in the same round."""
    return statistics.median(ours / theirs for ours, theirs in zip(seconds[of], seconds[to], strict=True))


def report(title: str, seconds: Mapping[str, list[float]], *, base: str) -> None:
    """Prints the median time of each way and its ratio to one of them."""
    table = Table("way", "median s", f"ratio to {base}", title=title, title_justify="left")
    for name, taken in seconds.items():
        table.add_row(name, f"{statistics.median(taken):.2f}", f"{ratio(seconds, name, base):.2f}")
    Console().print(table)
