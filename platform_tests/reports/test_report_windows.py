"""What a report type makes of a day: its window, the statements of its queries, the keys of its files."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_platform.reports.report_type import statement
from data_platform.settings import sql_folder
from platform_tests.oracles.reports import DAY
from platform_tests.reports.examples import SHIPPED, TODAY, changed

# Statements


def test_a_statement_has_the_window_where_its_places_are_and_nothing_else_is_changed() -> None:
    window = (date(2026, 10, 28), date(2026, 11, 26))
    query = "SELECT ':', '\\1', '100%', a::text FROM t WHERE d BETWEEN :first_day AND :last_day OR d = :last_day -- é\n"
    assert statement(query, window) == (
        "SELECT ':', '\\1', '100%', a::text FROM t WHERE d BETWEEN DATE '2026-10-28' AND DATE '2026-11-26'"
        " OR d = DATE '2026-11-26' -- é"
    )


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "SELECT :first_days",
        "SELECT :last_day_of, :last_day2",
        "SELECT first_day, last_day",
        "SELECT :First_Day",
    ],
)
def test_what_only_resembles_a_place_stays(query: str) -> None:
    assert statement(query, (TODAY, TODAY)) == query


@pytest.mark.parametrize("end", ["", ";", ";\n", "\n;\n", " ; "])
def test_a_statement_has_no_semicolon_at_its_end(end: str) -> None:
    assert statement(f"\nSELECT 1{end}", (TODAY, TODAY)).rstrip() == "SELECT 1"


def test_of_a_shipped_query_nothing_but_the_days_is_changed() -> None:
    for file in (sql_folder() / "reports").glob("*.sql"):
        query = file.read_text()
        found = statement(query, (date(2026, 1, 1), date(2026, 1, 31)))
        put_back = found.replace("DATE '2026-01-01'", ":first_day").replace("DATE '2026-01-31'", ":last_day")
        assert put_back == query.strip()
        assert not re.search(":(first|last)_day", found)


@given(st.text())
def test_a_text_without_places_stays_but_for_its_ends(text: str) -> None:
    query = f"SELECT 1 {text} x"
    if ":first_day" not in text and ":last_day" not in text:
        assert statement(query, (TODAY, TODAY)) == query


# Windows and keys


@pytest.mark.parametrize(
    ("day", "first"),
    [
        (date(2026, 11, 26), date(2026, 10, 28)),
        (date(2027, 1, 10), date(2026, 12, 12)),
        (date(2027, 1, 29), date(2026, 12, 31)),
        (date(2027, 3, 1), date(2027, 1, 31)),
        (date(2028, 3, 1), date(2028, 2, 1)),
        (date(2028, 2, 29), date(2028, 1, 31)),
        (date(2028, 3, 29), date(2028, 2, 29)),
        (date(2028, 3, 30), date(2028, 3, 1)),
        (date(2100, 3, 1), date(2100, 1, 31)),
    ],
)
def test_a_window_of_thirty_days_has_both_ends_in(day: date, first: date) -> None:
    assert SHIPPED.window(day) == (first, day)


@given(st.dates(date(1900, 1, 1)), st.integers(1, 3660))
def test_a_window_has_as_many_days_as_it_says(day: date, window_days: int) -> None:
    first, last = SHIPPED.model_copy(update={"window_days": window_days}).window(day)
    assert last == day
    assert (last - first) // DAY + 1 == window_days


def test_a_key_has_type_day_version_and_format() -> None:
    assert SHIPPED.key(TODAY, 2, "csv") == "active_user_report/2026-11-26/active_user_report_2026-11-26_v2.csv"
    other = changed(object_key="a/{type}/b={day}/v={version}/lessons.{format}")
    assert other.key(TODAY, 10, "xlsx") == f"a/{other.name}/b=2026-11-26/v=10/lessons.xlsx"


@given(
    st.lists(st.sampled_from(["{day}", "{version}", "{format}", "{type}", "/", "..", ".", "a", "=", "-"]), max_size=9),
    st.lists(st.tuples(st.dates(), st.integers(1, 999), st.sampled_from(["csv", "xlsx"])), unique=True, max_size=5),
)
def test_no_two_files_have_the_same_key_and_none_lies_elsewhere(
    places: list[str], files: list[tuple[date, int, str]]
) -> None:
    try:
        report = changed(object_key="".join(places))
    except ValueError:
        return
    keys = [report.key(*file) for file in files]
    assert len(set(keys)) == len(keys)
    for key in keys:
        assert not {"", ".", ".."} & set(key.split("/"))
