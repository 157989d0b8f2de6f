"""The embedded queue as its users share it: started once, found by all, gone after the last."""

import contextlib
import http.client
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from data_platform.errors import PermanentError
from data_platform.local import queue_server
from data_platform.local.queue_server import CREDENTIALS, DEAD_LETTERS, LOGIN_EVENTS, LocalQueueError, QueueServer
from data_platform.queues.sqs import Depth, QueueUnavailable, SqsQueue
from platform_tests.local.embedded_postgres import (
    PATIENCE,
    PLATFORM,
    finish,
    first_line,
    is_one_sentence,
    kill,
    processes_under,
    until,
)
from platform_tests.unprivileged import without_rights

StartUser = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "local queue"
    try:
        yield folder
    finally:
        queue_server.release(folder)
        with contextlib.suppress(LocalQueueError):
            queue_server.stop(folder)
    until(lambda: ended(folder))


@pytest.fixture
def start_user(home: Path) -> Iterator[StartUser]:
    """Starts other processes that use the folder, print the server's port, and go on with what they are told."""
    users: list[subprocess.Popen[str]] = []

    def start(then: str = "sys.stdin.read()") -> subprocess.Popen[str]:
        script = f"""
import os, sys, time
from pathlib import Path
from data_platform.local import queue_server
folder = Path({str(home)!r})
print(queue_server.ensure(folder).port, flush=True)
{then}
"""
        user = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script],
            env={**os.environ, "PYTHONPATH": str(PLATFORM)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        users.append(user)
        return user

    yield start
    for user in users:
        kill(user)


def ended(home: Path) -> bool:
    return processes_under(home) == []


def events(server: QueueServer) -> SqsQueue:
    return SqsQueue(server.queue_url(LOGIN_EVENTS), None, CREDENTIALS)


def send(queue: SqsQueue, *bodies: str) -> None:
    for body in bodies:
        queue._client.send_message(QueueUrl=queue._url, MessageBody=body)


def post(server: QueueServer, content: bytes, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
    """The answer to a request as no client of SQS would send it."""
    with contextlib.closing(http.client.HTTPConnection(server.host, server.port)) as connection:
        protocol = {"X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0"}
        connection.request("POST", urlsplit(server.queue_url(LOGIN_EVENTS)).path, content, protocol | (headers or {}))
        return connection.getresponse()


def test_it_has_a_queue_of_login_events_with_dead_letters(home: Path) -> None:
    queue = events(queue_server.ensure(home))
    assert queue.visibility_seconds == 120
    letters = queue.dead_letters()
    assert letters is not None
    assert letters.name == DEAD_LETTERS
    assert letters.depth() == Depth(0, 0, 0)
    send(queue, "hello")
    for _ in range(5):
        [message] = queue.receive(wait_seconds=0)
        queue.extend([message.receipt], 0)
    assert queue.receive(wait_seconds=0) == []
    assert [message.body for message in letters.receive(wait_seconds=0)] == ["hello"]


def test_two_processes_share_one_server_and_its_messages(home: Path, start_user: StartUser) -> None:
    server = queue_server.ensure(home)
    other = start_user()
    assert first_line(other) == str(server.port)
    send(events(server), "kept")
    queue_server.release(home)
    assert events(server).depth().waiting == 1
    finish(other)
    until(lambda: ended(home))
    assert events(queue_server.ensure(home)).depth().waiting == 0


def test_eight_processes_that_start_at_once_get_one_server(home: Path, start_user: StartUser) -> None:
    users = [start_user() for _ in range(8)]
    assert len({first_line(user) for user in users}) == 1
    assert len(processes_under(home)) == 1
    assert [finish(user) for user in users] == [""] * 8
    until(lambda: ended(home))


def test_threads_of_one_process_are_one_user(home: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        servers = list(pool.map(lambda _: queue_server.ensure(home), range(6)))
    assert len(set(servers)) == 1
    queue_server.release(home)
    until(lambda: ended(home))


def test_users_that_come_and_go_in_a_crowd_always_find_a_server(home: Path, start_user: StartUser) -> None:
    look = """
import socket
for _ in range(5):
    server = queue_server.ensure(folder)
    socket.create_connection((server.host, server.port)).close()
    queue_server.release(folder)
"""
    for user in [start_user(look) for _ in range(4)]:
        first_line(user)
        finish(user)
    until(lambda: ended(home))


def test_it_ends_after_its_last_user_was_killed_and_starts_again(home: Path, start_user: StartUser) -> None:
    users = [start_user("time.sleep(600)") for _ in range(2)]
    [port] = {first_line(user) for user in users}
    kill(users[0])
    assert queue_server.ensure(home).port == int(port)
    queue_server.release(home)
    kill(users[1])
    until(lambda: ended(home))
    assert events(queue_server.ensure(home)).depth() == Depth(0, 0, 0)


def test_an_interrupt_of_its_first_user_does_not_take_it_from_another(home: Path, start_user: StartUser) -> None:
    first = start_user("time.sleep(600)")
    first_line(first)
    server = queue_server.ensure(home)
    os.killpg(first.pid, signal.SIGINT)
    assert first.wait(PATIENCE) != 0
    assert events(server).depth() == Depth(0, 0, 0)


def test_a_program_that_a_user_started_does_not_inherit_its_use(home: Path, start_user: StartUser) -> None:
    leave_a_sleeper = """
import subprocess
nothing = subprocess.DEVNULL
sleeper = subprocess.Popen(["sleep", "600"], stdin=nothing, stdout=nothing, stderr=nothing)
print(sleeper.pid, flush=True)
os._exit(0)
"""
    user = start_user(leave_a_sleeper)
    first_line(user)
    sleeper = int(first_line(user))
    try:
        finish(user)
        until(lambda: ended(home))
        assert psutil.pid_exists(sleeper)
    finally:
        os.kill(sleeper, signal.SIGKILL)


def test_a_server_that_crashed_is_started_again_for_its_users(home: Path) -> None:
    before = queue_server.ensure(home)
    [process] = processes_under(home)
    process.kill()
    until(lambda: ended(home))
    with pytest.raises(QueueUnavailable):
        events(before).depth()
    assert events(queue_server.ensure(home)).depth() == Depth(0, 0, 0)


def test_a_starter_that_is_killed_at_once_harms_nobody(home: Path, start_user: StartUser) -> None:
    starter = start_user()
    until((home / "server.lock").exists)
    kill(starter)
    assert events(queue_server.ensure(home)).depth() == Depth(0, 0, 0)
    assert len(processes_under(home)) == 1


def test_a_folder_that_was_removed_can_be_used_again(home: Path) -> None:
    queue_server.ensure(home)
    home.rename(home.with_name("removed"))
    assert events(queue_server.ensure(home)).depth() == Depth(0, 0, 0)
    until(lambda: ended(home.with_name("removed")))


def test_stop_ends_it_whoever_uses_it_and_they_can_have_it_again(home: Path, start_user: StartUser) -> None:
    assert queue_server.stop(home) is False
    assert not home.exists()
    user = start_user("sys.stdin.read(); print(queue_server.ensure(folder).host)")
    first_line(user)
    assert queue_server.stop(home) is True
    until(lambda: ended(home))
    assert queue_server.stop(home) is False
    assert finish(user) == "127.0.0.1"


def test_release_without_a_use_does_nothing(home: Path, start_user: StartUser) -> None:
    queue_server.release(home)
    user = start_user()
    first_line(user)
    queue_server.release(home)
    assert len(processes_under(home)) == 1
    finish(user)


def test_it_listens_on_loopback_only_in_a_session_of_its_own(home: Path) -> None:
    queue_server.ensure(home)
    [process] = processes_under(home)
    assert {connection.laddr.ip for connection in process.net_connections() if connection.status == "LISTEN"} == {
        "127.0.0.1"
    }
    assert os.getsid(process.pid) != os.getsid(0)


def test_nothing_of_the_users_environment_reaches_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    queue_server.ensure(home)
    [process] = processes_under(home)
    assert "secret" not in process.environ().values()


def test_no_web_page_may_read_its_answers(home: Path) -> None:
    answer = post(queue_server.ensure(home), b'{"MessageBody": "hello"}', {"Origin": "https://evil.example"})
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] is None


def test_its_files_are_private_and_its_log_tells_no_message(home: Path) -> None:
    server = queue_server.ensure(home)
    queue = events(server)
    send(queue, "secret body")
    [message] = queue.receive(wait_seconds=0)
    queue.delete([message.receipt, "unknown"])
    assert post(server, b'{"MessageBody": "secret body", "DelaySeconds": "secret number"}').status == 500
    log = (home / "log").read_text()
    assert "Error in " in log
    assert "secret" not in log
    assert message.receipt not in log
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
    assert {name: mode for name, mode in modes.items() if mode != 0o600} == {}


def test_nothing_is_lost_or_comes_back_while_several_delete_and_others_send(home: Path) -> None:
    queue = events(queue_server.ensure(home))

    def send_ten(number: int) -> None:
        entries = [{"Id": str(at), "MessageBody": f"{number}-{at}"} for at in range(10)]
        queue._client.send_message_batch(QueueUrl=queue._url, Entries=entries)

    def consume(_: int) -> int:
        messages = queue.receive(wait_seconds=0)
        assert queue.delete([message.receipt for message in messages]) == []
        return len(messages)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send_ten, range(200)))  # the longer a queue, the longer a deletion takes
        sending = [pool.submit(send_ten, number) for number in range(200, 240)]
        num_deleted = sum(pool.map(consume, range(40)))
        for task in sending:
            task.result()
    assert queue.depth() == Depth(waiting=2_400 - num_deleted, in_flight=0, delayed=0)


