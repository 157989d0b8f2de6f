"""A queue in a file, shared by processes, with all that SQS allows itself; what was sent stays in it as the truth.

Time is a number that only a test moves on, so that no visibility has to be waited for. A process may be killed at any
moment: SQLite rolls back what it had begun.
"""

import json
import random
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from data_platform.queues.sqs import Depth, Message, QueueUnavailable

VISIBILITY = 30

BETWEEN_CALLS = threading.Lock()
"""Held in a call: a process that is stopped must not hold the file's lock, or nobody else gets on."""

_SCHEMA = """
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY, message_id TEXT, body TEXT, sent TEXT,
    visible_at INTEGER DEFAULT 0, num_received INTEGER DEFAULT 0, receipt TEXT, is_gone INTEGER DEFAULT 0
);
CREATE TABLE state (
    now INTEGER, num_calls INTEGER, seed INTEGER, visibility INTEGER,
    twice REAL, shy REAL, forgets REAL, refuses REAL, down REAL, mute REAL
);
"""


@dataclass(frozen=True)
class Temper:
    """How likely a call goes as SQS allows it to go, and nobody likes.

    Attributes:
        twice: A message that was handed out is not hidden.
        shy: There are messages, and none is handed out.
        forgets: A message is said to be deleted, and is not.
        refuses: A message is not deleted, and that is said.
        down: The queue does nothing, and does not answer.
        mute: The queue does what was asked, and its answer is lost.
    """

    twice: float = 0.0
    shy: float = 0.0
    forgets: float = 0.0
    refuses: float = 0.0
    down: float = 0.0
    mute: float = 0.0


CALM = Temper()


@dataclass(frozen=True)
class Sent:
    """A message that was sent, and whether the queue has it no more."""

    message_id: str
    body: str
    sent: str | None
    is_gone: bool


@dataclass(frozen=True)
class FileQueue:
    """See `Queue` for what a consumer may do with it; the rest is the test's."""

    path: Path
    name: str = "login-events"

    def make(self, seed: int, visibility: int = VISIBILITY) -> None:
        """An empty queue, whose whims follow from the seed and the order of calls."""
        self.path.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.path)) as file:
            file.executescript(_SCHEMA)
            file.execute("INSERT INTO state VALUES (0, 0, ?, ?, 0, 0, 0, 0, 0, 0)", (seed, visibility))
            file.commit()

    def send(self, message_id: str, body: str, sent: str | None) -> None:
        with self._alone() as file:
            told = (message_id, json.dumps(body), sent)
            file.execute("INSERT INTO messages (message_id, body, sent) VALUES (?, ?, ?)", told)

    def become(self, temper: Temper) -> None:
        """From now on calls go so."""
        with self._alone() as file:
            file.execute(
                f"UPDATE state SET {', '.join(f'{name} = :{name}' for name in asdict(temper))}", asdict(temper)
            )

    def pass_time(self, seconds: int = VISIBILITY + 1) -> None:
        """What is hidden is visible again."""
        with self._alone() as file:
            file.execute("UPDATE state SET now = now + ?", (seconds,))

    def bring_back(self, number: int, rng: random.Random) -> None:
        """Delivers some messages again that were deleted, however long ago."""
        with self._alone() as file:
            gone = [seq for (seq,) in file.execute("SELECT seq FROM messages WHERE is_gone")]
            for seq in rng.sample(gone, min(number, len(gone))):
                file.execute("UPDATE messages SET is_gone = 0, visible_at = 0 WHERE seq = ?", (seq,))

    def truth(self) -> list[Sent]:
        """All that was ever sent, in that order."""
        with self._alone() as file:
            found = file.execute("SELECT message_id, body, sent, is_gone FROM messages ORDER BY seq")
            return [Sent(name, json.loads(body), sent, bool(is_gone)) for name, body, sent, is_gone in found]

    @property
    def visibility_seconds(self) -> int:
        with self._alone() as file:
            return file.execute("SELECT visibility FROM state").fetchone()[0]

    def receive(self, *, wait_seconds: int) -> list[Message]:
        with self._called() as (file, rng, state):
            if rng.random() < state["shy"]:
                return []
            now = state["now"]
            found = file.execute(
                "SELECT seq, message_id, body, sent, num_received FROM messages WHERE NOT is_gone AND visible_at <= ?",
                (now,),
            ).fetchall()
            picked = rng.sample(found, min(len(found), rng.randint(1, 10)))
            messages = list[Message]()
            for seq, message_id, body, sent, num_received in picked:
                receipt = f"{seq}:{state['num_calls']}"
                hidden_until = now if rng.random() < state["twice"] else now + state["visibility"]
                file.execute(
                    "UPDATE messages SET visible_at = ?, num_received = num_received + 1, receipt = ? WHERE seq = ?",
                    (hidden_until, receipt, seq),
                )
                messages.append(Message(message_id, json.loads(body), sent, num_received + 1, receipt))
            return messages

    def delete(self, receipts: Sequence[str]) -> list[str]:
        with self._called() as (file, rng, state):
            left = list[str]()
            for receipt in receipts:
                [last] = file.execute("SELECT receipt FROM messages WHERE seq = ?", (_seq(receipt),)).fetchone()
                whim = rng.random()
                # With a receipt that is not the last one, SQS may say that it deleted and not do it.
                if last != receipt or whim < state["forgets"] + state["refuses"]:
                    left += [receipt] if whim < state["refuses"] else []
                else:
                    file.execute("UPDATE messages SET is_gone = 1 WHERE seq = ?", (_seq(receipt),))
            return left

    def extend(self, receipts: Sequence[str], seconds: int) -> None:
        with self._called() as (file, _, state):
            for receipt in receipts:
                file.execute(
                    "UPDATE messages SET visible_at = ? WHERE seq = ? AND receipt = ?",
                    (state["now"] + seconds, _seq(receipt), receipt),
                )

    def depth(self) -> Depth:
        with self._alone() as file:
            counts = "SELECT count(*) FILTER (WHERE visible_at <= now), count(*) FILTER (WHERE visible_at > now)"
            waiting, in_flight = file.execute(f"{counts} FROM messages, state WHERE NOT is_gone").fetchone()
        return Depth(waiting, in_flight, 0)

    @contextmanager
    def _called(self) -> Iterator[tuple[sqlite3.Connection, random.Random, sqlite3.Row]]:
        with self._alone() as file:
            file.execute("UPDATE state SET num_calls = num_calls + 1")
            state = file.execute("SELECT * FROM state").fetchone()
            rng = random.Random(state["seed"] * 1_000_003 + state["num_calls"])
            whim = rng.random()
            if whim < state["down"]:
                raise _unavailable()
            yield file, rng, state
        if whim < state["down"] + state["mute"]:
            raise _unavailable()

    @contextmanager
    def _alone(self) -> Iterator[sqlite3.Connection]:
        with BETWEEN_CALLS, closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as file:
            file.row_factory = sqlite3.Row
            file.execute("PRAGMA synchronous = OFF")
            file.execute("BEGIN IMMEDIATE")
            yield file
            file.execute("COMMIT")


def _seq(receipt: str) -> int:
    return int(receipt.partition(":")[0])


def _unavailable() -> QueueUnavailable:
    return QueueUnavailable("The queue of the test does not answer; nothing is the matter.")
