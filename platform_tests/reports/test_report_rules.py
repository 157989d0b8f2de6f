"""The rules of the customer's report one by one, as examples. Today is Thursday, 26 November 2026."""

from collections.abc import Sequence
from datetime import date

import pytest

from data_platform.reports import derive as product
from platform_tests.oracles.reports import DAY, Row
from platform_tests.reports.examples import (
    HEADER,
    SHIPPED,
    TODAY,
    active_users,
    changed,
    files_of,
    files_of_rows,
    made,
    queried,
    report_of,
    rows_of_parquet,
    shown,
)
from platform_tests.reports.workbook import cells

ANN, BOB, CAT = (1, "Ann", "active"), (2, "Bob", "active"), (3, "Cat", "active")
YESTERDAY = TODAY - DAY
FIRST_DAY = date(2026, 10, 28)


def numbers(rows: Sequence[Row], name: str = "Ann") -> dict[date, int]:
    """A user's days with lessons."""
    of_user = {day: number for who, number, day in rows if who == name}
    return {day: number for day, number in of_user.items() if number}


def test_a_lesson_completed_twice_on_a_day_counts_once() -> None:
    assert numbers(report_of([ANN], [(1, 7, TODAY), (1, 7, TODAY), (1, 8, TODAY)])) == {TODAY: 2}


def test_a_lesson_repeated_on_another_day_counts_again() -> None:
    assert numbers(report_of([ANN], [(1, 7, YESTERDAY), (1, 7, TODAY)])) == {YESTERDAY: 1, TODAY: 1}


def test_the_same_lesson_of_two_users_counts_for_each() -> None:
    rows = report_of([ANN, BOB], [(1, 7, TODAY), (2, 7, TODAY)])
    assert (numbers(rows, "Ann"), numbers(rows, "Bob")) == ({TODAY: 1}, {TODAY: 1})


@pytest.mark.parametrize("status", ["inactive", "INACTIVE", "suspended", "", "active ", "activ", "actively"])
def test_who_is_not_active_is_not_in_it_nor_are_their_lessons(status: str) -> None:
    rows = report_of([ANN, (2, "Bob", status)], [(2, 7, TODAY)])
    assert {name for name, _, _ in rows} == {"Ann"}
    assert numbers(rows) == {}


@pytest.mark.parametrize("status", ["active", "ACTIVE", "Active", "aCTIVe"])
def test_who_is_active_in_whatever_case_is_in_it(status: str) -> None:
    assert numbers(report_of([(1, "Ann", status)], [(1, 7, TODAY)])) == {TODAY: 1}


def test_lessons_of_a_user_that_nobody_knows_are_ignored() -> None:
    assert numbers(report_of([ANN], [(901, 7, TODAY), (0, 7, TODAY)])) == {}


def test_an_active_user_without_lessons_is_in_it_with_a_zero_on_each_of_thirty_days() -> None:
    rows = report_of([ANN], [])
    assert rows == [("Ann", 0, FIRST_DAY + n * DAY) for n in range(30)]


def test_rows_come_by_user_id_and_then_by_day_whatever_the_names() -> None:
    rows = report_of([(2, "Ann", "active"), (10, "Aaron", "active"), (1, "Zoe", "active")], [(10, 7, TODAY)])
    assert [name for name, _, _ in rows] == ["Zoe"] * 30 + ["Ann"] * 30 + ["Aaron"] * 30
    assert [day for _, _, day in rows] == [FIRST_DAY + n * DAY for n in range(30)] * 3


@pytest.mark.parametrize("num_lessons", [127, 128, 129, 256, 32_768])
def test_a_days_number_does_not_run_over(num_lessons: int) -> None:
    completions = [(1, lesson_id, TODAY) for lesson_id in range(num_lessons)]
    assert numbers(report_of([ANN], completions)) == {TODAY: num_lessons}


def test_both_ends_of_the_window_are_in_and_their_neighbours_are_not() -> None:
    around = [(1, 7, day) for day in (FIRST_DAY - DAY, FIRST_DAY, TODAY, TODAY + DAY)]
    assert numbers(report_of([ANN], around)) == {FIRST_DAY: 1, TODAY: 1}


@pytest.mark.parametrize("years", [1, 4, 7, -1])
def test_a_lesson_of_the_same_day_of_another_year_is_ignored(years: int) -> None:
    assert numbers(report_of([ANN], [(1, 7, TODAY.replace(year=TODAY.year - years))])) == {}


