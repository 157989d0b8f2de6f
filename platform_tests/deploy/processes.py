"""The processes of docker-compose.yml: started, probed, asked, stopped and killed, each as a container would be.

What does not belong here: the servers behind them (`stand_ins.py`), and how a whole stack comes about (`stack.py`).
"""

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psutil
from pydantic import SecretStr

from data_platform.warehouse.connection import Warehouse
from platform_tests.deploy.compose import Service, services

HOST = "127.0.0.1"
OURS = ("prepare", "code-server", "webserver", "viewers", "daemon")
"""What runs of our own image, in the order of starting."""

PORTS = {
    "postgres": 5432, "app-database": 5432, "lessons-database": 3306, "object-store": 8333, "queue": 9324,
    "code-server": 4000, "webserver": 3000, "viewers": 3001,
}  # fmt: skip
_PATIENCE = 300.0  # seconds, on a machine that has other things to do
_LAUNCH = """
mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
} }
"""
_STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


class StackError(AssertionError):
    """A process did not do what it was waited for; the message holds the end of its log."""


@dataclass
class ProductionStack:
    """The stack, its servers up and its own processes as they are started.

    Attributes:
        folder: Holds everything: `secrets`, `platform` (the image's own files), `data`, `scratch`, `logs`.
        ports: Where each service listens on 127.0.0.1.
        venv: The virtual environment that stands for the image's; what `deploy/build` makes does as well.
    """

    folder: Path
    ports: dict[str, int]
    venv: Path
    variables: Mapping[str, str] = field(default_factory=lambda: {"BUSINESS_TIMEZONE": "UTC"})
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def services(self) -> dict[str, Service]:
        return services(self.variables)

    def start_all(self) -> None:
        """Prepares, then starts our own services, each when those that it needs are healthy."""
        for name in OURS:
            self.start(name)

    def start(self, name: str) -> None:
        """Starts a service as the file says, and waits until its probe passes, or a task has ended well."""
        service = self.services[name]
        self.spawn(name, [str(self.image_path("/opt/platform/entrypoint")), *self.here(service, service.command)])
        if not service.is_task:
            self.wait_for(lambda: self.is_healthy(name), f"{name} to be healthy", process=name)
            return
        if self._processes.pop(name).wait(_PATIENCE) != 0:
            raise StackError(f"{name} failed: {self.log(name)[-4000:]}")

    def is_healthy(self, name: str) -> bool:
        """Runs the service's own probe, once."""
        service = self.services[name]
        done = subprocess.run(
            self.here(service, service.probe), env=self.environment(service), cwd=self.image_path("/opt/platform"),
            capture_output=True, check=False,
        )  # fmt: skip
        return done.returncode == 0

    def stop(self, name: str) -> int:
        """Asks a service to end, as `docker stop` does, and waits until it and all that it started are gone.

        Returns:
            Its exit code; negative for a signal.
        """
        process = self._processes.pop(name)
        process.send_signal(signal.SIGTERM)
        code = process.wait(_PATIENCE)
        self.wait_for(lambda: not _members(process.pid), f"all of {name} to be gone")
        return code

    def kill(self, name: str) -> None:
        """Kills a service and whatever it started, as the end of its container does."""
        process = self._processes.pop(name)
        for member in _members(process.pid):
            with suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait()

    def is_up(self, name: str) -> bool:
        return name in self._processes and self._processes[name].poll() is None

    def log(self, name: str) -> str:
        return (self.folder / "logs" / name).read_text(errors="replace")

    def graphql(self, query: str, to: str = "webserver", **variables: object) -> Any:
        """The data that a webserver answers; its errors are raised."""
        prefix = "/viewers" if to == "viewers" else ""
        request = urllib.request.Request(
            f"http://{HOST}:{self.ports[to]}{prefix}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (of this machine)
            told = json.load(answer)
        if told.get("errors"):
            raise StackError(f"{to} answered {told['errors'][0]['message']}")
        return told["data"]

    def launch(self, job: str, assets: Sequence[str] = (), to: str = "webserver", **tags: str) -> str:
        """Asks a webserver for a run, and gives its id; a refusal is raised."""
        selector: dict[str, object] = {
            "repositoryName": "__repository__", "repositoryLocationName": "data_platform", "jobName": job,
        }  # fmt: skip
        if assets:
            selector["assetSelection"] = [{"path": [name]} for name in assets]
        meta = {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
        told = self.graphql(_LAUNCH, to, params={"selector": selector, "mode": "default", "executionMetadata": meta})
        if told["launchRun"]["__typename"] != "LaunchRunSuccess":
            raise StackError(f"{to} did not launch {job}: {told['launchRun']}")
        return told["launchRun"]["run"]["runId"]

    def status(self, run_id: str) -> str:
        return self.graphql(_STATUS, id=run_id)["runOrError"].get("status", "UNKNOWN")

    def wait_for(
        self, condition: Callable[[], object], what: str, seconds: float = _PATIENCE, process: str | None = None
    ) -> None:
        """Waits until a condition holds; one that asks a server which is not there yet does not hold."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(OSError, urllib.error.URLError):
                if condition():
                    return
            if process and not self.is_up(process):
                raise StackError(f"{process} ended by itself: {self.log(process)[-4000:]}")
            time.sleep(0.5)
        logs = "\n".join(f"--- {name}\n{self.log(name)[-1500:]}" for name in self._processes)
        raise StackError(f"Waited for {what} in vain.\n{logs}")

    def database(self, role: str, name: str) -> SecretStr:
        """URL of a database for one of the roles: warehouse, dagster, analyst."""
        password = self.secret(f"{role}_password")
        return SecretStr(f"postgresql://{role}:{password}@{HOST}:{self.ports['postgres']}/{name}")

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(SecretStr(self.secret("warehouse_url")))

    def secret(self, name: str) -> str:
        return (self.folder / "secrets" / name).read_text()

    def client(self, kind: str) -> Any:
        """A boto3 client of the store ("s3") or the queue ("sqs")."""
        port = self.ports["object-store" if kind == "s3" else "queue"]
        return boto3.client(
            kind, endpoint_url=f"http://{HOST}:{port}", region_name="us-east-1",
            aws_access_key_id=self.secret("aws_access_key_id"),
            aws_secret_access_key=self.secret("aws_secret_access_key"),
        )  # fmt: skip

    @property
    def queue_url(self) -> str:
        return str(self.environment(self.services["code-server"])["LOGIN_QUEUE_URL"])

    def image_path(self, path: str) -> Path:
        """Where a path of the image is on this machine."""
        return Path(self.mapped(path))

    def environment(self, service: Service) -> dict[str, str]:
        """The service's environment and the image's, and nothing of this machine's."""
        image = {
            "PATH": f"{self.venv / 'bin'}:{os.defpath}", "HOME": str(self.folder / "tmp"), "PYTHONUNBUFFERED": "1",
            "DAGSTER_HOME": str(self.image_path("/opt/platform")),
        }  # fmt: skip
        told = {
            name: self.variables.get(name) if value is None else value for name, value in service.environment.items()
        }
        return image | {name: self.mapped(str(value)) for name, value in told.items() if value is not None}

    def here(self, service: Service, words: Sequence[str]) -> list[str]:
        """A command of the file with this machine's paths and ports."""
        port = PORTS.get(service.name)
        own = [re.sub(rf"\b{port}\b", str(self.ports[service.name]), word) if port else word for word in words]
        return [self.mapped(word).replace("0.0.0.0", HOST) for word in own]  # noqa: S104 (nothing is bound by it)

    def mapped(self, text: str) -> str:
        """A text of the file or of a secret, with this machine's paths, hosts and ports in it."""
        for path, name in (
            ("/opt/platform", "platform"),
            ("/var/lib/dagster", "data"),
            ("/var/tmp", "scratch"),  # noqa: S108 (of the image)
            ("/run/secrets", "secrets"),
        ):
            text = re.sub(rf"(?<![\w/.-]){path}\b", str(self.folder / name), text)
        for name, port in PORTS.items():
            text = re.sub(rf"(?<![\w-]){name}:{port}\b", f"{HOST}:{self.ports[name]}", text)
        return text

    def spawn(self, name: str, command: list[str], environment: dict[str, str] | None = None) -> None:
        with (self.folder / "logs" / name).open("ab") as log:
            self._processes[name] = process = subprocess.Popen(
                command, cwd=self.image_path("/opt/platform"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment or self.environment(self.services[name]), start_new_session=True,
            )  # fmt: skip
        # Kills the session when its own input ends: when we ourselves die.
        guard = ["/bin/sh", "-c", 'cat >/dev/null; kill -KILL "-$0"', str(process.pid)]
        self._guards.append(
            subprocess.Popen(guard, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        )

    _guards: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def close(self) -> None:
        """Kills what is left."""
        for name in reversed(list(self._processes)):
            self.kill(name)
        for guard in self._guards:
            guard.communicate()


def _members(session: int) -> list[psutil.Process]:
    """The living processes of a session: a container's, if it were one."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
