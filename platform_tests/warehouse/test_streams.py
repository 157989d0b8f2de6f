"""Streams out of a Postgres and a MySQL of somebody else: one instant, every row, nothing left behind."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import connectorx
import polars as pl
import psycopg2
import pymysql
import pytest

from platform_tests.mysql_server import PASSWORD
from platform_tests.warehouse.foreign_servers import MANY_WORDS, SIDE, TYPES, Foreign, refusal, until

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
