"""What a token or a seal hides, for those who may see it: booked before it is shown."""

import json
import os
import pwd
import re
from collections.abc import Iterator
from dataclasses import dataclass

from data_platform import settings as settings_module
from data_platform.console.terminal import shown
from data_platform.errors import PermanentError
from data_platform.logins import event_types
from data_platform.logins.event_types import EventType
from data_platform.publish.draining import opened
from data_platform.publish.messages import note_reveal
from data_platform.stack import Stack, open_stack

_TOKEN = re.compile(r"t[0-9]+_[0-9a-f]{64}")
_PLACE = re.compile(r"([0-9a-f]{4,64}):([1-9][0-9]{0,9})")
_SHORTEST_REASON = 10


@dataclass(frozen=True)
class _Place:
    """Where a message lies, and the field that is asked for; none for all of it."""

    evidence_id: str
    position: int
    field: str | None = None


def reveal(subject: str, *, reason: str) -> int:
    """Shows the value that a token stands for, or the body of a message.

    Args:
        subject: A token, or a message as `rejects list` and the tables name it: evidence and position.
        reason: Why; it is booked.

    Returns:
        The exit code.

    Raises:
        PermanentError: The subject is of neither form or is not there, or the reason is too short.
        KeyMissing: The ring lacks the key; the try is booked all the same.
    """
    wanted = subject.strip().lower()
    if len(reason.strip()) < _SHORTEST_REASON:
        raise PermanentError(f"A reason of at least {_SHORTEST_REASON} characters is booked with each look; give one.")
    if not (_TOKEN.fullmatch(wanted) or _PLACE.fullmatch(wanted)):
        raise PermanentError(
            "That is neither a token (t1_ and 64 digits) nor a message (evidence and position, such as"
            " 1a2b3c4d5e6f:12); take one from a table or from `data-platform rejects list`."
        )
    stack = open_stack(settings_module.load())
    place = _of_token(stack, wanted) if _TOKEN.fullmatch(wanted) else _of_place(stack, wanted)
    note_reveal(stack.warehouse, _who(), shown(reason.strip()), wanted, int(place is not None))
    if place is None:
        raise PermanentError("No message of that name or token is in the ledger; the look was booked all the same.")
    line = opened(stack.lake, stack.key_ring, place.evidence_id)[place.position - 1]
    print(shown(_value(line.message.body, place.field) if place.field else line.message.body))
    return 0


def _value(body: str, field: str) -> str:
    fields = json.loads(body)
    if field not in fields:
        raise PermanentError(
            f"The message has no field {field}, since event_types.yaml was edited after its row was made; reveal the"
            " message by its place, or derive its day again."
        )
    return fields[field]


def _of_token(stack: Stack, token: str) -> _Place | None:
    """Any message with the token: all of them have the same value."""
    for type_ in event_types.load().by_name.values():
        for column, field in type_.entry.masked.items():
            for evidence_id, position in _found(stack, type_, column, token):
                return _Place(evidence_id, position, field)
    return None


def _found(stack: Stack, type_: EventType, column: str, token: str) -> Iterator[tuple[str, int]]:
    contract = type_.contract
    with stack.warehouse.transaction() as transaction:
        statement = transaction.quoted(
            "SELECT evidence_id, position FROM %I.%I WHERE %I = $1 LIMIT 1", contract.schema, contract.name, column
        )
        found = transaction.query(statement, token)
    yield from found.iter_rows()


def _of_place(stack: Stack, place: str) -> _Place | None:
    digits, _, position = place.partition(":")
    with stack.warehouse.transaction() as transaction:
        found = transaction.query(
            "SELECT evidence_id FROM ops.message_batches WHERE starts_with(evidence_id, $1) AND num_messages >= $2",
            digits, int(position),
        )  # fmt: skip
    if found.height > 1:
        raise PermanentError(f"{digits} is the beginning of more than one piece of evidence; give more digits of it.")
    return _Place(found.item(), int(position)) if found.height else None


def _who() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # an account without a name, as in a container
        return f"uid {os.getuid()}"
