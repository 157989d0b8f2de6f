"""A queue over SQS's protocol, against a server that speaks it and against servers that refuse."""

import socket
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from data_platform.errors import PermanentError, TransientError
from data_platform.queues.sqs import Depth, Message, Queue, QueueRefused, QueueUnavailable, SqsQueue
from platform_tests.queues.conftest import CREDENTIALS, answering

Make = Callable[..., SqsQueue]
Send = Callable[..., None]

_SECRETS = ("secret", "key-of-the-test", "receipt")


def drained(queue: Queue) -> list[Message]:
    found: list[Message] = []
    while batch := queue.receive(wait_seconds=0):
        found += batch
    return found


def assert_tells_nothing(error: BaseException) -> None:
    """The whole of what a log would hold of it is one sentence without anything secret."""
    told = "".join(traceback.format_exception_only(error))
    assert error.__cause__ is error.__context__ is None
    assert not [secret for secret in _SECRETS if secret in told]
    assert "LOGIN_QUEUE_URL" in told
    assert len(told.splitlines()) == 1


def test_it_is_a_queue(queue: SqsQueue) -> None:
    as_protocol: Queue = queue
    assert as_protocol.name.startswith("queue-")


def test_a_message_comes_as_it_was_sent_with_its_time_and_count(queue: SqsQueue, send: Send) -> None:
    send(queue, "hello")
    [message] = queue.receive(wait_seconds=0)
    assert (message.body, message.receive_count) == ("hello", 1)
    assert message.sent is not None
    assert len(message.sent) == 13


def test_at_most_ten_messages_come_at_once(queue: SqsQueue, send: Send) -> None:
    send(queue, *map(str, range(25)))
    assert len(queue.receive(wait_seconds=0)) == 10
    assert len(drained(queue)) == 15
    assert queue.receive(wait_seconds=0) == []


def test_a_long_poll_ends_when_a_message_comes(queue: SqsQueue, send: Send) -> None:
    later = Timer(0.3, send, [queue, "late"])
    later.start()
    assert [message.body for message in queue.receive(wait_seconds=20)] == ["late"]
    later.join()


def test_a_longer_poll_than_sqs_takes_is_shortened(queue: SqsQueue, send: Send) -> None:
    send(queue, "here")
    assert len(queue.receive(wait_seconds=600)) == 1


def test_any_number_of_receipts_is_deleted(queue: SqsQueue, send: Send) -> None:
    send(queue, *map(str, range(23)))
    assert queue.delete([message.receipt for message in drained(queue)]) == []
    assert queue.depth() == Depth(waiting=0, in_flight=0, delayed=0)


def test_a_receipt_that_is_named_twice_is_deleted_once(queue: SqsQueue, send: Send) -> None:
    send(queue, "once")
    [message] = queue.receive(wait_seconds=0)
    assert queue.delete([message.receipt, message.receipt]) == []


def test_no_receipts_ask_nothing_of_the_queue() -> None:
    nowhere = SqsQueue("http://127.0.0.1:9/1/nowhere", None, CREDENTIALS)
    assert nowhere.delete([]) == []
    nowhere.extend([], 10)


def test_receipts_that_the_queue_does_not_know_are_given_back_and_the_others_deleted(
    queue: SqsQueue, send: Send
) -> None:
    send(queue, *map(str, range(12)))
    receipts = [message.receipt for message in drained(queue)]
    unknown = ["unknown-1", "unknown-2"]
    assert queue.delete([unknown[0], *receipts, unknown[1]]) == unknown
    assert queue.depth().in_flight == 0


def test_a_partial_failure_is_given_back_whatever_its_reason() -> None:
    failed = {"Id": "1", "Code": "InternalError", "SenderFault": False}
    with answering(200, {"Successful": [{"Id": "0"}], "Failed": [failed]}) as url:
        assert SqsQueue(url, None, CREDENTIALS).delete(["first", "second"]) == ["second"]


def test_a_message_comes_again_when_its_visibility_ran_out_and_not_when_it_was_extended(make: Make, send: Send) -> None:
    queue = make(VisibilityTimeout="1")
    send(queue, "kept", "lost")
    received = {message.body: message for message in drained(queue)}
    queue.extend([received["kept"].receipt], 600)
    [again] = queue.receive(wait_seconds=10)
    assert (again.body, again.message_id) == ("lost", received["lost"].message_id)
    assert again.receive_count == received["lost"].receive_count + 1
    assert again.receipt != received["lost"].receipt


def test_a_visibility_of_nothing_gives_messages_back_at_once(queue: SqsQueue, send: Send) -> None:
    send(queue, *map(str, range(12)))
    queue.extend([message.receipt for message in drained(queue)], 0)
    assert len(drained(queue)) == 12