def test_the_window_runs_over_the_ends_of_months() -> None:
    completions = [(1, 7, date(2026, 10, 31)), (1, 7, date(2026, 11, 1))]
    assert numbers(report_of([ANN], completions)) == {date(2026, 10, 31): 1, date(2026, 11, 1): 1}


def test_the_window_runs_over_the_end_of_a_year() -> None:
    completions = [(1, 7, date(2026, 12, 31)), (1, 7, date(2027, 1, 1)), (1, 7, date(2026, 1, 1))]
    rows = report_of([ANN], completions, day=date(2027, 1, 10))
    assert numbers(rows) == {date(2026, 12, 31): 1, date(2027, 1, 1): 1}
    assert (rows[0][-1], rows[-1][-1]) == (date(2026, 12, 12), date(2027, 1, 10))


def test_a_leap_day_is_a_day_of_the_window() -> None:
    completions = [(1, 7, date(2028, 2, 29)), (1, 7, date(2028, 2, 28)), (1, 7, date(2028, 3, 1))]
    rows = report_of([ANN], completions, day=date(2028, 3, 10))
    assert numbers(rows) == {date(2028, 2, 28): 1, date(2028, 2, 29): 1, date(2028, 3, 1): 1}
    assert (len(rows), rows[0][-1]) == (30, date(2028, 2, 10))


def test_a_report_for_a_leap_day_ends_on_it() -> None:
    rows = report_of([ANN], [(1, 7, date(2028, 2, 29))], day=date(2028, 2, 29))
    assert rows[-1] == ("Ann", 1, date(2028, 2, 29))
    assert rows[0] == ("Ann", 0, date(2028, 1, 31))


def test_a_year_without_a_leap_day_has_none_in_the_window() -> None:
    days = [day for _, _, day in report_of([ANN], [], day=date(2100, 3, 1))]
    assert days[-2:] == [date(2100, 2, 28), date(2100, 3, 1)]


def test_a_day_on_which_nobody_did_anything_has_a_zero_of_everybody() -> None:
    rows = report_of([ANN, BOB], [(1, 7, TODAY), (2, 7, TODAY)])
    assert [row for row in rows if row[-1] == YESTERDAY] == [("Ann", 0, YESTERDAY), ("Bob", 0, YESTERDAY)]


def test_two_users_of_the_same_name_are_two() -> None:
    rows = report_of([ANN, (2, "Ann", "active")], [(1, 7, TODAY), (2, 7, TODAY), (2, 8, TODAY)])
    assert [row for row in rows if row[-1] == TODAY] == [("Ann", 1, TODAY), ("Ann", 2, TODAY)]
    assert len(rows) == 60


@pytest.mark.parametrize("days", ["every", "any"])
def test_without_users_each_file_has_a_header_alone(days: str) -> None:
    report = changed(active_users(), rows=SHIPPED.rows.model_dump() | {"days": days})
    sources = queried([(1, "Ann", "inactive")], [(1, 7, TODAY)])
    found = files_of(report, (part.rows for part in made(report, TODAY, sources)))
    assert found["csv"] == b"Name,Number of lessons completed,Date\r\n"
    assert cells(found["xlsx"]) == [HEADER]
    assert rows_of_parquet(found["parquet"]) == []


@pytest.mark.parametrize(
    ("name", "in_csv"),
    [
        ("Larkenby, Una", '"Larkenby, Una"'),
        ('Otis "Puddle" Corvane', '"Otis ""Puddle"" Corvane"'),
        ("Sylvie\nMossgrave", '"Sylvie\nMossgrave"'),
        ("Sylvie\r\nMossgrave", '"Sylvie\r\nMossgrave"'),
        ("Petra 🦉 Hollowbeck", "Petra 🦉 Hollowbeck"),
        ("雲野 灯", "雲野 灯"),
        ("نور الوادي", "نور الوادي"),
        (" spaces ", " spaces "),
        ("", '""'),
        ("0012", "0012"),
        ("a;b", "a;b"),
        ("O'Neill", "O'Neill"),
    ],
)
def test_an_odd_name_arrives_as_it_is_in_every_format(name: str, in_csv: str) -> None:
    found = files_of_rows((name, 0, TODAY))
    assert found["csv"].decode() == f"Name,Number of lessons completed,Date\r\n{in_csv},0,2026-11-26\r\n"
    assert cells(found["xlsx"]) == [HEADER, [name, 0, TODAY]]
    assert rows_of_parquet(found["parquet"]) == [(name, 0, TODAY)]


