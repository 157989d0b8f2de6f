"""The process that one task runs in: `python -m benchmarks.sessions.child TASK`, where TASK is JSON; so is the answer.

A fresh process for each, because what one library has once allocated it does not give back, and because the highest
memory of a process is known only for its whole life.
"""

import json
import re
import resource
import sys
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any


def main() -> None:
    """Makes samples, runs a way, or judges what it wrote."""
    task = json.loads(sys.argv[1])
    answer = _DO[task.pop("do")](**task)
    # At once: pyarrow may abort a process that is ending (its issue 34314), which is not the reading.
    print(json.dumps(answer | {"peak_bytes": _peak_memory_bytes()}), flush=True)


def _write_days(folder: str, num_events: int, num_days: int) -> dict[str, Any]:
    from benchmarks.sessions import samples

    samples.write(Path(folder), num_events, num_days)
    return {}


def _write_delivery(file: str, lake: str, num_records: int, num_known: int) -> dict[str, Any]:
    from dataclasses import asdict

    from benchmarks.sessions import deliveries

    return asdict(deliveries.write(Path(file), Path(lake), num_records, num_known))


def _sessions(way: str, days: list[str], into: str, **meaning: int | list[str]) -> dict[str, Any]:
    from benchmarks.sessions.contenders import CONTENDERS, Task

    task = Task([Path(day) for day in days], Path(into), **meaning)  # pyright: ignore[reportArgumentType]  # from JSON
    return {"seconds": CONTENDERS[way](task)}


def _read(way: str, file: str, lake: str, day: str) -> dict[str, Any]:
    from benchmarks.sessions.readers import READERS, Delivered

    return READERS[way](Delivered(Path(file), date.fromisoformat(day), Path(lake)))


def _judge(folders: dict[str, str]) -> dict[str, Any]:
    from benchmarks.sessions import judge

    return {name: judge.found(Path(folder)) for name, folder in folders.items()}


_DO = {
    "write-days": _write_days,
    "write-delivery": _write_delivery,
    "sessions": _sessions,
    "read": _read,
    "judge": _judge,
}


def _peak_memory_bytes() -> int:
    """The most memory that this process ever had in RAM.

    Not `ru_maxrss` where there is another way: on Linux a child takes over the figure of the process that started it.
    """
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found[1]) * 2**10
    maximum = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return maximum if sys.platform == "darwin" else maximum * 2**10


def _say(kind: type[BaseException], problem: BaseException, _: TracebackType | None) -> None:
    """What stops a way is a result: its first line goes where the answer goes."""
    first_line = next(iter(str(problem).strip().splitlines()), "")
    print(json.dumps({"error": f"{kind.__name__}: {first_line}"[:200]}))


if __name__ == "__main__":
    # Whatever a foreign library raises (Polars' panics are no `Exception`), without a handler for each.
    sys.excepthook = _say
    # Should the memory of the machine not suffice, then this process goes, and no other.
    adjustment = Path("/proc/self/oom_score_adj")
    if adjustment.exists():
        adjustment.write_text("1000")
    main()
