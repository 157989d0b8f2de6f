"""The server process of the embedded queue: moto's SQS on loopback, until nobody uses its folder any more.

Run by `queue_server` as `python -m data_platform.local.queue_process FOLDER LOCK`, and imported by nobody: it imports a
lot. LOCK is the descriptor of the folder's `server.lock`, held. Messages are in memory alone, and never in the log.
"""

import fcntl
import json
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from flask import Flask, got_request_exception
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import create_backend_app
from moto.sqs import models
from werkzeug.serving import make_server

from data_platform.local.postgres_process import HOST
from data_platform.local.queue_server import DEAD_LETTERS, LOGIN_EVENTS

_REGION = "us-east-1"
_VISIBILITY_SECONDS = 120
_MAX_RECEIVES = 5
_PAUSE = 0.1


def serve(home: Path, server_lock: int) -> None:
    """Serve until the last user of the folder is gone."""
    app = create_backend_app("sqs")
    got_request_exception.connect(_tell, app)
    _create_queues()
    _count_less()
    logging.getLogger("werkzeug").disabled = True  # it has a line for each request
    server = make_server(HOST, 0, _in_turn(app), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _publish(home, {"host": HOST, "port": server.server_port, "pid": os.getpid()})
    with (home / "users.lock").open("r+b") as users:
        fcntl.flock(users, fcntl.LOCK_EX)  # waits for the last user; its starter is one already
        # The next user waits for `users.lock`, and then must not find a server that is about to end.
        os.close(server_lock)
        os._exit(0)  # at once, whatever requests of users that were killed still wait


def _create_queues() -> None:
    backend = models.sqs_backends[DEFAULT_ACCOUNT_ID][_REGION]
    dead = cast("Any", backend.create_queue(DEAD_LETTERS))
    redrive = {"deadLetterTargetArn": dead.queue_arn, "maxReceiveCount": _MAX_RECEIVES}
    backend.create_queue(LOGIN_EVENTS, VisibilityTimeout=str(_VISIBILITY_SECONDS), RedrivePolicy=json.dumps(redrive))


@dataclass(frozen=True)
class _CountWhenTold:
    """A number of messages that is counted when somebody writes it down."""

    count: Callable[[], int]

    def __str__(self) -> str:
        return str(self.count())


def _count_less() -> None:
    """Spare moto 5.2.5 some time: it counts all of a queue for each message it takes, and nine times for each it gives.

    A thousand messages took it most of a minute.
    """

    def when_told(count: Callable[[models.Queue], int]) -> property:
        return property(lambda queue: _CountWhenTold(partial(count, queue)))

    for kind in ("", "_delayed", "_not_visible"):
        name = f"approximate_number_of_messages{kind}"
        setattr(models.Queue, name, when_told(getattr(models.Queue, name).fget))
    # What it asks each message for; its own way to tell the time makes three dates.
    cast("Any", models).unix_time_millis = lambda: time.time() * 1000


def _in_turn(app: Flask) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """One request at a time, except those that wait for a message.

    While two threads delete, moto 5.2.5 loses what a third one sends and brings back what was deleted.
    """
    turn = threading.Lock()

    def answer(request: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 (WSGI's own)
        with turn:
            return app(request, start_response)

    def wait(_queue: models.Queue, timeout: int) -> None:
        turn.release()
        try:
            time.sleep(min(timeout, _PAUSE))
        finally:
            turn.acquire()

    cast("Any", models.Queue).wait_for_messages = wait
    return answer


def _tell(_app: Flask, exception: Exception) -> None:
    """Log which line failed, without the exception's text: it may quote a message."""
    place = traceback.extract_tb(exception.__traceback__)[-1]
    sys.stderr.write(f"{type(exception).__name__} in {place.filename}:{place.lineno}\n")


def _publish(home: Path, address: dict[str, object]) -> None:
    draft = home / "address.json.unfinished"
    draft.write_text(json.dumps(address))
    draft.replace(home / "address.json")


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
