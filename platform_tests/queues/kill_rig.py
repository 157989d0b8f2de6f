"""Drains in processes of their own, which may be killed.

The processes are copies of one that has imported everything and has started no thread, so that a kill costs a fraction
of a second; multiprocessing's own server of such copies would import the tests' main module again in each.
"""

import itertools
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from data_platform.logins import event_types
from platform_tests.queues import steps
from platform_tests.queues.plans import Place, Plan, Task

ROOT = Path(__file__).parents[2]

_PATIENCE = 60.0
_HEAD = struct.Struct(">I")


@dataclass
class Copies:
    """The process that all drains are copies of."""

    _server: subprocess.Popen[bytes]
    _ends: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    _running: set[int] = field(default_factory=set[int])
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def start(self, place: Place, plan: Plan) -> "Drain":
        """Begins a drain."""
        task = Task(place, plan, place.folder / f"told-{next(self._numbers)}")
        content = pickle.dumps(task)
        assert self._server.stdin
        self._server.stdin.write(_HEAD.pack(len(content)) + content)
        self._server.stdin.flush()
        while True:
            kind, pid, status = self._next()
            if kind == "began":
                self._running.add(pid)
                return Drain(self, pid, task)
            self._note(pid, status)

    def status(self, pid: int) -> int:
        """How a process ended or stopped, as `waitpid` tells it; waits for that."""
        while not self._ends[pid]:
            self._note(*self._next()[1:])
        return self._ends[pid].pop(0)

    def is_over(self, pid: int) -> bool:
        """Whether a process has ended or stopped by now."""
        assert self._server.stdout
        while not self._ends[pid] and select.select([self._server.stdout], [], [], 0)[0]:
            self._note(*self._next()[1:])
        return bool(self._ends[pid])

    def end_all(self) -> None:
        """Kills what a test that failed has left."""
        for pid in [*self._running]:
            _kill(pid)
            while pid in self._running:
                self._note(*self._next()[1:])

    def _note(self, pid: int, status: int) -> None:
        self._ends[pid].append(status)
        if not os.WIFSTOPPED(status):
            self._running.discard(pid)

    def _next(self) -> tuple[str, int, int]:
        assert self._server.stdout
        assert select.select([self._server.stdout], [], [], _PATIENCE)[0], "a drain neither ends nor stops"
        kind, pid, status = self._server.stdout.readline().decode().split()
        return kind, int(pid), int(status)


@dataclass(frozen=True)
class Drain:
    """A drain that was begun."""

    _copies: Copies
    pid: int
    task: Task

    def end(self) -> str:
        """Waits until it is over: `done`, `killed`, `stopped`, or the name of the fault that it ended with."""
        status = self._copies.status(self.pid)
        if os.WIFSTOPPED(status):
            return "stopped"
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL, f"killed by signal {os.WTERMSIG(status)}"
            return "killed"
        told = self.task.told.read_text()
        assert os.WEXITSTATUS(status) == 0, told
        return told.splitlines()[0]

    def is_over(self) -> bool:
        return self._copies.is_over(self.pid)

    def go_on(self) -> None:
        """Lets a stopped one continue."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kills it, if it has not ended by itself."""
        _kill(self.pid)

    @property
    def steps(self) -> list[str]:
        """Every step of a drain that came to an end."""
        return self.task.told.read_text().splitlines()[1:]


@contextmanager
def copies() -> Iterator[Copies]:
    """Starts the process, and ends it with all of its copies."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}"}
    command = [sys.executable, "-W", "error", "-m", __name__]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as server:
        yield Copies(server)
        assert server.stdin
        server.stdin.close()


def _serve(tasks: IO[bytes], news: int) -> None:
    """Makes a copy for each task, and tells what becomes of it."""
    wakes, wake = os.pipe()
    for end in (wakes, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    running = set[int]()
    try:
        while True:
            ready, _, _ = select.select([tasks, wakes], [], [])
            if wakes in ready:
                os.read(wakes, 1024)
                for pid, status in _ended():
                    os.write(news, f"ended {pid} {status}\n".encode())
                    if not os.WIFSTOPPED(status):
                        running.discard(pid)
            if tasks in ready:
                head = tasks.read(_HEAD.size)
                if not head:
                    return
                task = cast("Task", pickle.loads(tasks.read(*_HEAD.unpack(head))))  # noqa: S301 (our own)
                if not (pid := os.fork()):
                    steps.work(task)
                running.add(pid)
                os.write(news, f"began {pid} 0\n".encode())
    finally:
        for pid in running:
            _kill(pid)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _ended() -> Iterator[tuple[int, int]]:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, status


if __name__ == "__main__":
    event_types.load()
    out = os.dup(1)
    _serve(sys.stdin.buffer.raw, out)  # type: ignore[attr-defined]
