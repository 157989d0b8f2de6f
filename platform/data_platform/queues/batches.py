"""Batches of messages as bytes, in which they are kept: one line of JSON a message, in the order of receiving.

What does not belong here: the seal around them (`privacy/sealing.py`), and what a message says.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime


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
    lines = [
        json.dumps({
            "message_id": message.message_id,
            "sent": message.sent,
            "receive_count": message.receive_count,
            "received_at": message.received_at.isoformat(),
            "body": message.body,
        })
        for message in messages
    ]  # fmt: skip
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def decode(content: bytes) -> list[Line]:
    """The messages of a batch, in order."""
    lines: list[Line] = []
    start = 0
    for text in content.splitlines(keepends=True):
        facts = json.loads(text)
        message = Received(**facts | {"received_at": datetime.fromisoformat(facts["received_at"])})
        lines.append(Line(message, start, start + len(text)))
        start += len(text)
    return lines
