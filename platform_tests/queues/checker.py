"""Whether messages were lost or counted twice: the verdict of somebody who has files, keys and SQL, and no code.

What was sent is compared with what the books say, the rows, the rejects and the opened evidence. Nothing here uses the
platform's own code. A look is good at any moment; what is asked of it in the end only holds when nothing is under way.
"""

import base64
import json
import struct
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from platform_tests.queues.bags import BAD_TIME
from platform_tests.queues.file_queue import FileQueue, Sent

_FIRST_DAY = date(2020, 1, 1)
_CLOCKS_DIFFER = timedelta(hours=1)
_DECIDES = {"stored", "rejected"}
_EVENT_TABLES = {"logins.user_logins": "logged_in_at", "logins.user_logouts": "logged_out_at"}
_QUERIES = {
    "batches": "SELECT * FROM ops.message_batches ORDER BY batch_id",
    "ledger": "SELECT * FROM ops.message_ledger ORDER BY batch_id, position",
    "account": "SELECT * FROM ops.message_account",
    "appended": "SELECT table_name, day, num_records FROM ops.appended_days WHERE num_records <> 0",
    "rejects": "SELECT * FROM ops.rejects",
    "evidence": "SELECT evidence_id, num_bytes FROM ops.evidence WHERE kind = 'messages'",
    "rows": " UNION ALL ".join(
        f"SELECT '{table}' AS table_name, create_date AS day, evidence_id, position, user_id, {sent} AS sent_at"
        f" FROM {table}"
        for table, sent in _EVENT_TABLES.items()
    ),
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """A message as the evidence of its batch has it."""

    message_id: str
    body: str
    sent: str | None
    received_at: datetime
    span: tuple[int, int]


@dataclass(frozen=True)
class Booked:
    """A line of the ledger with the message that it is about."""

    entry: Row
    line: Line
    evidence_id: str

    @property
    def place(self) -> tuple[str, int]:
        return self.evidence_id, self.entry["position"]


@dataclass
class Checker:
    """Looks at everything from outside.

    Attributes:
        lake: Folder of the lake.
        ring: File of the key ring.
        zone: Decides the day.
        reasons: For each body that was sent why it is to be rejected, or None.
        since: Nothing was received before.
    """

    url: str
    lake: Path
    ring: Path
    queue: FileQueue
    zone: str
    reasons: Mapping[str, str | None]
    since: datetime = field(default_factory=lambda: datetime.now(UTC) - _CLOCKS_DIFFER)
    _opened: dict[str, list[Line]] = field(default_factory=dict[str, list[Line]])

    def faults(self, *, at_rest: bool = False) -> list[str]:
        """What is wrong, in words; `at_rest` when all that was sent should have been drained."""
        sent = self.queue.truth()  # first: what is gone by now is in any later state of the books
        books = self._books()
        return [*self._faults(sent, books), *(self._unfinished(sent, books) if at_rest else [])]

    def events(self) -> Counter[tuple[object, ...]]:
        """The rows of all days without the place that they came from: what analysts count."""
        return Counter((row["table_name"], row["day"], row["user_id"], row["sent_at"]) for row in self._books()["rows"])

    def _books(self) -> dict[str, list[Row]]:
        with closing(psycopg2.connect(self.url)) as connection:
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            found = dict[str, list[Row]]()
            for name, query in _QUERIES.items():
                cursor = connection.cursor()
                cursor.execute(query)
                names = [column.name for column in cursor.description or ()]
                found[name] = [dict(zip(names, row, strict=True)) for row in cursor]
            return found

    def _faults(self, sent: Sequence[Sent], books: Mapping[str, list[Row]]) -> Iterator[str]:
        yield from _account(books)
        lines, missing = self._lines(books)
        yield from missing
        booked = [
            Booked(entry, lines[entry["batch_id"]][1][entry["position"] - 1], lines[entry["batch_id"]][0])
            for entry in books["ledger"]
            if entry["batch_id"] in lines and entry["position"] <= len(lines[entry["batch_id"]][1])
        ]
        yield from self._lost(sent, booked)
        yield from self._misread(sent, booked)
        yield from self._outcomes(booked)
        yield from self._rows(booked, books["rows"])
        yield from self._rejects(booked, books["rejects"])

    def _unfinished(self, sent: Sequence[Sent], books: Mapping[str, list[Row]]) -> Iterator[str]:
        for batch in books["batches"]:
            if batch["settled_at"] is None:
                yield f"batch {batch['batch_id']} is still in flight"
        if left := sum(not message.is_gone for message in sent):
            yield f"{left} messages are still in the queue"
        known = {entry["message_id"] for entry in books["ledger"]}
        for message in sent:
            if message.message_id not in known:
                yield f"lost: {message.message_id} was sent and is in no book"

    def _lines(self, books: Mapping[str, list[Row]]) -> tuple[dict[int, tuple[str, list[Line]]], list[str]]:
        """The lines of each settled batch, out of its evidence, and what is wrong with that."""
        noted = {row["evidence_id"]: row["num_bytes"] for row in books["evidence"]}
        lines, wrong = dict[int, tuple[str, list[Line]]](), list[str]()
        for batch in books["batches"]:
            if batch["settled_at"] is None:
                continue
            name = batch["evidence_id"]
            path = self.lake / "evidence" / name[:2] / name
            if not path.exists() or noted.get(name) != path.stat().st_size:
                wrong.append(f"evidence {name} of settled batch {batch['batch_id']} is not there, or not noted")
                continue
            lines[batch["batch_id"]] = name, self._open(name, path)
            if len(lines[batch["batch_id"]][1]) != batch["num_messages"]:
                wrong.append(f"evidence {name} has other messages than its batch")
        return lines, wrong

    def _open(self, name: str, path: Path) -> list[Line]:
        if name not in self._opened:
            sealed = path.read_bytes()
            assert sha256(sealed).hexdigest() == name, f"evidence {name} is not what was kept"
            self._opened[name] = [*_lines_of(_unsealed(sealed, self.ring))]
        return self._opened[name]

    @staticmethod
    def _lost(sent: Sequence[Sent], booked: Sequence[Booked]) -> Iterator[str]:
        known = {(b.line.message_id, b.line.body) for b in booked}
        for message in sent:
            if message.is_gone and (message.message_id, message.body) not in known:
                yield f"lost: {message.message_id} was deleted from the queue and is in no book"

    def _misread(self, sent: Sequence[Sent], booked: Sequence[Booked]) -> Iterator[str]:
        """The books say of each message what was sent, and nothing that was not."""
        true = {(message.message_id, message.body, message.sent) for message in sent}
        bodies, fingerprints = dict[str, str](), dict[str, str]()
        for b in booked:
            told = b.entry
            if (b.line.message_id, b.line.body, b.line.sent) not in true or told["message_id"] != b.line.message_id:
                yield f"invented: {told['message_id']} at {b.place} was never sent so"
            if not self.since <= b.line.received_at <= datetime.now(UTC) + _CLOCKS_DIFFER:
                yield f"{b.place} says that it was received at {b.line.received_at}"
            sent_at = _instant(b.line.sent)
            if told["sent_at"] != sent_at or told["day"] != self._day(b.line):
                yield f"{b.place}, sent {b.line.sent}, is booked under {told['sent_at']} and {told['day']}"
            body, fingerprint = b.line.body, told["fingerprint"]
            if (
                bodies.setdefault(fingerprint, body) != body
                or fingerprints.setdefault(body, fingerprint) != fingerprint
            ):
                yield f"{b.place} does not have the fingerprint of its body"

    def _day(self, line: Line) -> date:
        at = _instant(line.sent) or line.received_at
        return max(at.astimezone(ZoneInfo(self.zone)).date(), _FIRST_DAY)

    def _outcomes(self, booked: Sequence[Booked]) -> Iterator[str]:
        by_body, by_id = defaultdict[tuple[str, str], list[Booked]](list), defaultdict[str, list[Booked]](list)
        deciding = Counter[tuple[str, datetime]]()
        for b in booked:
            by_body[b.line.message_id, b.line.body].append(b)
            by_id[b.line.message_id].append(b)
            sent_at = _instant(b.line.sent)
            if b.entry["outcome"] in _DECIDES and sent_at:
                deciding[b.line.body, sent_at] += 1
        for (body, sent_at), number in deciding.items():
            if number > 1:
                yield f"double: an event of {sent_at} counts {number} times: {body!r}"
        for (message_id, body), all_of in by_body.items():
            decided = [b for b in all_of if b.entry["outcome"] != "duplicate"]
            if len(decided) > 1:
                yield f"double: {message_id} has {len(decided)} outcomes for one body"
            sent_at = _instant(all_of[0].line.sent)
            if not decided and not (sent_at and deciding[body, sent_at]):
                yield f"lost: {message_id} is called a duplicate, and there is nothing that it repeats"
        yield from self._conflicts(by_id)
        for b in booked:
            reason, outcome = self._reason(b.line), b.entry["outcome"]
            if outcome in _DECIDES and (outcome == "rejected") != bool(reason):
                yield f"{b.place} is {outcome}, and its reason is {reason}"

    @staticmethod
    def _conflicts(by_id: Mapping[str, list[Booked]]) -> Iterator[str]:
        for message_id, all_of in by_id.items():
            bodies = {b.line.body for b in all_of}
            conflicts = {b.line.body for b in all_of if b.entry["outcome"] == "conflicting"}
            if len(bodies) != len(conflicts) + 1:
                yield f"{message_id} came with {len(bodies)} bodies, of which {len(conflicts)} conflict"

    def _reason(self, line: Line) -> str | None:
        return self.reasons[line.body] or (None if _instant(line.sent) else BAD_TIME)

    @staticmethod
    def _rows(booked: Sequence[Booked], rows: Sequence[Row]) -> Iterator[str]:
        places = Counter((row["evidence_id"], row["position"]) for row in rows)
        stored = {b.place: b for b in booked if b.entry["outcome"] == "stored"}
        for place, number in places.items():
            if number > 1:
                yield f"double: {number} rows of {place}"
            if place not in stored:
                yield f"double: the row of {place} is of no message that is stored"
        for place in stored.keys() - places.keys():
            yield f"lost: {place} is stored, and there is no row"
        for row in rows:
            of = stored.get((row["evidence_id"], row["position"]))
            if of and (row["table_name"], row["day"], row["sent_at"], row["user_id"]) != (
                of.entry["table_name"], of.entry["day"], of.entry["sent_at"], json.loads(of.line.body)["user_id"]
            ):  # fmt: skip
                yield f"the row of {of.place} is not what was sent"

    def _rejects(self, booked: Sequence[Booked], rejects: Sequence[Row]) -> Iterator[str]:
        expected = Counter(
            (*b.place, *b.line.span, b.entry["table_name"], b.entry["day"], self._reject_reason(b))
            for b in booked
            if b.entry["outcome"] in {"rejected", "conflicting"}
        )
        names = ("evidence_id", "record_no", "byte_from", "byte_to", "table_name", "day", "reason")
        found = Counter(tuple(reject[name] for name in names) for reject in rejects)
        for reject, number in (found - expected).items():
            yield f"double: {number} rejects too many: {reject}"
        for reject, number in (expected - found).items():
            yield f"lost: {number} rejects too few: {reject}"

    def _reject_reason(self, b: Booked) -> str | None:
        return "conflicting_id" if b.entry["outcome"] == "conflicting" else self._reason(b.line)


def _account(books: Mapping[str, list[Row]]) -> Iterator[str]:
    """The equation, and whether ledger, batches and days add up to one another."""
    outcomes = ("stored", "duplicate", "conflicting", "rejected")
    for row in books["account"]:
        if row["num_received"] != sum(row[f"num_{name}"] for name in (*outcomes, "in_flight")):
            yield f"the account does not add up: {row}"
    of_batch = Counter((entry["batch_id"], entry["outcome"]) for entry in books["ledger"])
    for batch in books["batches"]:
        found = {name: of_batch.pop((batch["batch_id"], name), 0) for name in outcomes}
        if found != {name: batch[f"num_{name}"] for name in outcomes}:
            yield f"batch {batch['batch_id']} does not say what its ledger says: {found}"
        if sum(found.values()) != (batch["num_messages"] if batch["settled_at"] else 0):
            yield f"batch {batch['batch_id']} has {batch['num_messages']} messages, of which the ledger has {found}"
    if of_batch:
        yield f"the ledger has lines of no batch: {of_batch}"
    days = Counter((entry["table_name"], entry["day"]) for entry in books["ledger"])
    if days != {(row["table_name"], row["day"]): row["num_records"] for row in books["appended"]}:
        yield f"appended days are {books['appended']}, the ledger has {days}"


def _unsealed(sealed: bytes, ring: Path) -> bytes:
    keys = {key["version"]: AESGCM(base64.b64decode(key["key"])) for key in json.loads(ring.read_text())["keys"]}
    start = sealed.index(b"\n") + 1
    version_length, wrapped_length = struct.unpack_from(">BH", sealed, start)
    version_end = start + 3 + version_length
    version, wrapped = sealed[start + 3 : version_end], sealed[version_end : version_end + wrapped_length]
    nonce_end = version_end + wrapped_length + 12
    data_key = keys[version.decode()].decrypt(wrapped[:12], wrapped[12:], version)
    return AESGCM(data_key).decrypt(sealed[nonce_end - 12 : nonce_end], sealed[nonce_end:], sealed[:nonce_end])


def _lines_of(content: bytes) -> Iterator[Line]:
    start = 0
    for text in content.decode().splitlines(keepends=True):
        facts = json.loads(text)
        received_at = datetime.fromisoformat(facts["received_at"])
        yield Line(facts["message_id"], facts["body"], facts["sent"], received_at, (start, start + len(text)))
        start += len(text)


def _instant(sent: str | None) -> datetime | None:
    if not sent or not sent.isdecimal() or len(sent) > 15:
        return None
    millis = int(sent) if int(sent) >= 100_000_000_000 else int(sent) * 1000
    if millis >= 4_102_444_800_000:  # the year 2100
        return None
    at = datetime.fromtimestamp(millis // 1000, UTC).replace(microsecond=millis % 1000 * 1000)
    return at if at.date() > _FIRST_DAY and at <= datetime.now(UTC) + _CLOCKS_DIFFER else None