def test_of_any_day_who_learned_has_rows_of_those_days_alone() -> None:
    completions = [(1, 7, TODAY), (1, 7, FIRST_DAY), (1, 8, FIRST_DAY), (1, 7, FIRST_DAY - DAY)]
    assert report_of([ANN], completions, days="any") == [("Ann", 2, FIRST_DAY), ("Ann", 1, TODAY)]


def test_of_any_day_who_did_nothing_has_one_zero_of_the_reports_day() -> None:
    completions = [(1, 7, FIRST_DAY - DAY), (2, 7, YESTERDAY), (3, 7, TODAY + DAY)]
    assert report_of([ANN, BOB, CAT], completions, days="any") == [
        ("Ann", 0, TODAY),
        ("Bob", 1, YESTERDAY),
        ("Cat", 0, TODAY),
    ]


def test_a_window_of_one_day_is_the_reports_day() -> None:
    report = active_users(window_days=1)
    sources = queried([ANN], [(1, 7, YESTERDAY), (1, 7, TODAY), (1, 7, TODAY + DAY)])
    assert shown(made(report, TODAY, sources)) == [("Ann", 1, TODAY)]


def test_what_lies_outside_the_window_or_belongs_to_nobody_is_read_and_not_used() -> None:
    sources = queried([ANN, BOB], [(1, 7, TODAY), (1, 7, FIRST_DAY - DAY), (901, 7, TODAY)])
    [part] = made(active_users(), TODAY, sources)
    assert part.num_read == {"users": 2, "lessons": 3}
    assert part.num_used == {"users": 2, "lessons": 1}


def test_a_lesson_row_of_nobody_is_read_and_not_used() -> None:
    [part] = made(active_users(), TODAY, {"users": [(1, "Ann")], "lessons": [(None, TODAY, 5), (1, TODAY, 2)]})
    assert part.num_read["lessons"] == 2
    assert part.num_used["lessons"] == 1
    assert part.rows.rows()[-1] == ("Ann", 2, TODAY)


def test_a_report_without_days_has_one_row_each_with_what_was_added() -> None:
    whose = {"database": "app", "query": "active_users.sql", "reads": ["users"]}
    sources = {
        "users": whose | {"columns": {"user_id": "integer", "user_name": "text"}},
        "teams": whose | {"columns": {"user_id": "integer", "team": "text", "joined_on": "date"}},
        "phones": whose | {"columns": {"user_id": "integer", "phone": "text"}},
    }
    adds = [{"of": "teams", "fill": {"team": "none"}}, {"of": "phones"}]
    columns = [{"header": name, "of": name} for name in ("phone", "user_name", "team", "joined_on")]
    rows = {"of": "users", "key": "user_id", "days": "none", "add": adds}
    report = changed(sources=sources, rows=rows, columns=columns, gate={})
    found = made(
        report, TODAY,
        {
            "users": [(1, "Ann"), (2, "Bob"), (4, "Cat")],
            "teams": [(0, "red", TODAY), (1, "red", TODAY), (3, "blue", TODAY)],
            "phones": [(2, "123"), (4, "456")],
        },
    )  # fmt: skip
    assert shown(found) == [(None, "Ann", "red", TODAY), ("123", "Bob", "none", None), ("456", "Cat", "none", None)]


def test_of_every_day_two_sources_are_added_each_with_its_own_filling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product, "ROWS_AT_A_TIME", 1)
    lessons = SHIPPED.sources["lessons"].model_dump()
    visits = lessons | {"columns": {"user_id": "integer", "day": "date", "num_visits": "integer"}}
    sources = {name: source.model_dump() for name, source in SHIPPED.sources.items()} | {"visits": visits}
    adds = [{"of": "lessons", "fill": {"num_lessons": 0}}, {"of": "visits", "fill": {"num_visits": -1}}]
    columns = [{"header": name, "of": name} for name in ("user_name", "num_lessons", "num_visits")]
    rows = SHIPPED.rows.model_dump() | {"add": adds}
    report = changed(sources=sources, rows=rows, columns=columns, window_days=2, gate={})
    lessons_of_all = [(1, TODAY, 3), (2, YESTERDAY, 5)]
    visits_of_all = [(1, YESTERDAY, 7), (1, TODAY, 8), (3, TODAY, 9)]
    found = made(report, TODAY, {"users": [(1, "Ann"), (2, "Bob")], "lessons": lessons_of_all, "visits": visits_of_all})
    assert shown(found) == [("Ann", 0, 7), ("Ann", 3, 8), ("Bob", 5, -1), ("Bob", 0, -1)]
