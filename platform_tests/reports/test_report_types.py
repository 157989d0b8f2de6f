"""Report types: what their YAML may say, and what is said of a mistake."""

import re
from datetime import time
from pathlib import Path

import pytest

from data_platform.reports import report_type
from data_platform.reports.report_type import ReportType, ReportTypeError
from data_platform.settings import sql_folder
from platform_tests.reports.examples import SHIPPED

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