def test_extending_a_receipt_that_expired_is_no_error(queue: SqsQueue, send: Send) -> None:
    send(queue, "done")
    [message] = queue.receive(wait_seconds=0)
    queue.delete([message.receipt])
    queue.extend([message.receipt, "unknown"], 60)


def test_the_visibility_is_the_queues_own(make: Make) -> None:
    assert make(VisibilityTimeout="77").visibility_seconds == 77


def test_the_depth_tells_what_waits_what_is_in_flight_and_what_is_delayed(queue: SqsQueue, send: Send) -> None:
    send(queue, *map(str, range(12)))
    send(queue, "later", DelaySeconds=600)
    queue.receive(wait_seconds=0)
    assert queue.depth() == Depth(waiting=2, in_flight=10, delayed=1)


def test_what_was_received_too_often_is_found_among_the_dead_letters(make: Make, send: Send, client: Any) -> None:
    dead, queue = make("-dead"), make(VisibilityTimeout="0")
    arn = client.get_queue_attributes(QueueUrl=dead._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": "2"}}'
    client.set_queue_attributes(QueueUrl=queue._url, Attributes={"RedrivePolicy": policy})
    send(queue, "poison")
    assert [message.receive_count for message in drained(queue)] == [1, 2]
    letters = queue.dead_letters()
    assert letters is not None
    assert letters.name == dead.name
    assert [message.body for message in letters.receive(wait_seconds=0)] == ["poison"]
    assert letters.dead_letters() is None


def test_dead_letters_are_unknown_where_the_policy_may_not_be_read() -> None:
    with answering(403, {"__type": "com.amazonaws.sqs#AccessDenied", "message": "no"}) as url:
        assert SqsQueue(url, None, CREDENTIALS).dead_letters() is None


@pytest.mark.parametrize("attributes", [{}, {"Attributes": {"RedrivePolicy": ""}}, {"Attributes": {}}])
def test_no_policy_means_no_dead_letters(attributes: dict[str, object]) -> None:
    with answering(200, attributes) as url:
        assert SqsQueue(url, None, CREDENTIALS).dead_letters() is None


@pytest.mark.parametrize(
    "body",
    [
        "x" * 262_144,
        '{"locale": "ÄÖ 日本 😀 \ufeff\u2028"}',
        "\t\r\n  tabs and lines\n",
        "\x01\x1b\x7f\u0085",
        "\ud7ff\ue000\ufffd",
    ],
    ids=["256-KiB", "unicode", "white-space", "control", "edges-of-planes"],
)
def test_every_body_comes_as_it_was_sent(queue: SqsQueue, send: Send, body: str) -> None:
    send(queue, body)
    assert [message.body for message in queue.receive(wait_seconds=0)] == [body]


def test_a_fifo_queue_keeps_the_order_in_a_group(make: Make, send: Send) -> None:
    queue = make(".fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for body in "abc":
        send(queue, body, MessageGroupId="group", MessageDeduplicationId=body)
    received = queue.receive(wait_seconds=0)
    assert [message.body for message in received] == ["a", "b", "c"]
    queue.extend([message.receipt for message in received], 60)
    assert queue.delete([message.receipt for message in received]) == []
    assert queue.name.endswith(".fifo")


def test_many_threads_may_use_one_queue(queue: SqsQueue, send: Send) -> None:
    send(queue, *map(str, range(40)))
    with ThreadPoolExecutor(16) as pool:
        batches = list(pool.map(lambda _: queue.receive(wait_seconds=0), range(16)))
    assert {message.body for batch in batches for message in batch} == set(map(str, range(40)))


def test_a_message_shows_neither_body_nor_receipt() -> None:
    message = Message("id", "secret body", "1", 1, "secret receipt")
    assert repr(message) == "Message(message_id='id', sent='1', receive_count=1)"


def test_a_queue_shows_no_credentials_not_even_those_of_its_url() -> None:
    queue = SqsQueue("http://user:secret@127.0.0.1:9/1/logins", None, CREDENTIALS)
    assert repr(queue) == "SqsQueue('logins' at '127.0.0.1:9')"
    assert "secret" not in queue._url


def test_a_queue_that_does_not_exist_is_refused(sqs_endpoint: str) -> None:
    with pytest.raises(QueueRefused, match="no-such at 127.0.0.1:.* refused receive_message") as refused:
        SqsQueue(f"{sqs_endpoint}/123456789012/no-such", None, CREDENTIALS).receive(wait_seconds=0)
    assert isinstance(refused.value, PermanentError)
    assert_tells_nothing(refused.value)


def test_a_url_without_a_queue_is_refused() -> None:
    with pytest.raises(QueueRefused, match="names no queue") as refused:
        SqsQueue("http://127.0.0.1:9324/", None, CREDENTIALS)
    assert_tells_nothing(refused.value)


def test_a_server_that_is_gone_is_unavailable() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with pytest.raises(QueueUnavailable, match=rf"logins at 127.0.0.1:{port} .*EndpointConnectionError") as gone:
        SqsQueue(f"http://127.0.0.1:{port}/1/logins", None, CREDENTIALS).delete(["receipt"])
    assert isinstance(gone.value, TransientError)
    assert_tells_nothing(gone.value)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "AccessDenied"),
        (403, "SignatureDoesNotMatch"),
        (403, "ExpiredToken"),
        (400, "InvalidClientTokenId"),
        (400, "ReceiptHandleIsInvalid"),
    ],
)
def test_what_another_try_cannot_mend_is_refused(status: int, code: str) -> None:
    answer = {"__type": f"com.amazonaws.sqs#{code}", "message": "secret receipt of key-of-the-test"}
    with answering(status, answer) as url, pytest.raises(QueueRefused, match=code) as refused:
        SqsQueue(url, None, CREDENTIALS).delete(["receipt"])
    assert_tells_nothing(refused.value)


