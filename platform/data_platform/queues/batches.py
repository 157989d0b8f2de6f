"""Batches of messages as bytes, in which they are kept: one line of JSON a message, in the order of receiving.

What does not belong here: the seal around them (`privacy/sealing.py`), and what a message says.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate


@dataclass(frozen=True)
class Received:
    """A message as it was received.

    Attributes:
        sent: Its SentTimestamp, as the queue gave it.
        receive_count: How often the queue had handed it out by then.
        received_at: When (UTC).
    """

    message_id: str
    body: str = field(repr=False)
    sent: str | None
    receive_count: int
    received_at: datetime


@dataclass(frozen=True)
class Line:
    """A message with the span of its line in the batch."""

    message: Received
    byte_from: int
    byte_to: int


def encode(messages: Sequence[Received]) -> bytes:
    """The bytes of a batch. Everything but ASCII is escaped, so that any text survives, also half a UTF-16 pair."""
    return "".join(map(_text, messages)).encode("ascii")


def encoded(messages: Sequence[Received]) -> tuple[bytes, list[Line]]:
    """The bytes of a batch, and what `decode` makes of them, at a third of the time."""
    texts = [_text(message) for message in messages]
    ends = list(accumulate(map(len, texts)))
    lines = [
        # Two halves of a UTF-16 pair come back as one character: what is not plain is read back.
        Line(message if _is_plain(message) else _message(text), end - len(text), end)
        for message, text, end in zip(messages, texts, ends, strict=True)
    ]
    return "".join(texts).encode("ascii"), lines


def decode(content: bytes) -> list[Line]:
    """The messages of a batch, in order."""
    texts = content.decode("ascii").splitlines(keepends=True)
    ends = accumulate(map(len, texts))
    return [Line(_message(text), end - len(text), end) for text, end in zip(texts, ends, strict=True)]


def _text(message: Received) -> str:
    # Put together by hand, of the parts that json.dumps escapes: a dictionary a message takes twice the time.
    return (
        f'{{"message_id": {json.dumps(message.message_id)}, "sent": {json.dumps(message.sent)},'
        f' "receive_count": {message.receive_count}, "received_at": "{message.received_at.isoformat()}",'
        f' "body": {json.dumps(message.body)}}}\n'
    )


def _message(text: str) -> Received:
    facts = json.loads(text)
    return Received(**facts | {"received_at": datetime.fromisoformat(facts["received_at"])})


def _is_plain(message: Received) -> bool:
    return message.body.isascii() and message.message_id.isascii() and (message.sent is None or message.sent.isascii())
