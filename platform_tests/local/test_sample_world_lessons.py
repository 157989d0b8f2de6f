"""The sample world's users and lessons hold every case that the report of active users must survive, and go on."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from data_platform.lake.store import Store
from data_platform.local.sample_world import app, lessons, settle
from data_platform.local.sample_world.lessons import FIRST_DAY, completions, users
from data_platform.local.sample_world.lessons_database import fill_lessons
from data_platform.settings import Settings

DAY = timedelta(days=1)
LAST_DAY = date(2026, 11, 30)
TWO_YEARS_ON = date(2028, 8, 31)
WORLD = completions(TWO_YEARS_ON)
DISTINCT = set(WORLD)
NAMES = {user_id: name for user_id, name, _ in users()}
ACTIVE = {user_id for user_id, _, status in users() if status.lower() == "active"}
ALL_ROWS = "SELECT user_id, lesson_id, completion_date FROM lesson_completion ORDER BY completion_id"
later_days = st.integers(0, (TWO_YEARS_ON - FIRST_DAY).days).map(lambda n: FIRST_DAY + n * DAY)


def rows(url: SecretStr, query: str) -> list[Any]:
    with closing(psycopg2.connect(url.get_secret_value())) as connection, connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else []


def active_learners(first: date, last: date) -> set[int]:
    return {user_id for user_id, _, day in DISTINCT if first <= day <= last} & ACTIVE


def test_the_users_are_the_same_for_everybody_and_fit_their_columns() -> None:
    assert users() == users()
    assert [user_id for user_id, _, _ in users()] == list(range(1, lessons.NUM_USERS + 1))
    assert max(len(name) for name in NAMES.values()) == 255
    assert max(len(status) for _, _, status in users()) <= 10


def test_a_status_is_active_or_inactive_in_any_case_or_something_else() -> None:
    statuses = Counter(status for _, _, status in users())
    assert statuses.keys() == {"active", "ACTIVE", "Active", "inactive", "INACTIVE", "Inactive", "suspended"}


@pytest.mark.parametrize("odd", [",", '"', "\n", "🦉", "Ліхтарик", "雲", "الوادي", "ë"])
def test_the_name_of_an_active_user_who_learns_holds(odd: str) -> None:
    assert any(odd in NAMES[user_id] for user_id in active_learners(FIRST_DAY, LAST_DAY))


@pytest.mark.parametrize("sign", "=+-@")
def test_the_name_of_an_active_user_who_learns_begins_like_a_formula(sign: str) -> None:
    assert any(NAMES[user_id].startswith(sign) for user_id in active_learners(FIRST_DAY, LAST_DAY))


def test_two_active_users_have_the_very_same_name_and_not_the_same_number_of_lessons() -> None:
    one, other = lessons.NAMESAKES
    assert NAMES[one] == NAMES[other]
    assert {one, other} <= ACTIVE
    numbers = Counter(user_id for user_id, _, _ in DISTINCT)
    assert numbers[one] != numbers[other]


def test_some_active_users_never_completed_a_lesson() -> None:
    assert set(lessons.NEVER) <= ACTIVE
    assert {user_id for user_id, _, _ in WORLD}.isdisjoint(lessons.NEVER)


def test_active_users_are_idle_for_thirty_days_who_stopped_or_learned_years_ago_only_or_come_again() -> None:
    idle = ACTIVE - active_learners(date(2026, 10, 28), date(2026, 11, 26))
    assert idle == {*lessons.NEVER, *lessons.STOPPED, *lessons.ONLY_LONG_AGO, lessons.QUARTERLY}
    assert set(lessons.STOPPED) <= active_learners(FIRST_DAY, lessons.STOPPED_AFTER)
    assert lessons.QUARTERLY in active_learners(date(2026, 10, 1), date(2026, 10, 5))
    assert lessons.QUARTERLY in active_learners(date(2027, 1, 1), date(2027, 1, 5))


@given(later_days)
@settings(max_examples=60)
def test_what_happened_on_a_day_is_the_same_whatever_the_last_day(last_day: date) -> None:
    assert completions(last_day) == [completion for completion in WORLD if completion[-1] <= last_day]


def test_before_its_first_day_the_world_has_only_lessons_of_years_ago() -> None:
    before = completions(FIRST_DAY - DAY)
    assert {day for _, _, day in before} == set(lessons.LONG_AGO)
    assert {user_id for user_id, _, _ in before} & ACTIVE
    assert completions(date(2018, 12, 31)) == []


def test_the_same_user_lesson_and_day_occurs_twice() -> None:
    counted = Counter(WORLD)
    assert set(counted.values()) == {1, 2}
    assert {user_id for (user_id, _, _), number in counted.items() if number > 1} & ACTIVE


def test_a_lesson_is_repeated_on_another_day() -> None:
    days_of_lesson = Counter((user_id, lesson_id) for user_id, lesson_id, _ in set(completions(LAST_DAY)))
    assert {user_id for (user_id, _), days in days_of_lesson.items() if days > 1} & ACTIVE


def test_inactive_suspended_and_unknown_users_complete_lessons_too() -> None:
    learners = {user_id for user_id, _, day in WORLD if FIRST_DAY <= day <= LAST_DAY}
    assert {*lessons.INACTIVE, *lessons.SUSPENDED, *lessons.UNKNOWN} <= learners - ACTIVE
    assert NAMES.keys().isdisjoint(lessons.UNKNOWN)


def test_on_the_first_of_each_month_an_active_user_completes_128_different_lessons() -> None:
    numbers = Counter((user_id, day) for user_id, _, day in DISTINCT)
    many = {day for (user_id, day), number in numbers.items() if number > 127 and user_id in ACTIVE}
    assert many == {FIRST_DAY + n * DAY for n in range(762) if (FIRST_DAY + n * DAY).day == 1}
    assert max(numbers.values()) == 128


def test_nobody_completes_anything_on_the_thirteenth_and_somebody_active_on_every_other_day() -> None:
    days = [FIRST_DAY + n * DAY for n in range((TWO_YEARS_ON - FIRST_DAY).days + 1)]
    learned_on = {day for user_id, _, day in WORLD if user_id in ACTIVE}
    assert [day for day in days if day not in learned_on] == [day for day in days if day.day == 13]


def test_each_window_of_thirty_days_holds_one_day_of_a_user_and_a_longer_one_sometimes_two() -> None:
    """Who counts a day too many or too few is found out by this user."""
    days = sorted(day for user_id, _, day in DISTINCT if user_id == lessons.METRONOME and day >= FIRST_DAY)
    ends = [FIRST_DAY + n * DAY for n in range(29, (LAST_DAY - FIRST_DAY).days + 1)]
    held = {size: {sum(end - size * DAY < day <= end for day in days) for end in ends} for size in (29, 30, 31)}
    assert held == {29: {0, 1}, 30: {1}, 31: {1, 2}}


def test_four_months_are_a_few_thousand_rows() -> None:
    assert 2_000 < len(completions(LAST_DAY)) < 5_000


def test_the_table_holds_the_completions_in_their_order(empty_database: SecretStr) -> None:
    fill_lessons(empty_database, LAST_DAY)
    assert rows(empty_database, ALL_ROWS) == completions(LAST_DAY)
    assert rows(
        empty_database, "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%lesson_completion%(completion_date)'"
    ) == [(1,)]


def test_adding_the_same_days_twice_changes_nothing_nor_does_an_earlier_day(empty_database: SecretStr) -> None:
    whole = "SELECT * FROM lesson_completion ORDER BY completion_id"
    fill_lessons(empty_database, LAST_DAY)
    before = rows(empty_database, whole)
    for day in (LAST_DAY, LAST_DAY - 9 * DAY, FIRST_DAY - DAY):
        fill_lessons(empty_database, day)
    assert rows(empty_database, whole) == before


def test_days_are_added_as_they_end_whatever_the_steps(empty_database: SecretStr) -> None:
    for day in (FIRST_DAY - DAY, FIRST_DAY, date(2026, 9, 12), date(2026, 9, 13), date(2026, 9, 14), LAST_DAY):
        fill_lessons(empty_database, day)
        assert rows(empty_database, ALL_ROWS) == completions(day)


def test_two_who_add_at_once_add_once(empty_database: SecretStr) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fill_lessons, [empty_database] * 4, [LAST_DAY] * 4))
    assert rows(empty_database, ALL_ROWS) == completions(LAST_DAY)


def test_lessons_that_were_deleted_before_the_latest_day_do_not_come_back(empty_database: SecretStr) -> None:
    fill_lessons(empty_database, date(2026, 9, 10))
    rows(empty_database, "DELETE FROM lesson_completion WHERE completion_date < '2026-09-01'")
    fill_lessons(empty_database, date(2026, 9, 20))
    assert rows(empty_database, ALL_ROWS) == [
        completion for completion in completions(date(2026, 9, 20)) if completion[-1] >= date(2026, 9, 1)
    ]


def test_the_app_has_the_users_and_the_next_one_gets_the_next_id(empty_database: SecretStr) -> None:
    app.fill(empty_database, "UTC")
    assert rows(empty_database, "SELECT * FROM users ORDER BY user_id") == users()
    new = "INSERT INTO users (user_name, active_status) VALUES ('Wren Corvane', 'active') RETURNING user_id"
    assert rows(empty_database, new) == [(lessons.NUM_USERS + 1,)]


def test_an_older_sample_without_users_gets_them_and_keeps_its_counters(empty_database: SecretStr) -> None:
    app.fill(empty_database, "UTC")
    rows(empty_database, "DROP TABLE users")
    rows(empty_database, "DELETE FROM monthly_login_aggregates WHERE user_id <> 1")
    counters = "SELECT * FROM monthly_login_aggregates ORDER BY 1, 2, 3, 4, 5, 6"
    before = rows(empty_database, counters)
    app.fill(empty_database, "UTC")
    assert rows(empty_database, "SELECT * FROM users ORDER BY user_id") == users()
    assert rows(empty_database, counters) == before


def test_users_that_somebody_changed_are_left_alone(empty_database: SecretStr) -> None:
    app.fill(empty_database, "UTC")
    rows(empty_database, "DELETE FROM users WHERE user_id > 1")
    rows(empty_database, "UPDATE users SET active_status = 'suspended'")
    app.fill(empty_database, "UTC")
    assert rows(empty_database, "SELECT user_id, active_status FROM users") == [(1, "suspended")]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_the_settled_world_has_lessons_through_the_day_that_ended_in_the_business_time_zone(
    empty_database: SecretStr, tmp_path: Path, zone: str
) -> None:
    """The two zones are 26 hours apart: there is always another day in one than in the other."""
    embedded = Settings(local_dir=tmp_path, business_timezone=zone)
    lake, landing = Store((tmp_path / "lake").as_uri()), Store((tmp_path / "landing").as_uri())
    before = datetime.now(ZoneInfo(zone)).date()
    settle(embedded, lake, landing, None, empty_database, anything_arrived=True)
    after = datetime.now(ZoneInfo(zone)).date()
    assert rows(empty_database, ALL_ROWS) in (completions(before - DAY), completions(after - DAY))


def test_no_lessons_are_added_where_anything_outside_is_named(empty_database: SecretStr, tmp_path: Path) -> None:
    landing = Store((tmp_path / "landing").as_uri())
    named = Settings(local_dir=tmp_path, landing_uri=landing.uri)
    settle(named, Store((tmp_path / "lake").as_uri()), landing, None, empty_database, anything_arrived=False)
    assert rows(empty_database, "SELECT to_regclass('lesson_completion')") == [(None,)]
