"""`data-platform up`, `down` and `reset`, as a person uses them."""

import os
import signal
import socket
import subprocess
import time
import urllib.request

import psutil

from platform_tests.console.conftest import Commands


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes(commands: Commands) -> list[str]:
    """Whatever works with the stack's folder, by its environment or its arguments."""
    found: list[str] = []
    for process in psutil.process_iter():
        try:
            told = " ".join(process.cmdline()) + process.environ().get("LOCAL_DIR", "")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if str(commands.folder) in told and process.status() != psutil.STATUS_ZOMBIE:
            found.append(f"{process.pid} {told[:200]}")
    return found


def wait_for_line(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout
    for line in process.stdout:
        if words in line:
            return line
    raise AssertionError(process.communicate()[1])


def gone(commands: Commands) -> bool:
    deadline = time.monotonic() + 30
    while processes(commands) and time.monotonic() < deadline:
        time.sleep(0.2)
    return not processes(commands)


def test_up_answers_says_when_it_is_up_already_and_down_leaves_nothing(commands: Commands) -> None:
    port = str(free_port())
    first = commands.start("up", "--port", port)
    assert f"http://localhost:{port}" in wait_for_line(first, "The UI is at")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=30) as answer:
        assert answer.status == 200
    second = commands.run("up", "--port", port)
    assert (second.returncode, second.stdout.startswith("The UI is up already")) == (0, True)
    assert "stop it with `make down` first" in commands.run("reset", "--yes").stderr
    down = commands.run("down")
    assert (down.returncode, down.stdout) == (0, "The UI is down.\n")
    first.communicate(timeout=60)
    assert gone(commands), processes(commands)
    assert commands.run("down").stdout == "The UI is not up.\n"


def test_ctrl_c_and_a_kill_leave_nothing_for_long(commands: Commands) -> None:
    port = str(free_port())
    process = commands.start("up", "--port", port)
    wait_for_line(process, "The UI is at")
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert gone(commands), processes(commands)
    process = commands.start("up", "--port", port)
    wait_for_line(process, "The UI is at")
    process.kill()
    process.communicate()
    assert commands.run("down").stdout == "Stopped what a killed `make up` had left.\n"
    assert gone(commands), processes(commands)


def test_a_taken_port_is_named_with_the_way_out(commands: Commands) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = commands.run("up", "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port} is taken by another program; choose one with `make up PORT={port + 1}`." in done.stderr


def test_reset_asks_and_then_deletes_only_its_own(commands: Commands) -> None:
    assert commands.run("reset", "--yes").stdout == "There is nothing to delete.\n"
    (commands.folder / "lake").mkdir(parents=True)
    (commands.folder / "mine.txt").write_text("kept")
    refused = commands.start("reset")
    assert refused.communicate()[0].count("Nothing was deleted") == 1
    assert (commands.folder / "lake").exists()
    assert "make run" in commands.run("reset", "--yes").stdout
    assert not (commands.folder / "lake").exists()
    assert (commands.folder / "mine.txt").read_text() == "kept"
