"""An app at its queue: the embedded stack's own server, with a queue and dead letters for each platform of a test."""

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import boto3

from data_platform.local import queue_server
from data_platform.queues.batches import Received

_numbers = itertools.count()

GOOD = {
    "user_id": "u1", "app_version": "2.3.0", "device_type": "android", "ip": "192.0.2.1", "locale": "RU",
    "device_id": "042-47-0028",
}  # fmt: skip
OUT = {"event_type": "logout", "user_id": "u1", "device_id": "042-47-0028", "cause": "timeout"}


def login(**fields: object) -> str:
    return json.dumps(GOOD | fields)


def logout(**fields: object) -> str:
    return json.dumps(OUT | fields)


def received(at: datetime, *bodies: str, begin: int = 0) -> list[Received]:
    """Messages as they were received at some time, a second apart, each with an id of its own."""
    sent = int(at.timestamp()) * 1000
    return [Received(f"id-{begin + n}", body, str(sent + n * 1000), 1, at) for n, body in enumerate(bodies, start=1)]


@dataclass(frozen=True)
class AppQueue:
    """A queue and its dead letters, from the app's side."""

    client: Any
    url: str
    dead_url: str

    def send(self, *bodies: str, dead: bool = False) -> None:
        for start in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
            self.client.send_message_batch(QueueUrl=self.dead_url if dead else self.url, Entries=entries)

    def held(self) -> int:
        """Messages that are not deleted, in both queues."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = [
            self.client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            for url in (self.url, self.dead_url)
        ]
        return sum(int(attributes[name]) for attributes in found for name in names)


@contextmanager
def serving(folder: Path) -> Iterator[queue_server.QueueServer]:
    """The embedded queue's server in a folder, until the end."""
    try:
        yield queue_server.ensure(folder)
    finally:
        queue_server.release(folder)
        queue_server.stop(folder)


def app_queue(server: queue_server.QueueServer, names: Sequence[str] = ()) -> AppQueue:
    """A fresh queue with dead letters; or those of the embedded stack, by their names."""
    access_key, secret = queue_server.CREDENTIALS
    client = cast("Any", boto3).client(
        "sqs", endpoint_url=f"http://{server.host}:{server.port}", region_name="us-east-1",
        aws_access_key_id=access_key, aws_secret_access_key=secret,
    )  # fmt: skip
    if names:
        return AppQueue(client, *(server.queue_url(name) for name in names))
    number = next(_numbers)
    name, dead = f"events-{number}", f"events-{number}-dead"
    client.create_queue(QueueName=dead)
    policy = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:123456789012:{dead}", "maxReceiveCount": 5}
    client.create_queue(QueueName=name, Attributes={"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "120"})
    return AppQueue(client, server.queue_url(name), server.queue_url(dead))
