"""Random users and lessons: the product, the queries and the files say what the rules say, however the rows come."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extras import execute_values
from pydantic import SecretStr

from data_platform.local.sample_world import app, lessons
from data_platform.local.sample_world.lessons_database import fill_lessons
from data_platform.reports import derive as product
from data_platform.reports.derive import Part
from data_platform.reports.report_type import ReportType, statement
from data_platform.settings import sql_folder
from platform_tests.oracles import reports as oracle
from platform_tests.oracles.reports import DAY, Completion, Days, Row, User
from platform_tests.reports import workbook
from platform_tests.reports.examples import (
    HEADER,
    active_users,
    files_of,
    queried,
    rows_of_parquet,
    shown,
    whole,
)

CHOICES = st.integers(0, 2**64).map(random.Random)
STATUSES = ("active", "ACTIVE", "Active", "aCtIvE", "inactive", "Inactive", "suspended", "", " active", "active ")
ODD_NAMES = ("Larkenby, Una", 'Otis "Puddle" Corvane', "Sylvie\nMossgrave", "Wren\r\nCorvane", "Petra 🦉 Hollowbeck")
FORMULAS = ("=1+1", "+1 Fern", "-2 Kite", "@Clover", "\tTab", "\rReturn", "\nFeed", "＝wide", "＋", "－", "＠", "'=1")  # noqa: RUF001
FOREIGN_NAMES = ("Зоряна Ліхтарик", "雲野 灯", "نور الوادي", "Zoë", "\ufeffmarked")
NO_NAMES = ("", " ", "  led and trailed  ", "_x0041_", "None", '"', ",")
REPORT_DAYS = (
    *(date(2026, 11, 26), date(2026, 12, 31), date(2027, 1, 1), date(2027, 1, 29), date(2027, 3, 1), date(2026, 3, 1)),
    *(date(2028, 2, 28), date(2028, 2, 29), date(2028, 3, 1), date(2028, 3, 28), date(2028, 3, 29), date(2028, 3, 30)),
    *(date(2100, 3, 1), date(2026, 3, 29), date(2026, 10, 25)),
)
UNKNOWN = (901, 902)


@dataclass(frozen=True)
class World:
    users: list[User]
    completions: list[Completion]
    day: date
    window_days: int
    days: Days

    @property
    def report(self) -> ReportType:
        return active_users(self.days, self.window_days)

    @property
    def rows(self) -> list[Row]:
        return oracle.rows(self.users, self.completions, self.day, self.window_days, self.days)


report_days = st.one_of(st.sampled_from(REPORT_DAYS), st.dates(date(2001, 1, 1), date(2099, 12, 31)))
names = st.one_of(
    st.sampled_from([*ODD_NAMES, *FORMULAS, *FOREIGN_NAMES, *NO_NAMES]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    st.text(",\"\r\n\t=+-@'a ", max_size=6),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    ids = draw(st.lists(st.one_of(st.integers(1, 9), st.integers(1, 2**31 - 1)), unique=True, max_size=7))
    users = [(user_id, draw(names), draw(st.sampled_from(STATUSES))) for user_id in ids]
    day, window_days = draw(report_days), draw(st.sampled_from([30, 30, 30, 1, 2, 7, 31]))
    first = day - (window_days - 1) * DAY
    when = st.one_of(
        st.sampled_from([first - DAY, first, first + DAY, day - DAY, day, day + DAY]),
        st.integers(0, window_days - 1).map(lambda n: day - n * DAY),
        st.sampled_from([date(day.year - 1, day.month, 28), date(2019, 2, 28), day - 365 * DAY, day + 366 * DAY]),
    )
    who = st.sampled_from([*ids, *UNKNOWN])
    completions = draw(st.lists(st.tuples(who, st.integers(1, 4), when), max_size=30))
    for user_id, _, of in draw(st.lists(st.tuples(who, st.none(), when), max_size=2)):
        completions += [(user_id, lesson_id, of) for lesson_id in range(1, 129)]
    if completions:
        completions += draw(st.lists(st.sampled_from(completions), max_size=5))
    return World(users, completions, day, window_days, draw(st.sampled_from(["every", "any"])))


def in_frames(
    report: ReportType, sources: Mapping[str, Sequence[tuple[Any, ...]]], choice: random.Random
) -> dict[str, Iterator[pl.DataFrame]]:
    """The rows in frames of random sizes, some of them empty."""

    def cut(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
        while frame.height:
            size = choice.choice([0, 1, 2, 5, frame.height])
            yield frame.head(size)
            frame = frame.slice(size)

    return {name: cut(frame) for name, [frame] in whole(report, sources).items()}


def derived(world: World, choice: random.Random, rows_at_a_time: int, *, is_cut_by_query: bool = True) -> list[Part]:
    report = world.report
    window = report.window(world.day) if is_cut_by_query else (date.min, date.max)
    sources = in_frames(report, queried(world.users, world.completions, window), choice)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(product, "ROWS_AT_A_TIME", rows_at_a_time)
        return list(product.derive(report, world.day, sources))


def summed(counts: Iterator[dict[str, int]]) -> dict[str, int]:
    total = Counter[str]()
    for count in counts:
        total.update(count)
    return {name: total[name] for name in ("users", "lessons")}


@given(worlds(), CHOICES, st.sampled_from([1, 2, 3, 20_000]), st.booleans())
def test_the_rows_are_those_of_the_rules_whoever_cuts_the_window(
    world: World, choice: random.Random, rows_at_a_time: int, is_cut_by_query: bool
) -> None:
    assert shown(derived(world, choice, rows_at_a_time, is_cut_by_query=is_cut_by_query)) == world.rows


@given(worlds(), CHOICES)
@settings(max_examples=60)
def test_the_rows_do_not_depend_on_the_frames_nor_on_how_many_are_taken_at_a_time(
    world: World, choice: random.Random
) -> None:
    num_active = max(len(oracle.active(world.users)), 1)
    found = [shown(derived(world, choice, size)) for size in (1, 2, 3, num_active, num_active + 1, 20_000)]
    assert all(rows == found[0] for rows in found)


@given(worlds(), CHOICES, st.sampled_from([1, 2, 3, 20_000]), st.booleans())
@settings(max_examples=200)
def test_every_row_of_a_source_is_accounted_for(
    world: World, choice: random.Random, rows_at_a_time: int, is_cut_by_query: bool
) -> None:
    parts = derived(world, choice, rows_at_a_time, is_cut_by_query=is_cut_by_query)
    window = world.report.window(world.day) if is_cut_by_query else (date.min, date.max)
    given_rows = {name: len(rows) for name, rows in queried(world.users, world.completions, window).items()}
    assert summed(part.num_read for part in parts) == given_rows
    used = oracle.num_used(world.users, world.completions, world.day, world.window_days)
    assert summed(part.num_used for part in parts) == used
    if world.days == "any":
        assert sum(part.rows.height for part in parts) == used["lessons"] + num_idle(world)
    else:
        assert sum(part.rows.height for part in parts) == used["users"] * world.window_days


def num_idle(world: World) -> int:
    days = oracle.window(world.day, world.window_days)
    active = [user_id for user_id, _, _ in oracle.active(world.users)]
    return sum(not any(oracle.num_lessons(world.completions, who, day) for day in days) for who in active)


@given(worlds(), CHOICES, st.sampled_from([1, 3, 20_000]))
@settings(max_examples=150)
def test_the_csv_file_is_the_one_that_plain_python_writes(
    world: World, choice: random.Random, rows_at_a_time: int
) -> None:
    report = world.report.model_copy(update={"formats": ("csv",)})
    parts = derived(world, choice, rows_at_a_time)
    found = files_of(report, (part.rows for part in parts))
    assert found == {"csv": oracle.csv(HEADER, world.rows)}


@given(worlds(), CHOICES, st.sampled_from([1, 3, 20_000]))
@settings(max_examples=60)
def test_a_reader_of_the_workbook_and_of_parquet_finds_the_rows(
    world: World, choice: random.Random, rows_at_a_time: int
) -> None:
    parts = derived(world, choice, rows_at_a_time)
    found = files_of(world.report, (part.rows for part in parts))
    assert workbook.cells(found["xlsx"]) == [HEADER, *(list(row) for row in world.rows)]
    assert rows_of_parquet(found["parquet"]) == world.rows


def query(name: str) -> str:
    return (sql_folder() / "reports" / name).read_text()


def answers(cursor: Any, report: ReportType, day: date) -> dict[str, list[Any]]:
    """What the real queries give in a real database."""
    found: dict[str, list[Any]] = {}
    for name, source in report.sources.items():
        cursor.execute(statement(query(source.query), report.window(day)))
        assert [column.name for column in cursor.description] == list(source.columns)
        found[name] = cursor.fetchall()
    return found


@given(world=worlds())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_the_real_queries_give_what_the_other_tests_take_for_their_answer(real_tables: Any, world: World) -> None:
    real_tables.execute("TRUNCATE users, lesson_completion RESTART IDENTITY")
    execute_values(real_tables, "INSERT INTO users VALUES %s", world.users)
    new = "INSERT INTO lesson_completion (user_id, lesson_id, completion_date) VALUES %s"
    execute_values(real_tables, new, world.completions)
    found = answers(real_tables, world.report, world.day)
    assert found == queried(world.users, world.completions, world.report.window(world.day))
    assert shown(product.derive(world.report, world.day, whole(world.report, found))) == world.rows


@pytest.fixture
def real_tables(empty_database: SecretStr) -> Iterator[Any]:
    """A cursor in a database with the app's tables."""
    with closing(psycopg2.connect(empty_database.get_secret_value())) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE users (user_id serial PRIMARY KEY, user_name varchar(255) NOT NULL,"
            " active_status varchar(10) NOT NULL);"
            "CREATE TABLE lesson_completion (completion_id serial PRIMARY KEY, user_id int NOT NULL,"
            " lesson_id int NOT NULL, completion_date date NOT NULL)"
        )
        yield cursor


@pytest.mark.parametrize("days", ["every", "any"])
def test_the_report_of_the_sample_world_is_that_of_the_rules(empty_database: SecretStr, days: Days) -> None:
    last_day = date(2026, 11, 30)
    app.fill(empty_database, "UTC")
    fill_lessons(empty_database, last_day)
    users, completions, report = lessons.users(), lessons.completions(last_day), active_users(days)
    with closing(psycopg2.connect(empty_database.get_secret_value())) as connection, connection.cursor() as cursor:
        for day in (last_day, date(2026, 10, 30), date(2026, 8, 1), date(2026, 7, 1)):
            found = shown(product.derive(report, day, whole(report, answers(cursor, report, day))))
            near = [of for of in completions if abs(of[-1] - day) < timedelta(days=40)]  # the oracle is slow
            assert found == oracle.rows(users, near, day, report.window_days, days)
