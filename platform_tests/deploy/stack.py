"""The processes of docker-compose.yml on this machine: the file's own commands, environment, secrets and probes.

    with running(folder, mysql_server) as stack:
        run = stack.launch("update_leads", ["leads"])
        stack.wait_for(lambda: stack.status(run) == "SUCCESS", "the run")
        stack.kill("daemon")
        stack.start("daemon")

A container is a process in a session of its own here, a host name is 127.0.0.1 with a free port, and a path of the
image is a folder. Four servers are stand-ins: the embedded Postgres (for both of them, set up by the same scripts),
moto for store and queue, MariaDB for MySQL. What does not belong here: what the stack should do (the tests).
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from data_platform.local import postgres
from platform_tests.deploy import stand_ins
from platform_tests.deploy.processes import HOST, OURS, PORTS, ProductionStack, StackError
from platform_tests.mysql_server import MySqlServer

__all__ = ["OURS", "ProductionStack", "StackError", "running", "unstarted"]


@contextmanager
def running(folder: Path, mysql: MySqlServer, venv: Path | None = None) -> Iterator[ProductionStack]:
    """A whole stack: secrets made, servers up, our own services prepared, started and healthy.

    Args:
        folder: Empty; everything goes there.
        mysql: Stands for the lessons database's server; it gets a database `lessons` for as long as the context lasts.
        venv: Instead of the one that the tests run in.
    """
    with unstarted(folder, mysql, venv) as stack:
        stack.start_all()
        yield stack


@contextmanager
def unstarted(folder: Path, mysql: MySqlServer, venv: Path | None = None) -> Iterator[ProductionStack]:
    """The same with its servers up, and none of our own services."""
    for name in ("platform", "data", "scratch", "logs", "tmp"):
        (folder / name).mkdir(parents=True)
    stack = ProductionStack(folder, {name: _free_port() for name in PORTS}, venv or Path(sys.prefix))
    server = postgres.ensure(folder / "postgres", [])
    stack.ports |= {"postgres": server.port, "app-database": server.port, "lessons-database": mysql.port}
    with ExitStack() as undo:
        undo.callback(postgres.stop, folder / "postgres")
        undo.callback(stack.close)
        stand_ins.make_secrets(stack)
        stand_ins.lay_image_files(stack)
        stand_ins.set_up_postgres(stack, server)
        undo.enter_context(stand_ins.lessons_database(stack, mysql))
        stand_ins.start_aws(stack)
        yield stack


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
