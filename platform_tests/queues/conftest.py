"""A server that speaks SQS for the whole session, a queue of its own for each test, and servers that only refuse."""

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, cast

import boto3
import pytest
from moto.server import ThreadedMotoServer

from data_platform.queues.sqs import SqsQueue

CREDENTIALS = ("key-of-the-test", "secret-of-the-test")
_numbers = itertools.count()


@pytest.fixture(scope="session")
def sqs_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def client(sqs_endpoint: str) -> Any:
    """The other side of the queues: boto3 itself."""
    key, secret = CREDENTIALS
    session = cast("Any", boto3.Session(key, secret, region_name="us-east-1"))
    return session.client("sqs", endpoint_url=sqs_endpoint)


@pytest.fixture
def make(client: Any) -> Callable[..., SqsQueue]:
    """Makes a queue with some attributes."""

    def make(suffix: str = "", **attributes: str) -> SqsQueue:
        name = f"queue-{next(_numbers)}{suffix}"
        return SqsQueue(client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"], None, CREDENTIALS)

    return make


@pytest.fixture
def queue(make: Callable[..., SqsQueue]) -> SqsQueue:
    return make()


@pytest.fixture
def send(client: Any) -> Callable[..., None]:
    def send(queue: SqsQueue, *bodies: str, **more: object) -> None:
        for body in bodies:
            client.send_message(QueueUrl=queue._url, MessageBody=body, **more)

    return send


@contextmanager
def answering(status: int, content: object, content_type: str = "application/x-amz-json-1.0") -> Iterator[str]:
    """The URL of a queue at a server that answers every request the same."""
    answer = content.encode() if isinstance(content, str) else json.dumps(content).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (as the library has it)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/123456789012/answering"
        finally:
            server.shutdown()
            thread.join()
