"""Drains a queue: receive, seal and keep as evidence, settle in one transaction, and only then delete from the queue.

After a crash anywhere the next drain comes to the same end: what was noted and kept is settled, the rest is still the
queue's and comes again. An infrastructure fault deletes nothing and rejects nothing.
What does not belong here: what a message says (the products), and how the books are written (`messages.py`).
"""

import json
import queue as waiting
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Self

import polars as pl

from data_platform.ahead import read_ahead
from data_platform.contracts.contract import NO_TEXT
from data_platform.errors import PlatformError, TransientError
from data_platform.lake import evidence
from data_platform.lake.store import Store
from data_platform.privacy.keyring import KeyRing
from data_platform.privacy.sealing import seal, unseal
from data_platform.privacy.tokens import fingerprints
from data_platform.publish import messages as ledger
from data_platform.publish.messages import Batch, Settling
from data_platform.queues.batches import Line, Received, decode, encode, encoded
from data_platform.queues.sqs import Message, Queue
from data_platform.warehouse.connection import Warehouse

_POLL_SECONDS = 0.2
_NUM_DELETERS = 4
_CALLED = "a batch of messages"


class DrainIsOn(TransientError):
    """Another run drains the queue."""


@dataclass(frozen=True)
class Judgement:
    """What some messages say: see `Settling` for the columns; `byte_from` and `byte_to` are added here."""

    messages: pl.DataFrame
    rows: Mapping[str, pl.DataFrame]
    rule_version: str


Judge = Callable[[Sequence[Received]], Judgement]
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Limits:
    """How much one drain does.

    Attributes:
        messages: Stops receiving at so many; a few that are under way come on top.
        seconds: Stops receiving then.
        batch_messages: Messages that are settled together, at most.
        batch_bytes: Likewise the size of their bodies.
        linger_seconds: How long a batch waits for more before it is settled as it is.
        wait_seconds: How long an empty queue is asked for messages (long polling).
        num_receivers: Threads that receive.
    """

    messages: int = 200_000
    seconds: float = 240.0
    batch_messages: int = 10_000
    batch_bytes: int = 32 * 2**20
    linger_seconds: float = 1.0
    wait_seconds: int = 1
    num_receivers: int = 4


@dataclass
class Drained:
    """What a drain came to: messages by outcome, those of earlier batches that it settled, and deletes that failed."""

    counts: dict[str, int] = field(default_factory=dict[str, int])
    num_batches: int = 0
    num_resumed: int = 0
    num_not_deleted: int = 0

    def add(self, counts: Mapping[str, int]) -> None:
        """Adds what a batch came to."""
        self.num_batches += 1
        for name, number in counts.items():
            self.counts[name] = self.counts.get(name, 0) + number


