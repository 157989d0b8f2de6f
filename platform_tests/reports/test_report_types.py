"""Report types: what their YAML may say and what is said of a mistake, their windows, statements, keys and gates."""

import re
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_platform.reports import gate, report_type
from data_platform.reports.gate import GateClosed
from data_platform.reports.report_type import ReportType, ReportTypeError, statement
from data_platform.settings import sql_folder
from platform_tests.oracles.reports import DAY
from platform_tests.reports.examples import SHIPPED, TODAY, changed

GOOD = """title: Lessons
owner: team:success
window_days: 30
columns:
  - {header: Name, of: user_name, personal: true}
  - {header: Lessons, of: num_lessons}
  - {header: Date, of: day}
sources:
  users:
    database: app
    query: users.sql
    columns: {user_id: integer, user_name: text}
    reads: [users]
  lessons:
    database: lessons
    query: lessons.sql
    columns: {user_id: integer, day: date, num_lessons: integer}
    reads: [lesson_completion]
rows:
  of: users
  key: user_id
  days: every
  add:
    - {of: lessons, fill: {num_lessons: 0}}
formats: [csv]
object_key: "{type}/{day}_v{version}.{format}"
schedule: {at: "06:00", weekdays: [1, 7]}
gate: {min_rows: 1, not_empty: [Name], max_change: 0.5}
recipients: [ann@example.com]
"""
WHOLE = "the whole file"


def load(folder: Path, text: str) -> ReportType:
    file = folder / "lessons_report.yaml"
    file.write_text(text, encoding="utf-8")
    return report_type.load(file)


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ReportTypeError) as caught:
        load(folder, text)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


def line_of(text: str, mark: str) -> int:
    return text[: text.index(mark)].count("\n") + 1


def test_every_shipped_type_loads_and_is_named_like_its_file() -> None:
    names = sorted(file.stem for file in report_type.FOLDER.glob("*.yaml"))
    assert [report.name for report in report_type.every()] == names
    assert {"active_user_report", "leads_changed"} <= set(names)


@pytest.mark.parametrize("report", report_type.every(), ids=lambda report: report.name)
def test_the_queries_of_a_shipped_type_are_there_in_order_of_its_key(report: ReportType) -> None:
    for source in report.sources.values():
        query = (sql_folder() / "reports" / source.query).read_text()
        assert re.search(rf"ORDER BY {report.rows.key}\b", query.splitlines()[-1])
        assert query.startswith("-- ")


def test_the_customers_report_is_what_was_agreed() -> None:
    assert [column.header for column in SHIPPED.columns] == ["Name", "Number of lessons completed", "Date"]
    assert (SHIPPED.window_days, SHIPPED.rows.days, SHIPPED.formats) == (30, "every", ("csv",))
    assert SHIPPED.personal_headers == {"Name"}


def test_a_good_type_loads_with_every_field(tmp_path: Path) -> None:
    report = load(tmp_path, GOOD)
    assert (report.name, report.title, report.owner) == ("lessons_report", "Lessons", "team:success")
    assert (report.schedule.time, report.schedule.weekdays) == (time(6), (1, 7))
    assert (report.gate.min_rows, report.gate.not_empty, report.gate.max_change) == (1, ("Name",), 0.5)
    assert report.kinds == {"user_id": "integer", "user_name": "text", "day": "date", "num_lessons": "integer"}