@pytest.mark.parametrize(
    ("status", "content", "told"),
    [
        (400, {"__type": "com.amazonaws.sqs#ThrottlingException", "message": "secret"}, "ThrottlingException"),
        (400, {"__type": "com.amazonaws.sqs#OverLimit", "message": "secret"}, "OverLimit"),
        (500, {"__type": "com.amazonaws.sqs#InternalFailure", "message": "secret"}, "InternalFailure"),
        (503, "<html>secret</html>", "HTTP status 503"),
    ],
)
def test_what_another_try_may_mend_is_unavailable(status: int, content: object, told: str) -> None:
    with answering(status, content) as url, pytest.raises(QueueUnavailable, match=told) as unavailable:
        SqsQueue(url, None, CREDENTIALS).receive(wait_seconds=0)
    assert_tells_nothing(unavailable.value)


def test_a_code_that_is_none_is_not_repeated() -> None:
    with answering(403, {"__type": "secret receipt\nof somebody"}) as url, pytest.raises(QueueRefused) as refused:
        SqsQueue(url, None, CREDENTIALS).receive(wait_seconds=0)
    assert "HTTP status 403" in str(refused.value)
    assert_tells_nothing(refused.value)


def test_a_server_that_speaks_something_else_is_refused() -> None:
    with answering(200, "<html>Welcome</html>", "text/html") as url, pytest.raises(QueueRefused) as refused:
        SqsQueue(url, None, CREDENTIALS).depth()
    assert "does not tell its ApproximateNumberOfMessages" in str(refused.value)
    assert_tells_nothing(refused.value)


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "REGION", "DEFAULT_REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("SHARED_CREDENTIALS_FILE", "CONFIG_FILE"):
        monkeypatch.setenv(f"AWS_{name}", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.usefixtures("no_credentials")
def test_without_credentials_the_way_out_is_named(sqs_endpoint: str) -> None:
    with pytest.raises(QueueRefused, match="NoCredentialsError.* AWS's own variables") as refused:
        SqsQueue(f"{sqs_endpoint}/123456789012/logins").depth()
    assert_tells_nothing(refused.value)


@pytest.mark.usefixtures("no_credentials")
def test_an_impossible_configuration_of_aws_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(QueueRefused, match="ProfileNotFound") as refused:
        SqsQueue("http://127.0.0.1:9/1/logins")
    assert_tells_nothing(refused.value)


@pytest.mark.usefixtures("no_credentials")
@pytest.mark.parametrize(
    ("url", "endpoint", "region", "expected"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/1/q", None, "eu-west-1", "https://sqs.eu-west-1.amazonaws.com"),
        ("https://eu-west-1.queue.amazonaws.com/1/q", None, "eu-west-1", "https://sqs.eu-west-1.amazonaws.com"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/1/q", None, "cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn"),
        (
            "https://vpce-1.sqs.us-gov-west-1.vpce.amazonaws.com/1/q",
            None,
            "us-gov-west-1",
            "https://vpce-1.sqs.us-gov-west-1.vpce.amazonaws.com",
        ),
        ("http://localhost:9324/1/q", None, "us-east-1", "http://localhost:9324"),
        ("https://sqs.eu-west-1.amazonaws.com/1/q", "http://localhost:4566", "eu-west-1", "http://localhost:4566"),
    ],
)
def test_region_and_server_follow_from_the_url(url: str, endpoint: str | None, region: str, expected: str) -> None:
    client = SqsQueue(url, endpoint)._client
    assert (client.meta.region_name, client.meta.endpoint_url) == (region, expected)


@pytest.mark.usefixtures("no_credentials")
def test_elsewhere_the_region_is_that_of_awss_own_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    assert SqsQueue("http://localhost:9324/1/q")._client.meta.region_name == "ap-south-1"
    assert SqsQueue("http://localhost:9324/1/q", None, CREDENTIALS)._client.meta.region_name == "us-east-1"
