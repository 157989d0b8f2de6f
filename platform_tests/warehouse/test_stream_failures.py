"""Streams that fail, at the beginning or in the middle: one sentence each, and never fewer rows in silence."""

import polars as pl
import pytest

from data_platform.warehouse.foreign import ForeignRefused, ForeignUnavailable
from platform_tests.mysql_server import PASSWORD
from platform_tests.warehouse.foreign_servers import (
    IN_THE_MIDDLE,
    MANY_WORDS,
    SETTING,
    TYPES,
    Foreign,
    breakdown,
    refusal,
    sentence,
)

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