def test_what_may_be_left_out_has_a_value_of_its_own(tmp_path: Path) -> None:
    text = GOOD
    for line in ("object_key: ", "gate: ", "recipients: "):
        text = re.sub(f"{line}.*\n", "", text)
    report = load(tmp_path, text.replace(", weekdays: [1, 7]", ""))
    assert report.object_key == "{type}/{day}/{type}_{day}_v{version}.{format}"
    assert (report.gate.min_rows, report.gate.not_empty, report.gate.max_change) == (0, (), None)
    assert (report.schedule.weekdays, report.recipients) == ((1, 2, 3, 4, 5, 6, 7), ())
    assert report.max_skew_seconds == 60


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        # Fields
        ("title: Lessons\n", "title: Lessons\ncolour: red\n", "colour", "Extra inputs are not permitted"),
        ("query: users.sql", "query: users.sql\n    colour: red", "sources.users.colour", "Extra inputs"),
        ("header: Lessons,", "header: Lessons, colour: red,", "columns.1.colour", "Extra inputs"),
        ("key: user_id\n", "key: user_id\n  colour: red\n", "rows.colour", "Extra inputs"),
        ("of: lessons,", "of: lessons, colour: red,", "rows.add.0.colour", "Extra inputs"),
        ("min_rows: 1,", "min_rows: 1, colour: 1,", "gate.colour", "Extra inputs"),
        ('at: "06:00",', 'at: "06:00", cron: "* * * * *",', "schedule.cron", "Extra inputs"),
        ("owner: team:success\n", "", "owner", "Field required"),
        ("  key: user_id\n", "", "rows.key", "Field required"),
        ("    query: users.sql\n", "", "sources.users.query", "Field required"),
        ("title: Lessons", "title:", "title", "valid string"),
        ("title: Lessons", 'title: ""', "title", "at least 1 character"),
        ("owner: team:success", "owner: ann", "owner", "match pattern"),
        ("window_days: 30", "window_days: 0", "window_days", "greater than or equal to 1"),
        ("window_days: 30", "window_days: many", "window_days", "valid integer"),
        ("window_days: 30", "window_days: 4000", "window_days", "less than or equal to 3660"),
        ("window_days: 30", "window_days: 30.5", "window_days", "valid integer"),
        ("formats: [csv]", "formats: [pdf]", "formats.0", "'csv', 'parquet' or 'xlsx'"),
        ("formats: [csv]", "formats: []", "formats", "at least 1 item"),
        ("formats: [csv]", "formats: csv", "formats", "valid tuple"),
        ("formats: [csv]\n", "formats: [csv]\nmax_skew_seconds: 0\n", "max_skew_seconds", "greater than 0"),
        # Columns
        ("header: Lessons", 'header: ""', "columns.1.header", "at least 1 character"),
        ("of: num_lessons}", "of: Num Lessons}", "columns.1.of", "match pattern"),
        # Sources
        ("database: app", "database: mars", "sources.users.database", "'app', 'lessons' or 'warehouse'"),
        ("query: users.sql", "query: ../users.sql", "sources.users.query", "match pattern"),
        ("query: users.sql", "query: users.txt", "sources.users.query", "match pattern"),
        ("user_name: text}", "user_name: varchar}", "sources.users.columns.user_name", "'integer', 'text' or 'date'"),
        ("columns: {user_id: integer, user_name: text}", "columns: {}", "sources.users.columns", "at least 1"),
        ("reads: [users]", "reads: []", "sources.users.reads", "at least 1 item"),
        ("reads: [users]", "reads: [Users]", "sources.users.reads.0", "match pattern"),
        # Rows
        ("days: every", "days: some", "rows.days", "'none', 'every' or 'any'"),
        ("{num_lessons: 0}", "{num_lessons: [0]}", "rows.add.0.fill.num_lessons", "valid integer"),
        ("{num_lessons: 0}", "{num_lessons: 0.5}", "rows.add.0.fill.num_lessons", "valid integer"),
        ("{num_lessons: 0}", "{num_lessons: }", "rows.add.0.fill.num_lessons", "valid integer"),
        # Key
        ("_v{version}", "_v", "object_key", "expected {version} in it: no two files may have the same key"),
        ("{day}", "today", "object_key", "expected {day} in it"),
        (".{format}", ".csv", "object_key", "expected {format} in it"),
        ("{type}/", "{customer}/", "object_key", "{customer} is no part of a key"),
        ("{type}/", "{type.name}/", "object_key", "{type.name} is no part of a key"),
        ("{type}/", "{type[0]}/", "object_key", "{type[0]} is no part of a key"),
        ("{type}/", "{}/", "object_key", "{} is no part of a key"),
        ("{type}/", "{0}/", "object_key", "{0} is no part of a key"),
        ("{type}/", "../", "object_key", "expected letters, digits and . _ - = between single slashes"),
        ("{type}/", "{type}/../", "object_key", "between single slashes"),
        ("{type}/", "./", "object_key", "between single slashes"),
        ("{type}/", "/", "object_key", "between single slashes"),
        ("{type}/", "{type}//", "object_key", "between single slashes"),
        (".{format}", ".{format}/", "object_key", "between single slashes"),
        ("{type}/", "a b/", "object_key", "between single slashes"),
        ("{type}/", "{type:>9}/", "object_key", "between single slashes"),
        ("{type}/", "{type!r}/", "object_key", "between single slashes"),
        ("{type}/", "ä/", "object_key", "between single slashes"),
        ("{type}/", "{{type/", "object_key", "expected"),
        ("{type}/", "{type", "object_key", "expected"),
        # Schedule
        ("weekdays: [1, 7]", "weekdays: [0]", "schedule.weekdays.0", "greater than or equal to 1"),
        ("weekdays: [1, 7]", "weekdays: [1, 8]", "schedule.weekdays.1", "less than or equal to 7"),
        ("weekdays: [1, 7]", "weekdays: [monday]", "schedule.weekdays.0", "valid integer"),
        ('"06:00"', '"6:00"', "schedule.at", "match pattern"),
        ('"06:00"', '"24:00"', "schedule.at", "match pattern"),
        ('"06:00"', '"06:60"', "schedule.at", "match pattern"),
        ('"06:00"', '"06:00:00"', "schedule.at", "match pattern"),
        ('"06:00"', "16:00", "schedule.at", "valid string"),  # YAML takes it for a number of base 60
        # Gate and recipients
        ("min_rows: 1", "min_rows: -1", "gate.min_rows", "greater than or equal to 0"),
        ("max_change: 0.5", "max_change: 0", "gate.max_change", "greater than 0"),
        ("max_change: 0.5", "max_change: 50%", "gate.max_change", "valid number"),
        ("max_change: 0.5", "max_change: .nan", "gate.max_change", "finite"),
        ("ann@example.com", "ann", "recipients.0", "match pattern"),
        ("ann@example.com", "Ann <ann@example.com>", "recipients.0", "match pattern"),
        ("ann@example.com", '"ann@example.com\\nbcc: bob@example.com"', "recipients.0", "match pattern"),
        ("ann@example.com", "ann@bob@example.com", "recipients.0", "match pattern"),
    ],
)
def test_a_mistake_in_a_field_is_one_sentence_with_file_line_and_field(
    tmp_path: Path, old: str, new: str, field: str, words: str
) -> None:
    assert GOOD.count(old) >= 1
    message = complaint(tmp_path, GOOD.replace(old, new, 1))
    assert re.match(rf"lessons_report\.yaml, line [0-9]+, {re.escape(field)}: ", message)
    assert words in message


