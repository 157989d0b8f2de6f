"""The process that one reading runs in: `python -m benchmarks.intake.child TASK`, where TASK is JSON; so is the answer.

A fresh process for each reading, because what one library has once allocated it does not give back, and because the
highest memory of a process is known only for its whole life.
"""

import json
import re
import resource
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.intake.contenders import CONTENDERS


def main() -> None:
    """Time the reading of a file, or judge it."""
    task = json.loads(sys.argv[1])
    answer: dict[str, Any] = {}
    if task["do"] == "time":
        reading = CONTENDERS[task["contender"]](Path(task["path"]))
        began, began_cpu = time.perf_counter(), time.process_time()
        for _ in reading.pieces:
            pass
        answer = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - began_cpu}
    elif task["do"] == "judge":
        from dataclasses import asdict

        from benchmarks.intake.judge import judge
        from benchmarks.intake.samples import Sample

        reading = CONTENDERS[task["contender"]](Path(task["path"]))
        answer = asdict(judge(Sample(**task["sample"]), reading.frames(reading.pieces), reading.rejected))
    # At once: pyarrow may abort a process that is ending (its issue 34314), which is not the reading.
    print(json.dumps(answer | {"peak_bytes": _peak_memory_bytes()}), flush=True)


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
    """What stops a reader is a result: its first line goes where the answer goes."""
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
