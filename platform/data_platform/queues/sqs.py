"""A queue of SQS, or of a server that speaks like it: receive, delete, extend, and how much waits.

SQS delivers at least once: a message that was received and not deleted comes again when its visibility has run out,
and one that was deleted may. What does not belong here: what a message says, and when it may be deleted.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 (the library's own name)
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
)
from botocore.parsers import ResponseParserError

from data_platform.errors import PermanentError, PlatformError, TransientError

_BATCH = 10  # the most messages that one call of SQS may name
_LONGEST_POLL = 20  # seconds; SQS takes no more
# SQS's own host needs no endpoint: boto knows it, and heeds AWS's variables that name another.
_PUBLIC_HOST = re.compile(r"(?:sqs\.[a-z0-9-]+|[a-z0-9-]+\.queue)\.amazonaws\.com(?:\.cn)?")
_REGION = re.compile(r"(?:\bsqs(?:-fips)?\.|^)([a-z]{2,}(?:-[a-z]+)+-\d+)\.")
_DEFAULT_REGION = "us-east-1"
_CONFIG = Config(
    connect_timeout=10,
    read_timeout=_LONGEST_POLL + 20,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=50,
    tcp_keepalive=True,  # a long poll is silent for longer than some NAT gateways remember a connection
)

_BUSY = re.compile(
    r"Throttl|TooManyRequests|RequestLimitExceeded|OverLimit|RequestTimeout|ServiceUnavailable|InternalError"
)
_BUSY_STATUS = {408, 429}
_UNREACHED = (HTTPClientError, ConnectionError, IncompleteReadError, MetadataRetrievalError, ResponseParserError)
_WAY_IN = "set LOGIN_QUEUE_URL to a queue that exists and AWS's own variables to credentials that may read it"


class QueueUnavailable(TransientError):
    """The queue did not answer, or has no time for us; messages that were not deleted come again."""


class QueueRefused(PermanentError):
    """There is no such queue, or the credentials do not open it."""


@dataclass(frozen=True)
class Message:
    """A message as it was received this time.

    Attributes:
        message_id: Stays the same however often the message comes.
        body: Its text.
        sent: `SentTimestamp` as the queue gives it: milliseconds in SQS; a stand-in may give seconds, or nothing.
        receive_count: How often it was received, this time included; approximate.
        receipt: Names this receipt of the message, to delete or extend it.
    """

    message_id: str
    body: str = field(repr=False)
    sent: str | None
    receive_count: int
    receipt: str = field(repr=False)


@dataclass(frozen=True)
class Depth:
    """How many messages wait, were received and not yet deleted, and are to appear later; all approximate."""

    waiting: int
    in_flight: int
    delayed: int


class Queue(Protocol):
    """What a consumer needs of a queue. Every method may raise QueueUnavailable and QueueRefused."""

    @property
    def name(self) -> str:
        """What people call the queue; without credentials."""
        ...

    @property
    def visibility_seconds(self) -> int:
        """For how long a received message is hidden from others; asked of the queue each time."""
        ...

    def receive(self, *, wait_seconds: int) -> list[Message]:
        """At most ten messages, as soon as there are some.

        Args:
            wait_seconds: How long to wait for the first one; 20 at most.
        """
        ...

    def delete(self, receipts: Sequence[str]) -> list[str]:
        """Deletes messages for good, any number.

        Returns:
            Receipts of those that the queue did not delete: they come again.
        """
        ...

    def extend(self, receipts: Sequence[str], seconds: int) -> None:
        """Hides messages for so many seconds from now on; a receipt that expired is no error."""
        ...

    def depth(self) -> Depth:
        """How much there is in the queue."""
        ...


class SqsQueue:
    """A queue over SQS's protocol, standard or FIFO. Any number of threads may use one object."""

    def __init__(self, url: str, endpoint_url: str | None = None, credentials: tuple[str, str] | None = None) -> None:
        """Opens a queue; nothing is asked of it yet.

        Args:
            url: The queue's URL, such as `https://sqs.eu-west-1.amazonaws.com/123456789012/login-events`.
            endpoint_url: Address of the server; None for SQS itself, or for the URL's own host where that is another.
            credentials: Access key and secret of a stand-in in us-east-1, instead of AWS's own configuration.

        Raises:
            QueueRefused: The URL or AWS's own configuration cannot be used.
        """
        parts = urlsplit(url)
        self._host = parts.netloc.rpartition("@")[2]
        self._name = parts.path.rstrip("/").rpartition("/")[2]
        self._url = f"{parts.scheme}://{self._host}{parts.path.rstrip('/')}"
        self._endpoint_url = endpoint_url
        self._credentials = credentials
        if not self._name:
            raise QueueRefused(
                f"The URL of a queue at {self._host} names no queue; set LOGIN_QUEUE_URL to host, account and name,"
                f" such as https://sqs.{_DEFAULT_REGION}.amazonaws.com/123456789012/login-events."
            )
        try:
            self._client = self._opened()
        except (BotoCoreError, ValueError) as error:
            failure = self._failure("a connection", error)
        else:
            return
        raise failure

    def __repr__(self) -> str:
        return f"SqsQueue({self._name!r} at {self._host!r})"

    def _opened(self) -> Any:  # noqa: ANN401 (boto3 makes its classes at run time)
        access_key, secret = self._credentials or (None, None)
        session = cast("Any", boto3.Session(access_key, secret))
        found = _REGION.search(self._host)
        usual = None if self._credentials else session.region_name
        region = found[1] if found else usual or _DEFAULT_REGION
        origin = None if _PUBLIC_HOST.fullmatch(self._host) else f"{urlsplit(self._url).scheme}://{self._host}"
        return session.client("sqs", region_name=region, endpoint_url=self._endpoint_url or origin, config=_CONFIG)

    @property
    def name(self) -> str:
        """What people call the queue: the last part of its URL."""
        return self._name

    @property
    def visibility_seconds(self) -> int:
        """For how long a received message is hidden from others; asked of the queue each time."""
        return int(self._attributes("VisibilityTimeout")["VisibilityTimeout"])

    def receive(self, *, wait_seconds: int) -> list[Message]:
        """At most ten messages, as soon as there are some; see `Queue`."""
        answer = self._ask(
            "receive_message",
            MaxNumberOfMessages=_BATCH,
            WaitTimeSeconds=min(wait_seconds, _LONGEST_POLL),
            MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
        )
        return [_message(found) for found in answer.get("Messages", ())]

    def delete(self, receipts: Sequence[str]) -> list[str]:
        """Deletes messages, ten a call, and returns the receipts of those that were not; see `Queue`."""
        left: list[str] = []
        for entries in _batches(receipts):
            done = {entry["Id"] for entry in self._ask("delete_message_batch", Entries=entries).get("Successful", ())}
            left += [entry["ReceiptHandle"] for entry in entries if entry["Id"] not in done]
        return left

    def extend(self, receipts: Sequence[str], seconds: int) -> None:
        """Hides messages for longer, ten a call; see `Queue`."""
        for entries in _batches(receipts):
            lasting = [{**entry, "VisibilityTimeout": seconds} for entry in entries]
            self._ask("change_message_visibility_batch", Entries=lasting)

    def depth(self) -> Depth:
        """How much there is in the queue; see `Queue`."""
        waiting, in_flight, delayed = (f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed"))
        found = self._attributes(waiting, in_flight, delayed)
        return Depth(int(found[waiting]), int(found[in_flight]), int(found[delayed]))

    def dead_letters(self) -> "SqsQueue | None":
        """The queue that takes what was received too often; None where there is none, or we may not know.

        SQS keeps it in the same account and region, so that only the name differs.
        """
        try:
            answer = self._ask("get_queue_attributes", AttributeNames=["RedrivePolicy"])
        except _Denied:
            return None
        policy = json.loads(answer.get("Attributes", {}).get("RedrivePolicy") or "{}")
        name = str(policy.get("deadLetterTargetArn", "")).rpartition(":")[2]
        if not name:
            return None
        return SqsQueue(f"{self._url.rpartition('/')[0]}/{name}", self._endpoint_url, self._credentials)

    def _attributes(self, *names: str) -> dict[str, str]:
        found: dict[str, str] = self._ask("get_queue_attributes", AttributeNames=list(names)).get("Attributes", {})
        if missing := [name for name in names if name not in found]:
            raise QueueRefused(
                f"The queue {self._name} at {self._host} does not tell its {', '.join(missing)}: set LOGIN_QUEUE_URL to"
                " a queue of SQS."
            )
        return found

    def _ask(self, operation: str, **parameters: object) -> Any:  # noqa: ANN401 (SQS's answer, a nested dict)
        try:
            return getattr(self._client, operation)(QueueUrl=self._url, **parameters)
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            failure = self._failure(operation, error)
        # Out here the library's error is not the context of ours: its text may quote a receipt, a body or a key.
        raise failure

    def _failure(self, operation: str, error: Exception) -> PlatformError:
        where = f"The queue {self._name} at {self._host}"
        status, code = _status_and_code(error)
        if isinstance(error, _UNREACHED) or status >= 500 or status in _BUSY_STATUS or _BUSY.search(code):  # noqa: PLR2004
            return QueueUnavailable(
                f"{where} could not do {operation} ({code}); see whether LOGIN_QUEUE_URL names the right host and it"
                " answers, then start the run again: what was not deleted comes again."
            )
        kind = _Denied if "AccessDenied" in code else QueueRefused
        return kind(f"{where} refused {operation} ({code}); {_WAY_IN}.")


class _Denied(QueueRefused):
    """The credentials are good, and not for this."""


def _status_and_code(error: Exception) -> tuple[int, str]:
    if not isinstance(error, ClientError):
        return 0, type(error).__name__
    answer = cast("Any", error.response)
    status, code = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0), str(answer.get("Error", {}).get("Code"))
    # Whoever answers there chooses the code; only what looks like one is repeated.
    return status, code if re.fullmatch(r"[A-Za-z][\w.]{0,99}", code) else f"HTTP status {status}"


def _message(found: dict[str, Any]) -> Message:
    attributes = found.get("Attributes", {})
    return Message(
        message_id=found["MessageId"],
        body=found["Body"],
        sent=attributes.get("SentTimestamp"),
        receive_count=int(attributes.get("ApproximateReceiveCount", 1)),
        receipt=found["ReceiptHandle"],
    )


def _batches(receipts: Sequence[str]) -> Iterator[list[dict[str, str]]]:
    """Entries of batch calls; each receipt once, since a batch that names one twice is refused as a whole."""
    distinct = list(dict.fromkeys(receipts))
    for start in range(0, len(distinct), _BATCH):
        batch = distinct[start : start + _BATCH]
        yield [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(batch)]