@pytest.mark.parametrize(
    ("old", "new", "mark"),
    [
        ("window_days: 30", "window_days: 0", "window_days"),
        ("database: app", "database: mars", "database: mars"),
        ("of: num_lessons}", "of: 7}", "- {header: Lessons"),
        ("weekdays: [1, 7]", "weekdays: [9]", "schedule:"),
        ("    query: lessons.sql\n", "", "  lessons:"),
    ],
)
def test_the_line_is_that_of_the_mistake(tmp_path: Path, old: str, new: str, mark: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert complaint(tmp_path, text).startswith(f"lessons_report.yaml, line {line_of(text, mark)}, ")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("{of: lessons,", "{of: visits,", "rows: there is no source visits; there are users, lessons"),
        ("  of: users\n", "  of: members\n", "rows: there is no source members"),
        ("    - {of: lessons, fill: {num_lessons: 0}}", "    - {of: users}", "rows: a source stands twice"),
        ("0}}\n", "0}}\n    - {of: lessons}\n", "rows: a source stands twice"),
        ("  add:\n    - {of: lessons, fill: {num_lessons: 0}}\n", "", "sources: lessons is read and not used in rows"),
        ("key: user_id", "key: member_id", "sources.users: rows need its column member_id"),
        ("{user_id: integer, day:", "{day:", "sources.lessons: rows need its column user_id"),
        ("day: date, num", "on_day: date, num", "sources.lessons: rows need its column day"),
        ("day: date, num", "day: text, num", "day is of two types"),
        ("{user_id: integer, day:", "{user_id: text, day:", "user_id is of two types"),
        ("num_lessons: integer}", "num_lessons: integer, user_name: text}", "two of them have a column user_name"),
        ("of: num_lessons}", "of: num_visits}", "columns: no source has a column num_visits; there are"),
        ("header: Lessons", "header: Name", "columns: two headers are the same"),
        ("not_empty: [Name]", "not_empty: [Surname]", "gate.not_empty: there is no header 'Surname'"),
        ("fill: {num_lessons: 0}", "fill: {num_lessons: none}", "rows: num_lessons cannot be filled with 'none'"),
        ("fill: {num_lessons: 0}", "fill: {num_visits: 0}", "rows: num_visits cannot be filled with 0"),
        ("fill: {num_lessons: 0}", "fill: {day: today}", "rows: day cannot be filled with 'today'"),
        ("fill: {num_lessons: 0}", "fill: {user_name: 0}", "rows: user_name cannot be filled with 0"),
    ],
)
def test_fields_that_do_not_hang_together_are_one_sentence(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    message = complaint(tmp_path, GOOD.replace(old, new, 1))
    assert message.startswith(f"lessons_report.yaml, line 1, {WHOLE}: ")
    assert words in message


def without_addition(text: str) -> str:
    text = re.sub(r"  add:\n.*\n", "", text)
    text = re.sub(r"  lessons:\n(    .*\n)+", "", text)
    return text.replace("  - {header: Lessons, of: num_lessons}\n", "")


def test_any_day_without_a_source_that_says_the_days_is_one_sentence(tmp_path: Path) -> None:
    text = without_addition(GOOD).replace("days: every", "days: any")
    assert "rows: days: any needs exactly one source to add, which says the days" in complaint(tmp_path, text)


def test_any_day_with_two_sources_to_add_is_one_sentence(tmp_path: Path) -> None:
    visits = "  visits: {database: app, query: v.sql, columns: {user_id: integer, day: date, n: integer}, reads: [v]}\n"
    text = GOOD.replace("days: every", "days: any").replace("rows:\n", f"{visits}rows:\n", 1)
    text = text.replace("0}}\n", "0}}\n    - {of: visits}\n")
    assert "rows: days: any needs exactly one source to add" in complaint(tmp_path, text)
    assert load(tmp_path, text.replace("days: any", "days: every")).rows.days == "every"


def test_every_day_needs_no_addition(tmp_path: Path) -> None:
    assert load(tmp_path, without_addition(GOOD)).rows.add == ()


def test_days_cannot_be_shown_where_rows_have_none(tmp_path: Path) -> None:
    text = without_addition(GOOD).replace("days: every", "days: none")
    assert "columns: no source has a column day" in complaint(tmp_path, text)


def test_who_is_in_the_report_cannot_bring_days_of_their_own(tmp_path: Path) -> None:
    """The report makes the days; a second column of that name would be shown in their place."""
    text = GOOD.replace("user_name: text}", "user_name: text, day: date}")
    for days in ("every", "any"):
        assert "day" in complaint(tmp_path, text.replace("days: every", f"days: {days}"))


def test_a_source_fills_its_own_columns_alone(tmp_path: Path) -> None:
    message = complaint(tmp_path, GOOD.replace("fill: {num_lessons: 0}", "fill: {user_name: nobody}"))
    assert "user_name" in message


def test_a_format_stands_once(tmp_path: Path) -> None:
    """Two files of a format would have the same key."""
    assert "formats" in complaint(tmp_path, GOOD.replace("formats: [csv]", "formats: [csv, xlsx, csv]"))


def test_a_report_that_is_due_on_no_day_of_the_week_is_a_mistake(tmp_path: Path) -> None:
    assert "schedule.weekdays" in complaint(tmp_path, GOOD.replace("weekdays: [1, 7]", "weekdays: []"))


def test_the_name_comes_from_the_file_and_cannot_stand_in_it(tmp_path: Path) -> None:
    assert "name" in complaint(tmp_path, "name: other_report\n" + GOOD)


def test_a_field_that_stands_twice_is_a_mistake(tmp_path: Path) -> None:
    """YAML takes the last, and nobody sees that the first was edited in vain."""
    assert "window_days" in complaint(tmp_path, GOOD + "window_days: 7\n")


def test_several_mistakes_are_one_sentence(tmp_path: Path) -> None:
    message = complaint(tmp_path, GOOD.replace("window_days: 30", "window_days: 0").replace("app", "mars"))
    assert "window_days: " in message
    assert "sources.users.database: " in message


@pytest.mark.parametrize("text", ["", "[", "text", "- a", "title: [", "{1: 2}", "title: 2026-13-45", "a: b: c", "\t"])
def test_what_is_no_report_type_is_one_sentence_that_names_the_file(tmp_path: Path, text: str) -> None:
    assert re.match(r"lessons_report\.yaml[,:] ", complaint(tmp_path, text))


def test_a_file_whose_name_no_asset_may_have_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "Lessons-2.yaml"
    file.write_text(GOOD)
    with pytest.raises(ReportTypeError, match=r"^Lessons-2\.yaml, line 1, .*match pattern"):
        report_type.load(file)


def test_the_types_of_a_folder_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b", "a_report", "a"):
        (tmp_path / f"{name}.yaml").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("nothing")
    assert [report.name for report in report_type.every(tmp_path)] == ["a", "a_report", "b"]


def test_a_type_survives_being_written_down_as_json() -> None:
    """An earlier delivery is made again from what was written down then."""
    for report in report_type.every():
        assert ReportType.model_validate(report.model_dump(mode="json")) == report
        assert ReportType.model_validate_json(report.model_dump_json()) == report


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


# Gates


def gated(**rules: Any) -> ReportType:
    return changed(gate=rules)


def refusal(report: ReportType, num_rows: int, before: int | None = None, **num_empty: int) -> str:
    with pytest.raises(GateClosed) as caught:
        gate.prove_fit(report, TODAY, num_rows, num_empty, before)
    message = str(caught.value)
    assert message.startswith("active_user_report of 2026-11-26 is not delivered: ")
    assert message.endswith("then run the day again.")
    assert "active_user_report.yaml" in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("num_rows", "least"), [(0, 1), (1_499, 1_500)])
