"""Streams out of a Postgres and a MySQL of somebody else: one instant, every row or an error, nothing left behind."""

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import connectorx
import polars as pl
import psycopg2
import pymysql
import pytest
from pydantic import SecretStr

from data_platform.local import postgres as embedded
from data_platform.warehouse import streams
from data_platform.warehouse.foreign import ForeignDatabase, ForeignRefused, ForeignUnavailable
from platform_tests.mysql_server import PASSWORD, MySqlDatabase

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


@pytest.fixture(scope="module")
def postgres_url(postgres_server: embedded.Server) -> str:
    """One database for all tests, since each is slow to make: a test has a schema and a user in it."""
    with closing(psycopg2.connect(postgres_server.url("postgres"))) as administrator:
        administrator.autocommit = True
        administrator.cursor().execute("CREATE DATABASE streams")
    return postgres_server.url("streams")


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Foreign]:
    name = f"reader_{secrets.token_hex(6)}"
    with closing(psycopg2.connect(postgres_url)) as administrator:
        administrator.autocommit = True

        def run(statement: str, *values: object) -> list[tuple[Any, ...]]:
            with administrator.cursor() as cursor:
                cursor.execute(statement, values or None)
                return cursor.fetchall() if cursor.description else []

        run(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}/@:'")
        run(f"CREATE SCHEMA {name}")
        run(f"GRANT USAGE ON SCHEMA {name} TO {name}")
        run(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {name} GRANT SELECT ON TABLES TO {name}")
        # The user's path begins with a schema of the same name by itself.
        run(f"SET search_path = {name}")
        sessions = f"SELECT pid FROM pg_stat_activity WHERE usename = '{name}'"
        yield Foreign(
            "postgres",
            f"postgresql://{name}:{PASSWORD}%2F%40%3A@{postgres_url.rsplit('@', 1)[1]}",
            name,
            run,
            sessions,
            f"{sessions} AND state = 'active'",
        )


@pytest.fixture
def mysql(mysql_database: MySqlDatabase) -> Foreign:
    sessions = f"SELECT id FROM information_schema.processlist WHERE user = '{mysql_database.name}'"
    return Foreign(
        "mysql",
        mysql_database.url.get_secret_value(),
        mysql_database.user,
        mysql_database.run,
        sessions,
        f"{sessions} AND command <> 'Sleep'",
    )


@pytest.fixture(params=["postgres", "mysql"])
def foreign(request: pytest.FixtureRequest) -> Foreign:
    """The same test on either."""
    return request.getfixturevalue(request.param)


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


# Rows


def test_values_come_as_they_are(foreign: Foreign) -> None:
    rows = [
        (-(2**15), -(2**31), -(2**63), date(1, 1, 1), ""),
        (2**15 - 1, 2**31 - 1, 2**63 - 1, date(9999, 12, 31), ' O\'Reilly said "no"; -- 100%\\ '),
        (0, 0, 0, date(2024, 2, 29), "two\nlines\r\nand a\ttab"),
        (1, 1, 1, date(1970, 1, 1), "🦊 𠮷 Łódź 日本"),
        (None, None, None, None, None),
    ]
    foreign.run("CREATE TABLE kinds (at INT, small SMALLINT, whole INT, big BIGINT, day DATE, word TEXT)")
    for at, row in enumerate(rows):
        foreign.run("INSERT INTO kinds VALUES (%s, %s, %s, %s, %s, %s)", at, *row)
    types = pl.Schema(
        {"small": pl.Int64(), "whole": pl.Int64(), "big": pl.Int64(), "day": pl.Date(), "word": pl.String()}
    )
    with foreign.begin("SELECT small, whole, big, day, word FROM kinds ORDER BY at") as stream:
        frames = list(stream.frames(types))
    assert all(frame.schema == types for frame in frames)
    assert [row for frame in frames for row in frame.rows()] == rows


def test_unsigned_integers_come_as_long_as_they_fit(mysql: Foreign) -> None:
    mysql.run("CREATE TABLE kinds (tiny TINYINT UNSIGNED, whole INT UNSIGNED, big BIGINT UNSIGNED)")
    mysql.run("INSERT INTO kinds VALUES (255, 4294967295, 9223372036854775807)")
    types = pl.Schema(dict.fromkeys(("tiny", "whole", "big"), pl.Int64()))
    assert mysql.read("SELECT * FROM kinds", types) == [(255, 2**32 - 1, 2**63 - 1)]
    mysql.run("UPDATE kinds SET big = 18446744073709551615")
    message = refusal(mysql, "SELECT * FROM kinds", types)
    assert "an integer exceeds 64 bits with a sign" in message
    assert "18446744073709551615" not in message


def test_every_row_of_many_comes_once(foreign: Foreign) -> None:
    foreign.keep_many_words()
    with foreign.begin(MANY_WORDS.format("a.word")) as stream:
        ids = [frame["id"] for frame in stream.frames(TYPES)]
    assert len(ids) > 1
    assert pl.concat(ids).sort().equals(pl.int_range(1, SIDE**2 + 1, eager=True))


def test_a_stream_is_read_by_another_thread_than_began_it(foreign: Foreign) -> None:
    foreign.keep_words("one", "two")
    with foreign.begin() as stream, ThreadPoolExecutor(1) as elsewhere:
        [frame] = elsewhere.submit(lambda: list(stream.frames(TYPES))).result()
    assert frame.rows() == [(1, "one"), (2, "two")]


def test_a_query_may_have_comments_and_end_in_one(foreign: Foreign) -> None:
    foreign.keep_words("100%")
    query = "-- What's \"said\".\nSELECT id, word /* % */ FROM words WHERE word LIKE '100%' -- no more"
    assert foreign.read(query) == [(1, "100%")]


def test_an_answer_that_is_over_before_anybody_looks_is_an_answer(
    mysql: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first design waited a minute for a transaction that had come and gone."""
    mysql.keep_words("one")
    read_sql = connectorx.read_sql

    def and_wait(*arguments: Any, **options: Any) -> Any:
        rows = read_sql(*arguments, **options)
        until(lambda: len(mysql.run(mysql.sessions)) == 1)
        return rows

    monkeypatch.setattr(connectorx, "read_sql", and_wait)
    assert mysql.read() == [(1, "one")]


# Columns


def test_no_rows_are_an_answer(foreign: Foreign) -> None:
    foreign.keep_words()
    assert foreign.read() == []


@pytest.mark.parametrize("words", [(), ("one",)], ids=["no rows", "a row"])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT word, id FROM words", "word, id"),
        ("SELECT id FROM words", "id"),
        ("SELECT id, word, word AS again FROM words", "id, word, again"),
        ("SELECT id, word AS w FROM words", "id, w"),
    ],
)
def test_other_columns_than_declared_are_named(
    foreign: Foreign, words: tuple[str, ...], query: str, found: str
) -> None:
    foreign.keep_words(*words)
    assert f"gives for q.sql the columns {found}, expected id, word; nothing was kept" in refusal(foreign, query)


@pytest.mark.parametrize("words", [(), ("one",)], ids=["no rows", "a row"])
@pytest.mark.parametrize(
    ("query", "column", "expected"),
    [
        ("SELECT word AS id, word FROM words", "id", "integer"),
        ("SELECT id, id AS word FROM words", "word", "text"),
        ("SELECT id * 1.5 AS id, word FROM words", "id", "integer"),
        ("SELECT id, CURRENT_TIMESTAMP AS word FROM words", "word", "text"),
        ("SELECT id, CURRENT_DATE AS word FROM words", "word", "text"),
        ("SELECT SUM(CAST(id AS DECIMAL)) AS id, MIN(word) AS word FROM words", "id", "integer"),
    ],
)
def test_another_type_than_declared_is_named(
    foreign: Foreign, words: tuple[str, ...], query: str, column: str, expected: str
) -> None:
    foreign.keep_words(*words)
    message = refusal(foreign, query)
    assert f"gives for q.sql a column {column} of type" in message
    assert f"expected {expected}; nothing was kept, cast it in the query." in message


def test_a_time_is_no_date(foreign: Foreign) -> None:
    foreign.keep_words("one")
    message = refusal(foreign, "SELECT CURRENT_TIMESTAMP AS day", pl.Schema({"day": pl.Date()}))
    assert "expected date" in message


# Refusals


@pytest.mark.parametrize(
    ("query", "fact"),
    [
        ("SELECT id, word FROM nowhere", "nowhere"),
        ("SELECT id, nothing AS word FROM words", "nothing"),
        ("SELECT id, word FROM words a, words b", "ambiguous"),
        ("SELECT id, nothing(word) AS word FROM words", "nothing"),
        ("SELECT id, word FROM words UNION SELECT id FROM words", "columns"),
        ("SELEC id FROM words", "syntax"),
    ],
    ids=["table", "column", "ambiguous", "function", "union", "syntax"],
)
def test_a_query_that_cannot_be_answered_is_refused_at_the_beginning(foreign: Foreign, query: str, fact: str) -> None:
    foreign.keep_words("one")
    with pytest.raises(ForeignRefused) as caught, foreign.begin(query):
        pass
    message = sentence(caught.value)
    assert fact in message
    assert f"check {SETTING} and what its user may read" in message


def test_a_query_that_fails_in_the_middle_is_refused(foreign: Foreign) -> None:
    foreign.keep_many_words()
    two_rows = "(SELECT word FROM words WHERE id < 3)"
    message = refusal(foreign, MANY_WORDS.format(IN_THE_MIDDLE.format(two_rows)))
    assert "ore than" in message
    assert "went away" not in message


@pytest.mark.parametrize("where", ["{}", IN_THE_MIDDLE])
def test_a_value_that_cannot_be_used_is_not_told(postgres: Foreign, where: str) -> None:
    """It may be somebody's name."""
    postgres.keep_many_words()
    message = refusal(postgres, MANY_WORDS.format(where.format("('Jane ' || a.word)::int::text")))
    assert 'invalid input syntax for type integer: "..."' in message
    assert "Jane" not in message


def test_a_day_that_is_none_is_refused(mysql: Foreign) -> None:
    """Another try would meet it again: MySQL keeps 0000-00-00 for unknown days in old tables."""
    mysql.run("SET SESSION sql_mode = ''")
    mysql.run("CREATE TABLE days (day DATE NOT NULL)")
    mysql.run("INSERT INTO days VALUES ('2026-11-01'), ('0000-00-00')")
    assert "as the day 0000-00-00 is" in refusal(mysql, "SELECT day FROM days", pl.Schema({"day": pl.Date()}))


def test_a_table_that_the_user_may_not_read_is_refused(foreign: Foreign) -> None:
    foreign.keep_words("one")
    foreign.run("CREATE TABLE allowed (id INT)")
    if foreign.kind == "mysql":
        [(name,)] = foreign.run("SELECT DATABASE()")
        foreign.run(f"REVOKE SELECT ON {name}.* FROM {foreign.user}")
        foreign.run(f"GRANT SELECT ON {name}.allowed TO {foreign.user}")
    else:
        foreign.run(f"REVOKE SELECT ON words FROM {foreign.user}")
    assert foreign.read("SELECT id FROM allowed", pl.Schema({"id": pl.Int64()})) == []
    message = refusal(foreign)
    assert "denied" in message
    assert f"check {SETTING} and what its user may read" in message


def test_a_wrong_password_is_refused(foreign: Foreign) -> None:
    message = refusal(foreign, url=foreign.url.replace(PASSWORD, f"{PASSWORD}-wrong"))
    assert "authentication failed" in message or "Access denied" in message
    assert f"check {SETTING}" in message


def test_an_unknown_database_is_refused(foreign: Foreign) -> None:
    message = refusal(foreign, url=foreign.url.rsplit("/", 1)[0] + "/nowhere")
    assert "/nowhere refused: " in message
    assert f"check {SETTING}" in message


def test_a_query_that_writes_is_refused_and_writes_nothing(foreign: Foreign) -> None:
    foreign.keep_words("one", "two")
    refusal(foreign, "DELETE FROM words WHERE id = 1")
    assert foreign.run("SELECT count(*) FROM words") == [(2,)]


# Breakdowns


def test_nobody_listening_is_another_try(foreign: Foreign) -> None:
    before, name = foreign.url.rsplit(":", 1)[0], foreign.url.rsplit("/", 1)[1]
    message = breakdown(foreign, url=f"{before}:9/{name}")
    assert f"127.0.0.1:9/{name} cannot be reached or went away: " in message
    assert "run again" in message


def test_a_connection_that_is_killed_in_the_middle_is_an_error_and_not_fewer_rows(foreign: Foreign) -> None:
    foreign.keep_many_words()
    with foreign.begin(MANY_WORDS.format(IN_THE_MIDDLE.format(foreign.closed_gate()))) as stream:
        frames = stream.frames(TYPES)
        next(frames)
        foreign.kill_readers()
        with pytest.raises(ForeignUnavailable, match="run again") as caught:
            list(frames)
    sentence(caught.value)


def test_a_query_that_somebody_cancels_is_another_try(foreign: Foreign) -> None:
    foreign.keep_many_words()
    with foreign.begin(MANY_WORDS.format(IN_THE_MIDDLE.format(foreign.closed_gate()))) as stream:
        frames = stream.frames(TYPES)
        next(frames)
        [(session,)] = foreign.run(foreign.at_work)
        foreign.run(f"KILL QUERY {session}" if foreign.kind == "mysql" else f"SELECT pg_cancel_backend({session})")
        with pytest.raises(ForeignUnavailable, match="run again") as caught:
            list(frames)
    sentence(caught.value)


# One instant


def test_what_is_committed_after_the_beginning_is_not_seen(foreign: Foreign) -> None:
    foreign.keep_words("one", "two", "three")
    with foreign.begin() as stream:
        foreign.run("UPDATE words SET word = 'changed' WHERE id = 1")
        foreign.run("DELETE FROM words WHERE id = 2")
        foreign.run("INSERT INTO words VALUES (4, 'four')")
        [frame] = stream.frames(TYPES)
    assert frame.rows() == [(1, "one"), (2, "two"), (3, "three")]
    assert foreign.read() == [(1, "changed"), (3, "three"), (4, "four")]


def test_a_table_that_is_read_late_is_read_as_it_was_at_the_beginning(mysql: Foreign) -> None:
    """Also where READ COMMITTED is the server's default, at which MySQL ignores the wish for a snapshot."""
    mysql.keep_words("one")
    variable = "('tx_isolation', 'transaction_isolation')"
    [(_, level)] = mysql.run(f"SHOW GLOBAL VARIABLES WHERE variable_name IN {variable}")
    mysql.run("SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED")
    try:
        with mysql.begin(
            f"SELECT 0 AS id, {mysql.closed_gate()} AS word UNION ALL SELECT id, word FROM words"
        ) as stream:
            mysql.run("INSERT INTO words VALUES (2, 'two')")
            mysql.run("SELECT RELEASE_ALL_LOCKS()")
            [frame] = stream.frames(TYPES)
    finally:
        mysql.run(f"SET GLOBAL TRANSACTION ISOLATION LEVEL {level.replace('-', ' ')}")
    assert frame.rows() == [(0, "1"), (1, "one")]


@contextmanager
def elsewhere_in_the_world(foreign: Foreign) -> Iterator[None]:
    """The server's time zone is another than ours."""
    if foreign.kind == "postgres":
        foreign.run(f"ALTER ROLE {foreign.user} SET timezone = 'Asia/Tokyo'")
        yield
        return
    [(zone,)] = foreign.run("SELECT @@global.time_zone")
    foreign.run("SET GLOBAL time_zone = '+09:00'")
    try:
        yield
    finally:
        foreign.run("SET GLOBAL time_zone = %s", zone)


def test_the_instant_is_told_by_the_servers_clock_in_utc(foreign: Foreign) -> None:
    foreign.keep_words("one")
    with elsewhere_in_the_world(foreign):
        before = time.monotonic()
        with foreign.begin() as stream:
            after = time.monotonic()
            list(stream.frames(TYPES))
    assert before <= stream.asked_at <= stream.begun_at <= after
    assert stream.read_at.tzinfo is UTC
    # Of the same day and minute: zones are apart by hours.
    assert abs(stream.read_at - datetime.now(UTC)) < timedelta(minutes=5)


# Those who read


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(PASSWORD),
        OSError("disk full"),
        KeyError("word"),
        KeyboardInterrupt(),
        psycopg2.OperationalError("the warehouse went away"),
        pymysql.OperationalError(1146, "another table"),
        pl.exceptions.InvalidOperationError("another cast"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_the_caller_comes_through_as_it_is(foreign: Foreign, error: BaseException) -> None:
    foreign.keep_words("one")
    with pytest.raises(type(error)) as before_reading, foreign.begin():
        raise error
    assert before_reading.value is error
    with pytest.raises(type(error)) as while_reading, foreign.begin() as stream:
        for _ in stream.frames(TYPES):
            raise error
    assert while_reading.value is error


@pytest.mark.parametrize("ending", ["left", "failed", "unread"])
def test_a_stream_that_is_not_read_to_its_end_leaves_nothing_on_the_server(foreign: Foreign, ending: str) -> None:
    """Its query would take hours; MySQL's driver would read on to the end of it, into memory."""
    foreign.keep_many_words()
    query = "SELECT a.id, b.word FROM words a, words b, words c, words d"
    kept: list[Iterator[pl.DataFrame]] = []
    with suppress(KeyError), foreign.begin(query) as stream:
        kept.append(stream.frames(TYPES))
        if ending != "unread":
            next(kept[0])
        if ending == "failed":
            raise KeyError
    # Also where the caller still holds what it did not read.
    until(lambda: not foreign.run(foreign.sessions))
    foreign.run("DROP TABLE words")


def test_no_password_stands_in_a_representation(foreign: Foreign) -> None:
    foreign.keep_words("one")
    with foreign.begin() as stream:
        assert PASSWORD not in repr(stream) + str(stream)
        frames = stream.frames(TYPES)
        assert PASSWORD not in repr(frames) + repr(list(frames))