@dataclass(frozen=True)
class Office:
    """Where messages are kept and booked.

    Attributes:
        ring: Seals them, and makes their fingerprints.
        judge: Says what they are.
        run_id: Who works.
    """

    warehouse: Warehouse
    lake: Store
    ring: KeyRing
    judge: Judge
    run_id: str

    def drain(self, queues: Iterable[Queue], limits: Limits) -> Drained:
        """Settles what a crash left, then drains each queue until it is empty or the limits are reached.

        Raises:
            DrainIsOn: Another run is at it.
            TransientError: Queue, lake or warehouse went away; whatever was not settled comes again.
        """
        drained = Drained()
        with self._alone() as clock:
            for batch in ledger.unsettled(self.warehouse):
                if counts := self._resume(batch):
                    drained.add(counts)
                    drained.num_resumed += batch.num_messages
            for queue in queues:
                self._drain(queue, limits, drained, clock)
        return drained

    def put_aside(self, queue_name: str, received: Sequence[Received]) -> None:
        """Keeps messages as a batch that the next drain settles."""
        sealed = seal(encode(received), self.ring)
        evidence_id, num_bytes = evidence.fingerprint([sealed])
        # Kept before it is noted: no queue has these messages, and a drain that is on forgets a note without evidence.
        evidence.keep(self.lake, evidence_id, [sealed], num_bytes=num_bytes, called=_CALLED)
        ledger.begin(self.warehouse, evidence_id, queue_name, len(received), self.run_id)

    def derived(self, evidence_id: str) -> Settling:
        """What the messages of a batch say by the present rules, out of the evidence.

        Raises:
            EvidenceDamaged: It is not what was kept.
            KeyMissing: The ring lacks the key that it is sealed by.
        """
        lines = opened(self.lake, self.ring, evidence_id)
        return self._judged(Batch(0, evidence_id, len(lines)), 0, lines)

    def _drain(self, queue: Queue, limits: Limits, drained: Drained, clock: Clock) -> None:
        with (
            _Hand(queue) as hand,
            _Intake(queue, limits) as intake,
            ThreadPoolExecutor(_NUM_DELETERS, "delete") as pool,
        ):
            deleting: deque[Future[int]] = deque()
            prepared = (self._prepared(received, clock()) for received in intake.batches(hand))
            with closing(read_ahead(prepared, at_most=1)) as ahead, intake.until_done():
                for receipts, sealed, settling in ahead:
                    drained.add(self._kept_and_settled(queue.name, sealed, settling))
                    deleting.append(pool.submit(_delete, queue, hand, receipts))
                    while len(deleting) > _NUM_DELETERS:
                        drained.num_not_deleted += deleting.popleft().result()
            drained.num_not_deleted += sum(done.result() for done in deleting)

    def _prepared(self, received: Sequence[Message], now: datetime) -> tuple[list[str], bytes, Settling]:
        """What can be done about messages before the books are asked: they are sealed, and judged."""
        content, lines = encoded([Received(m.message_id, m.body, m.sent, m.receive_count, now) for m in received])
        sealed = seal(content, self.ring)
        evidence_id, num_bytes = evidence.fingerprint([sealed])
        settling = self._judged(Batch(0, evidence_id, len(received)), num_bytes, lines)
        return [message.receipt for message in received], sealed, settling

    def _kept_and_settled(self, queue_name: str, sealed: bytes, settling: Settling) -> dict[str, int]:
        noted = settling.batch
        batch = ledger.begin(self.warehouse, noted.evidence_id, queue_name, noted.num_messages, self.run_id)
        evidence.keep(self.lake, batch.evidence_id, [sealed], num_bytes=settling.num_bytes, called=_CALLED)
        return ledger.settle(self.warehouse, replace(settling, batch=batch))

    def _resume(self, batch: Batch) -> dict[str, int]:
        """Settles a batch that a crash left, or forgets it where its evidence was never kept."""
        key = evidence.key_of(batch.evidence_id)
        if self.lake.size(key) is None:
            ledger.forget(self.warehouse, batch)
            return {}
        sealed = b"".join(evidence.read(self.lake, batch.evidence_id))
        # What was killed before its fsync could still vanish with the power, when the queue has deleted the messages.
        self.lake.create(key, sealed, replace=True)
        return ledger.settle(self.warehouse, self._judged(batch, len(sealed), decode(unseal(sealed, self.ring))))

    def _judged(self, batch: Batch, num_bytes: int, lines: Sequence[Line]) -> Settling:
        received = [line.message for line in lines]
        judgement = self.judge(received)
        messages = judgement.messages.with_columns(
            message_id=pl.Series([_plain(message.message_id) for message in received], dtype=pl.String),
            fingerprint=fingerprints(
                pl.Series([_plain(message.body) for message in received]), self.ring.token_key
            ).str.decode("hex"),
            byte_from=pl.Series([line.byte_from for line in lines], dtype=pl.Int64),
            byte_to=pl.Series([line.byte_to for line in lines], dtype=pl.Int64),
        )
        rows = {
            table: of_table.with_columns(evidence_id=pl.lit(batch.evidence_id))
            for table, of_table in judgement.rows.items()
        }
        return Settling(batch, num_bytes, messages, rows, judgement.rule_version)

    @contextmanager
    def _alone(self) -> Iterator[Clock]:
        with self.warehouse.transaction() as lock:
            got, now = lock.query(
                "SELECT pg_try_advisory_xact_lock(hashtext('ops.message_batches')), clock_timestamp()"
            ).row(0)
            if not got:
                raise DrainIsOn("Another run drains the queue; nothing was received, it will be drained all the same.")
            yield _clock_from(now)


def opened(lake: Store, ring: KeyRing, evidence_id: str) -> list[Line]:
    """The messages of a sealed batch.

    Raises:
        EvidenceDamaged: It is not what was kept.
        KeyMissing: The ring lacks the key that it is sealed by.
    """
    return decode(unseal(b"".join(evidence.read(lake, evidence_id)), ring))