def test_too_few_rows_close_the_gate(num_rows: int, least: int) -> None:
    report = gated(min_rows=least)
    assert f"it has {num_rows:,} rows, min_rows is {least:,}" in refusal(report, num_rows)
    gate.prove_fit(report, TODAY, least, {}, None)


def test_an_empty_cell_where_there_may_be_none_closes_the_gate() -> None:
    report = gated(not_empty=["Name", "Date"])
    message = refusal(report, 1_200, Name=1_100)
    assert "1,100 of 1,200 rows have no 'Name', which not_empty lists" in message
    assert "Date" not in message
    gate.prove_fit(report, TODAY, 1_200, {"Name": 0, "Date": 0, "Number of lessons completed": 9}, None)


@pytest.mark.parametrize(
    ("num_rows", "is_open"), [(49, False), (50, True), (100, True), (150, True), (151, False), (0, False)]
)
def test_another_number_of_rows_than_before_closes_the_gate(num_rows: int, is_open: bool) -> None:
    report = gated(max_change=0.5)
    if is_open:
        gate.prove_fit(report, TODAY, num_rows, {}, 100)
        return
    assert f"it has {num_rows} rows and the one before 100, max_change is 0.5" in refusal(report, num_rows, 100)


@pytest.mark.parametrize("before", [None, 0])
def test_a_change_is_of_something(before: int | None) -> None:
    gate.prove_fit(gated(max_change=0.1), TODAY, 1_000, {}, before)


def test_every_rule_that_closes_the_gate_is_told() -> None:
    message = refusal(gated(min_rows=5, not_empty=["Name", "Date"], max_change=0.5), 4, 100, Name=1, Date=2)
    assert all(word in message for word in ("min_rows is 5", "no 'Name'", "no 'Date'", "max_change is 0.5"))


def test_without_rules_the_gate_is_open() -> None:
    gate.prove_fit(gated(), TODAY, 0, {"Name": 5}, 1_000)
