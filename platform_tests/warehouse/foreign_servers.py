"""A database of somebody else, in Postgres and in MySQL, and what its administrator does there."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl
import pytest
from pydantic import SecretStr

from data_platform.warehouse import streams
from data_platform.warehouse.foreign import ForeignDatabase, ForeignRefused, ForeignUnavailable
from platform_tests.mysql_server import PASSWORD

PATIENCE = 60.0
SETTING = "LESSONS_DATABASE_URL"
TYPES = pl.Schema({"id": pl.Int64(), "word": pl.String()})
WORDS = "SELECT id, word FROM words ORDER BY id"
# Rows of a hundred characters in any order, enough of them for several batches: each of 512 words beside each.
SIDE = 2**9
MANY_WORDS = f"SELECT (a.id - 1) * {SIDE} + b.id AS id, {{}} AS word FROM words a, words b"
# Whichever table is the outer one, this row comes long after the first batch.
IN_THE_MIDDLE = "CASE WHEN a.id = 400 AND b.id = 400 THEN {} ELSE a.word END"


@dataclass(frozen=True)
class Foreign:
    """A database of somebody else, and what its administrator does there.

    Attributes:
        url: For a user who may only read.
        user: That user, as GRANT names it.
        run: Runs a statement as the administrator, always on one connection.
        sessions: A query for the user's connections.
        at_work: Those of them that do something.
    """

    kind: Literal["postgres", "mysql"]
    url: str
    user: str
    run: Callable[..., list[tuple[Any, ...]]]
    sessions: str
    at_work: str

    def begin(self, query: str = WORDS, *, url: str = "") -> AbstractContextManager[streams.Stream]:
        return streams.begin(ForeignDatabase(SecretStr(url or self.url), SETTING), query, called="q.sql")

    def read(self, query: str = WORDS, types: pl.Schema = TYPES, *, url: str = "") -> list[tuple[Any, ...]]:
        with self.begin(query, url=url) as stream:
            return [row for frame in stream.frames(types) for row in frame.rows()]

    def keep_words(self, *words: str) -> None:
        self.run("CREATE TABLE words (id INT NOT NULL PRIMARY KEY, word VARCHAR(200) NOT NULL)")
        for at, word in enumerate(words, start=1):
            self.run("INSERT INTO words VALUES (%s, %s)", at, word)

    def keep_many_words(self) -> None:
        self.keep_words("word".ljust(100, "."))
        for half in range(SIDE.bit_length() - 1):
            self.run(f"INSERT INTO words SELECT id + {2**half}, word FROM words")

    def closed_gate(self) -> str:
        """An expression that waits, in whatever statement, for as long as the administrator has not opened it."""
        if self.kind == "mysql":
            name = f"gate of {self.user}".replace("'", "")
            self.run("SELECT GET_LOCK(%s, 0)", name)
            return f"CAST(GET_LOCK('{name}', 600) AS CHAR)"
        self.run("SELECT pg_advisory_lock(1)")
        return "pg_advisory_lock(1)::text"

    def kill_readers(self) -> None:
        kill = "KILL {}" if self.kind == "mysql" else "SELECT pg_terminate_backend({})"
        for (session,) in self.run(self.at_work):
            self.run(kill.format(session))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def sentence(error: BaseException) -> str:
    message = str(error)
    assert "\n" not in message
    assert PASSWORD not in message + repr(error)
    return message


def refusal(foreign: Foreign, query: str = WORDS, types: pl.Schema = TYPES, *, url: str = "") -> str:
    with pytest.raises(ForeignRefused) as caught:
        foreign.read(query, types, url=url)
    return sentence(caught.value)


def breakdown(foreign: Foreign, query: str = WORDS, types: pl.Schema = TYPES, *, url: str = "") -> str:
    with pytest.raises(ForeignUnavailable) as caught:
        foreign.read(query, types, url=url)
    return sentence(caught.value)
