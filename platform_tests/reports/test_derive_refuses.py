"""Rows that do not come as a report needs them are refused in one sentence that names the query, in whatever frames."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_platform.reports import derive as product
from data_platform.reports.report_type import ReportType, ReportTypeError
from platform_tests.oracles.reports import DAY
from platform_tests.reports.examples import SHIPPED, TODAY, active_users, changed, shown

USERS, LESSONS = "active_users.sql", "completed_lessons.sql"
YESTERDAY = TODAY - DAY
SIZES = [1, 2, 20_000]
Rows = Sequence[tuple[Any, ...]]


def of_text(days: str = "every") -> ReportType:
    """The customer's report with a key that is a text."""
    sources = {name: source.model_dump() for name, source in SHIPPED.sources.items()}
    for source in sources.values():
        source["columns"] = source["columns"] | {"user_id": "text"}
    return changed(sources=sources, rows=SHIPPED.rows.model_dump() | {"days": days})


def one_by_one(report: ReportType, name: str, rows: Rows, size: int) -> Iterator[pl.DataFrame]:
    for start in range(0, len(rows), size):
        yield pl.DataFrame(rows[start : start + size], report.sources[name].types, orient="row")


def rows_of(
    users: Rows, lessons: Rows, report: ReportType = SHIPPED, *, rows_at_a_time: int = 20_000, size: int = 20_000
) -> list[Any]:
    sources = {name: one_by_one(report, name, rows, size) for name, rows in (("users", users), ("lessons", lessons))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(product, "ROWS_AT_A_TIME", rows_at_a_time)
        return shown(product.derive(report, TODAY, sources))


def refusal(users: Rows, lessons: Rows, report: ReportType = SHIPPED) -> str:
    """The one sentence, the same in whatever frames and parts the rows come."""
    messages: set[str] = set()
    for size in SIZES:
        for rows_at_a_time in SIZES:
            with pytest.raises(ReportTypeError) as caught:
                rows_of(users, lessons, report, rows_at_a_time=rows_at_a_time, size=size)
            messages.add(str(caught.value))
    [message] = messages
    assert "\n" not in message
    assert message.endswith(".")
    assert "nothing was delivered" in message
    return message


@pytest.mark.parametrize(
    "users", [[(2, "Bob"), (1, "Ann")], [(1, "Ann"), (3, "Cat"), (2, "Bob"), (4, "Dan")], [(-1, "Ann"), (-2, "Bob")]]
)
def test_users_out_of_order_are_refused(users: Rows) -> None:
    message = refusal(users, [])
    assert message.startswith(f"{USERS}: rows do not come in ascending order of user_id")
    assert "ORDER BY user_id" in message


@pytest.mark.parametrize("lessons", [[2, 1], [1, 2, 1], [1, 3, 2], [901, 1], [5, 1]])
def test_lessons_out_of_order_are_refused_whoever_they_belong_to(lessons: list[int]) -> None:
    rows = [(user_id, YESTERDAY + n * DAY, 1) for n, user_id in enumerate(lessons)]
    message = refusal([(1, "Ann"), (2, "Bob"), (3, "Cat")], rows)
    assert message.startswith(f"{LESSONS}: rows do not come in ascending order of user_id")


def test_a_row_of_nobody_does_not_hide_that_rows_are_out_of_order() -> None:
    message = refusal([(1, "Ann"), (2, "Bob")], [(2, TODAY, 1), (None, TODAY, 1), (1, TODAY, 1)])
    assert message.startswith(f"{LESSONS}: rows do not come in ascending order of user_id")


def test_rows_of_nobody_may_stand_anywhere() -> None:
    lessons = [(None, TODAY, 1), (1, TODAY, 2), (None, TODAY, 3), (None, TODAY, 3), (2, TODAY, 4), (None, TODAY, 5)]
    for size in SIZES:
        found = rows_of([(1, "Ann"), (2, "Bob")], lessons, rows_at_a_time=1, size=size)
        assert [row for row in found if row[1]] == [("Ann", 2, TODAY), ("Bob", 4, TODAY)]


@pytest.mark.parametrize("users", [[1, 1], [1, 2, 2], [1, 2, 3, 3, 4], [1, 1, 1]])
def test_a_user_who_stands_twice_is_refused(users: list[int]) -> None:
    message = refusal([(user_id, f"Ann {n}") for n, user_id in enumerate(users)], [])
    assert message == f"{USERS}: a user_id stands twice; nothing was delivered, mend the query."


@pytest.mark.parametrize("users", [[None], [None, 1], [1, None], [1, 2, None, 3]])
def test_a_user_without_a_key_is_refused(users: list[int | None]) -> None:
    message = refusal([(user_id, "Ann") for user_id in users], [])
    assert message == f"{USERS}: a row has no user_id; nothing was delivered, leave it out there."


@pytest.mark.parametrize("days", ["every", "any"])
def test_lessons_that_stand_twice_for_a_user_and_day_are_refused(days: str) -> None:
    lessons = [(1, YESTERDAY, 1), (2, TODAY, 1), (2, TODAY, 1), (2, YESTERDAY, 5), (3, TODAY, 1)]
    users = [(1, "Ann"), (2, "Bob"), (3, "Cat")]
    message = refusal(users, lessons, changed(rows=SHIPPED.rows.model_dump() | {"days": days}))
    assert message.startswith(f"{LESSONS}: 1 rows have the user_id and day of another")
    assert "group by them in the query" in message


def test_without_days_what_is_added_stands_once_for_a_key() -> None:
    teams = {
        "database": "app",
        "query": "teams.sql",
        "columns": {"user_id": "integer", "team": "text"},
        "reads": ["teams"],
    }
    report = changed(
        sources={"users": SHIPPED.sources["users"].model_dump(), "lessons": teams},
        rows={"of": "users", "key": "user_id", "days": "none", "add": [{"of": "lessons"}]},
        columns=[{"header": "Name", "of": "user_name"}, {"header": "Team", "of": "team"}],
        gate={},
    )
    users = [(1, "Ann"), (2, "Bob")]
    message = refusal(users, [(1, "red"), (2, "red"), (2, "blue"), (2, "red")], report)
    assert message.startswith("teams.sql: 2 rows have the user_id of another")
    assert rows_of(users, [(2, "red")], report) == [("Ann", None), ("Bob", "red")]


def test_what_stands_twice_outside_the_report_is_nobodys_business() -> None:
    before = TODAY - 40 * DAY
    lessons = [(1, before, 1), (1, before, 1), (2, TODAY, 1), (2, TODAY, 2)]
    assert [row for row in rows_of([(1, "Ann")], lessons) if row[1]] == []


def test_the_days_of_a_user_may_come_in_any_order() -> None:
    lessons = [(1, TODAY, 3), (1, YESTERDAY, 2), (1, date(2026, 10, 28), 1)]
    assert rows_of([(1, "Ann")], lessons, active_users("any"), size=1) == [
        ("Ann", 1, date(2026, 10, 28)),
        ("Ann", 2, YESTERDAY),
        ("Ann", 3, TODAY),
    ]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rows_at_a_time", SIZES)
def test_texts_come_in_the_order_of_their_bytes(size: int, rows_at_a_time: int) -> None:
    """Capitals before small letters, and an owl behind the last sign that UTF-16 holds in one unit."""
    keys = ["", " ", "10", "9", "Z", "a", "aa", "ab", "b", "z", "ä", "ﬀ", "\uffff", "🦉"]
    assert keys == sorted(keys, key=str.encode)
    users, lessons = [(key, f"Ann {key}") for key in keys], [(key, TODAY, n + 1) for n, key in enumerate(keys)]
    found = rows_of(users, lessons, of_text("any"), rows_at_a_time=rows_at_a_time, size=size)
    assert found == [(f"Ann {key}", n + 1, TODAY) for n, key in enumerate(keys)]


@pytest.mark.parametrize("keys", [["a", "B"], ["ä", "z"], ["9", "10"], ["🦉", "\uffff"]])
def test_texts_in_another_order_are_refused_and_told_how_to_order_them(keys: list[str]) -> None:
    message = refusal([(key, "Ann") for key in keys], [], of_text())
    assert message.startswith(f"{USERS}: rows do not come in ascending order of user_id")
    assert 'COLLATE "C"' in message


@given(st.lists(st.text(max_size=3), unique=True, max_size=8), st.sampled_from([1, 2, 3, 20_000]), st.integers(1, 4))
@settings(max_examples=100)
def test_any_texts_in_the_order_of_their_bytes_find_their_lessons(
    texts: list[str], rows_at_a_time: int, size: int
) -> None:
    keys = sorted(texts, key=str.encode)
    learners, strangers = keys[::2], [f"{key} the unknown" for key in keys]
    lessons = [(key, TODAY, 7) for key in sorted([*learners, *strangers], key=str.encode)]
    found = rows_of([(key, key) for key in keys], lessons, of_text("any"), rows_at_a_time=rows_at_a_time, size=size)
    assert found == [(key, 7 if key in learners else 0, TODAY) for key in keys]


@given(st.permutations(range(6)), st.sampled_from([1, 2, 3, 20_000]), st.integers(1, 7))
@settings(max_examples=100)
def test_only_ascending_rows_are_taken(keys: list[int], rows_at_a_time: int, size: int) -> None:
    users = [(n, f"Ann {n}") for n in range(6)]
    lessons = [(n, TODAY, 1) for n in keys]
    if keys == sorted(keys):
        assert len(rows_of(users, lessons, rows_at_a_time=rows_at_a_time, size=size)) == 180
        return
    with pytest.raises(ReportTypeError, match=LESSONS):
        rows_of(users, lessons, rows_at_a_time=rows_at_a_time, size=size)