def _clock_from(now: datetime) -> Clock:
    """The warehouse's clock: by one of this machine that is wrong, good messages would count as sent in the future."""
    begun = time.monotonic()
    return lambda: (now + timedelta(seconds=time.monotonic() - begun)).astimezone(UTC)


def _plain(text: str) -> str:
    """A text as Polars and Postgres can hold it: what has half a UTF-16 pair, or a zero, is spelt out."""
    if NO_TEXT.search(text):
        return json.dumps(text)
    return text


def _delete(queue: Queue, hand: "_Hand", receipts: list[str]) -> int:
    """Deletes messages that are settled; those that the queue keeps come again, and are then duplicates."""
    try:
        return len(queue.delete(receipts))
    finally:
        hand.drop(receipts)


class _Hand:
    """The messages that were received and not yet deleted: the queue hides them for as long as they are in hand."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._seconds = max(queue.visibility_seconds, 1)
        self._until_due = self._seconds / 3
        self._due: dict[str, float] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="visibility", daemon=True)

    def take(self, receipts: Iterable[str]) -> None:
        """Notes messages that were just received."""
        due = time.monotonic() + self._until_due
        with self._lock:
            self._due.update((receipt, due) for receipt in receipts)

    def drop(self, receipts: Iterable[str]) -> None:
        """Forgets messages that were deleted."""
        with self._lock:
            for receipt in receipts:
                self._due.pop(receipt, None)

    def _keep(self) -> None:
        while not self._over.wait(min(self._until_due / 4, 5)):
            now = time.monotonic()
            with self._lock:
                due = [receipt for receipt, at in self._due.items() if at <= now]
            # What cannot be extended comes again and is then a duplicate: slower, never wrong.
            with suppress(PlatformError):
                self._queue.extend(due, self._seconds)
            self.take(receipt for receipt in due if receipt in self._due)

    def __enter__(self) -> Self:
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._keeper.join()


class _Intake:
    """Threads that receive from a queue until it is empty, a limit is reached, or somebody says stop."""

    def __init__(self, queue: Queue, limits: Limits) -> None:
        self._queue = queue
        self._limits = limits
        self._ends_at = time.monotonic() + limits.seconds
        self._num_received = 0
        self._stop = threading.Event()
        self._found: waiting.Queue[list[Message] | None] = waiting.Queue(limits.num_receivers * 8)
        self._pool = ThreadPoolExecutor(limits.num_receivers, "receive")
        self._receivers: list[Future[None]] = []

    def batches(self, hand: _Hand) -> Iterator[list[Message]]:
        """What is received, put together to batches that are settled together."""
        limits, batch, num_bytes = self._limits, list[Message](), 0
        due, num_open = float("inf"), len(self._receivers)
        while num_open:
            try:
                found = self._found.get(timeout=max(min(due - time.monotonic(), _POLL_SECONDS), 0.001))
            except waiting.Empty:
                found = []
            if found is None:
                num_open -= 1
            elif found:
                due = min(due, time.monotonic() + limits.linger_seconds)
                hand.take(message.receipt for message in found)
                batch += found
                num_bytes += sum(len(message.body) for message in found)
            is_full = len(batch) >= limits.batch_messages or num_bytes >= limits.batch_bytes
            if batch and (is_full or time.monotonic() >= due or not num_open):
                yield batch
                batch, num_bytes, due = [], 0, float("inf")
        for receiver in self._receivers:  # one that failed: what had been received by then is settled all the same
            receiver.result()

    def _receive(self) -> None:
        try:
            while not self._is_over() and (found := self._queue.receive(wait_seconds=self._limits.wait_seconds)):
                self._num_received += len(found)
                self._put(found)
        finally:
            self._put(None)

    def _is_over(self) -> bool:
        is_enough = self._num_received >= self._limits.messages or time.monotonic() >= self._ends_at
        return is_enough or self._stop.is_set()

    def _put(self, found: list[Message] | None) -> None:
        while True:
            try:
                self._found.put(found, timeout=_POLL_SECONDS)
            except waiting.Full:
                if self._stop.is_set():  # nobody reads any more
                    return
            else:
                return

    @contextmanager
    def until_done(self) -> Iterator[None]:
        """Lets the threads end with the work on what they receive, also where that has failed."""
        try:
            yield
        finally:
            self._stop.set()

    def __enter__(self) -> Self:
        self._receivers += [self._pool.submit(self._receive) for _ in range(self._limits.num_receivers)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown()