def test_importing_it_imports_neither_server_nor_client() -> None:
    code = "import sys, data_platform.local.queue_server; print({'moto', 'flask', 'boto3'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(PLATFORM)}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


@pytest.mark.parametrize("place", ["/proc/no/such", "/dev/null/queue"])
def test_an_impossible_folder_is_named_in_one_sentence(place: str) -> None:
    with pytest.raises(LocalQueueError, match=place) as refused:
        queue_server.ensure(Path(place))
    assert isinstance(refused.value, PermanentError)
    assert is_one_sentence(str(refused.value))


def test_an_unwritable_folder_is_named_in_one_sentence(home: Path) -> None:
    home.mkdir(mode=0o555)
    for parent in home.parents[:3]:
        parent.chmod(0o755)
    with without_rights(), pytest.raises(LocalQueueError, match="Permission denied") as refused:
        queue_server.ensure(home)
    assert is_one_sentence(str(refused.value))
    assert list(home.iterdir()) == []


def test_a_server_that_does_not_start_leaves_no_user_and_names_its_log(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_server, "_ENVIRONMENT", {"PYTHONHOME": "/nowhere"})
    with pytest.raises(LocalQueueError, match=f"see {home / 'log'}") as refused:
        queue_server.ensure(home)
    assert is_one_sentence(str(refused.value))
    assert queue_server._uses == {}
    monkeypatch.undo()
    assert events(queue_server.ensure(home)).depth() == Depth(0, 0, 0)
