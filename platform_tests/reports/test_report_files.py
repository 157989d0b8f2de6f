"""Files of a report: the same bytes wherever and whenever they are written, and nothing in them that runs."""

import csv
import gc
import os
import re
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from datetime import date
from io import BytesIO, StringIO
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_platform.reports import workbook as writing
from data_platform.reports.files import Files
from data_platform.reports.workbook import CannotBeWritten
from platform_tests.oracles.reports import RUN_AS_FORMULA
from platform_tests.reports.examples import (
    HEADER,
    TODAY,
    active_users,
    changed,
    files_of,
    files_of_rows,
    made,
    queried,
    rows_of_parquet,
    table,
)
from platform_tests.reports.workbook import cells, files, parts

ROOT = Path(__file__).parents[2]
FORMATS = ["csv", "xlsx", "parquet"]
FORMULAS = sorted(RUN_AS_FORMULA)
LONGEST_TEXT = 32_767
CONTROL = [chr(code) for code in (*range(32), 0x7F, 0x85, 0x2028, 0xFFFE, 0xFFFF)]

_SUMS = """
import hashlib
from data_platform.local.sample_world import lessons
from data_platform.reports import derive
from platform_tests.reports.examples import TODAY, active_users, files_of, made, queried
derive.ROWS_AT_A_TIME = 7
sources = queried(lessons.users(), lessons.completions(TODAY))
found = files_of(active_users(), (part.rows for part in made(active_users(), TODAY, sources)))
for name, content in found.items():
    print(name, hashlib.sha256(content).hexdigest(), len(content))
"""


def in_one_sentence(message: str) -> None:
    assert "\n" not in message
    assert message.endswith(".")
    assert "nothing was delivered" in message


def sums(**environment: str) -> str:
    """SHA-256 and size of each format, from a process of its own."""
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT / "platform"), str(ROOT)])}
    command = [sys.executable, "-W", "error", "-c", _SUMS]
    done = subprocess.run(command, cwd=ROOT, env=path | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_bytes_do_not_depend_on_threads_zone_locale_or_hash_seed() -> None:
    here = sums(POLARS_MAX_THREADS="1", TZ="America/New_York", LANG="C.UTF-8", PYTHONHASHSEED="1")
    there = sums(POLARS_MAX_THREADS="2", TZ="Asia/Tokyo", LANG="C", LC_ALL="C", PYTHONHASHSEED="2")
    assert [line.split()[0] for line in here.splitlines()] == FORMATS
    assert here == there


def test_the_same_parts_twice_are_the_same_bytes() -> None:
    users = [(n, f"Ann {n}", "active") for n in range(1, 40)]
    frames = [part.rows for part in made(active_users(), TODAY, queried(users, [(3, 7, TODAY)]))]
    assert files_of(active_users(), frames) == files_of(active_users(), [frame.rechunk() for frame in frames])


@pytest.mark.parametrize("name", ["csv", "xlsx"])
def test_in_which_parts_the_rows_come_does_not_show_in_text_and_workbook(name: str) -> None:
    rows = table([(f"Ann {n}", n, TODAY) for n in range(50)])
    cut = [rows.head(0), rows.head(1), rows.slice(1, 20), rows.slice(21)]
    assert files_of(active_users(), cut)[name] == files_of(active_users(), [rows])[name]


def test_parquet_has_a_row_group_of_each_part_that_has_rows() -> None:
    rows = table([(f"Ann {n}", n, TODAY) for n in range(50)])
    found = files_of(active_users(), [rows.head(0), rows.head(10), rows.slice(10)])["parquet"]
    known = pq.ParquetFile(BytesIO(found)).metadata
    assert [known.row_group(n).num_rows for n in range(known.num_row_groups)] == [10, 40]
    assert rows_of_parquet(found) == rows.rows()


def test_parquet_holds_integers_texts_and_days() -> None:
    report = active_users().model_copy(update={"formats": ("parquet",)})
    rows = table([("Ann", 2**63 - 1, date(1, 1, 1)), (None, None, None)])
    found = files_of(report, [rows])["parquet"]
    frame = pl.read_parquet(BytesIO(found))
    assert frame.schema == dict(zip(HEADER, (pl.String, pl.Int64, pl.Date), strict=True))
    assert frame.rows() == [("Ann", 2**63 - 1, date(1, 1, 1)), (None, None, None)]


@pytest.mark.parametrize("sign", FORMULAS)
def test_a_text_that_would_run_as_a_formula_gets_an_apostrophe_in_csv_alone(sign: str) -> None:
    name = f"{sign}SUM(A1)"
    found = files_of_rows((name, 0, TODAY), (sign, 0, TODAY))
    _, *lines = list(csv.reader(StringIO(found["csv"].decode(), newline=""), strict=True))
    assert lines == [[f"'{name}", "0", "2026-11-26"], [f"'{sign}", "0", "2026-11-26"]]
    assert cells(found["xlsx"])[1:] == [[name, 0, TODAY], [sign, 0, TODAY]]
    assert rows_of_parquet(found["parquet"]) == [(name, 0, TODAY), (sign, 0, TODAY)]


@pytest.mark.parametrize("name", ["a=1", "'=1", " =1", "Ann\n=1", "Ann -1", "1+1", "Ann\t", "\u00a0=1"])
def test_a_sign_further_on_in_a_text_is_left_alone(name: str) -> None:
    [_, [told, *_]] = csv.reader(StringIO(files_of_rows((name, 0, TODAY))["csv"].decode(), newline=""), strict=True)
    assert told == name


@pytest.mark.parametrize("number", [-1, -128, -(2**53) + 1, 0, 2**53 - 1])
def test_an_integer_is_in_every_format_as_it_is_below_zero_too(number: int) -> None:
    found = files_of_rows(("Ann", number, TODAY))
    assert found["csv"].endswith(f"Ann,{number},2026-11-26\r\n".encode())
    assert cells(found["xlsx"])[1] == ["Ann", number, TODAY]
    assert rows_of_parquet(found["parquet"]) == [("Ann", number, TODAY)]


def test_a_report_without_a_text_is_written_too() -> None:
    columns = [{"header": "Lessons", "of": "num_lessons"}, {"header": "Day", "of": "day"}]
    report = changed(active_users(), columns=columns, gate={})
    found = files_of(report, [pl.DataFrame({"Lessons": [-1, None], "Day": [TODAY, None]})])
    assert found["csv"] == b"Lessons,Day\r\n-1,2026-11-26\r\n,\r\n"
    assert cells(found["xlsx"])[1] == [-1, TODAY, None]
    assert rows_of_parquet(found["parquet"]) == [(-1, TODAY), (None, None)]


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, -(2**53) - 1, 123_456_789_012_345_678])
def test_an_integer_that_a_workbook_cannot_hold_is_refused_and_not_rounded(number: int) -> None:
    """A number of a workbook is a float of 64 bits."""
    with pytest.raises(CannotBeWritten) as caught:
        files_of_rows(("Ann", number, TODAY))
    in_one_sentence(str(caught.value))


@pytest.mark.parametrize(
    "text", ["https://example.com", "mailto:ann@example.com", "0012", "1e5", "TRUE", "{=1}", "#N/A"]
)
def test_a_text_that_looks_like_something_else_is_a_text_in_a_workbook(text: str) -> None:
    found = files_of_rows((text, 0, TODAY))["xlsx"]
    assert cells(found)[1] == [text, 0, TODAY]
    assert not any("hyperlink" in part.decode() for part in files(found).values())


@pytest.mark.parametrize("day", [date(1900, 1, 1), date(1900, 2, 28), date(1900, 3, 1), date(2028, 2, 29), date.max])
def test_a_day_is_a_real_date_cell(day: date) -> None:
    assert cells(files_of_rows(("Ann", 0, day))["xlsx"])[1] == ["Ann", 0, day]


@pytest.mark.parametrize("day", [date(1899, 12, 31), date(1899, 12, 30), date.min])
def test_a_day_before_those_of_workbooks_is_refused(day: date) -> None:
    """A spreadsheet shows nothing but signs for a number of days below one."""
    with pytest.raises(CannotBeWritten) as caught:
        files_of_rows(("Ann", 0, day))
    in_one_sentence(str(caught.value))


def test_an_empty_cell_is_nothing_in_every_format() -> None:
    found = files_of_rows((None, None, None), ("Ann", 1, TODAY))
    assert found["csv"].splitlines(keepends=True)[1] == b",,\r\n"
    assert cells(found["xlsx"])[1:] == [[None, None, None], ["Ann", 1, TODAY]]
    assert rows_of_parquet(found["parquet"]) == [(None, None, None), ("Ann", 1, TODAY)]


@pytest.mark.parametrize("sign", CONTROL)
def test_a_character_that_xml_has_no_place_for_comes_back_out_of_a_workbook(sign: str) -> None:
    for name in (sign, f"a{sign}b", f"{sign}b", f"a{sign}"):
        assert cells(files_of_rows((name, 0, TODAY))["xlsx"])[1] == [name, 0, TODAY]


@pytest.mark.parametrize(
    "name",
    ["<b>Ann</b>", "<r>Ann</r>", "<r>&</r>", "<r><t>Ann</t></r>", "<r></b></r>", "]]>", "&lt;", "_x000D_", "</t>"],
)
def test_a_name_that_looks_like_xml_is_a_name(name: str) -> None:
    assert cells(files_of_rows((name, 0, TODAY))["xlsx"])[1] == [name, 0, TODAY]


@given(st.lists(st.text(st.sampled_from("<r>/t&;_x0041\0\r\n\t =\"'a🦉\ufffe"), max_size=9), max_size=20))
@settings(max_examples=100)
def test_any_text_comes_back_out_of_every_format(names: list[str]) -> None:
    rows = [(name, 0, TODAY) for name in names]
    found = files_of_rows(*rows)
    assert cells(found["xlsx"])[1:] == [list(row) for row in rows]
    assert rows_of_parquet(found["parquet"]) == rows
    _, *lines = csv.reader(StringIO(found["csv"].decode(), newline=""), strict=True)
    assert [line[0] for line in lines] == [f"'{name}" if name[:1] in RUN_AS_FORMULA else name for name in names]


def test_a_workbook_is_well_formed_and_tells_of_no_time_but_a_fixed_one() -> None:
    found = files_of_rows(("Ann", 0, TODAY))["xlsx"]
    assert parts(found).keys() == files(found).keys()
    for name, part in files(found).items():
        assert set(re.findall(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+Z?", part)) <= {b"2000-01-01T00:00:00Z"}, name
    with zipfile.ZipFile(BytesIO(found)) as packed:
        assert {of.date_time for of in packed.infolist()} == {(2000, 1, 1, 0, 0, 0)}


def test_a_workbook_has_the_reports_title_and_a_header_that_stays() -> None:
    found = files(files_of_rows(("Ann", 0, TODAY))["xlsx"])
    assert b"<dc:title>Active users and their completed lessons</dc:title>" in found["docProps/core.xml"]
    assert b'<pane ySplit="1"' in found["xl/worksheets/sheet1.xml"]


def test_a_workbook_of_as_many_rows_as_a_sheet_holds_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MOST_ROWS", 3)
    rows = table([(f"Ann {n}", n, TODAY) for n in range(3)])
    for cut in ([rows], [rows.head(2), rows.slice(2), rows.head(0)]):
        assert len(cells(files_of(active_users(), cut)["xlsx"])) == 4


@pytest.mark.parametrize("first", [0, 1, 3, 4])
def test_a_workbook_of_more_rows_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    monkeypatch.setattr(writing, "MOST_ROWS", 3)
    rows = table([(f"Ann {n}", n, TODAY) for n in range(4)])
    with pytest.raises(CannotBeWritten, match="A workbook holds 3 rows and the report has more") as caught:
        files_of(active_users(), [rows.head(first), rows.slice(first)])
    in_one_sentence(str(caught.value))
    assert "xlsx" in str(caught.value)


def test_a_sheet_holds_1048575_rows_below_its_header() -> None:
    assert writing.MOST_ROWS == 1_048_575


@pytest.mark.parametrize("name", ["a" * LONGEST_TEXT, "🦉" * (LONGEST_TEXT // 2)])
def test_the_longest_text_of_a_cell_is_written(name: str) -> None:
    assert cells(files_of_rows((name, 0, TODAY))["xlsx"])[1][0] == name


@pytest.mark.parametrize("name", ["a" * (LONGEST_TEXT + 1), "🦉" * (LONGEST_TEXT // 2 + 1)])
def test_a_longer_text_is_refused_by_a_workbook_in_one_sentence_that_does_not_tell_it(name: str) -> None:
    """A spreadsheet counts units of UTF-16: an owl is two."""
    with pytest.raises(CannotBeWritten, match="A text of column 'Name' has more than the 32,767") as caught:
        files_of_rows(("Ann", 0, TODAY), (name, 0, TODAY))
    in_one_sentence(str(caught.value))
    assert "aa" not in str(caught.value)
    plain = active_users().model_copy(update={"formats": ("csv", "parquet")})
    assert name.encode() in files_of(plain, [table([(name, 0, TODAY)])])["csv"]


def test_files_that_were_refused_are_let_go_of_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer of a file that is closed already has nothing more to write into it."""
    complaints: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: complaints.append(repr(told.exc_value)))

    def refused() -> None:
        report_files = Files(active_users())
        with pytest.raises(CannotBeWritten):
            report_files.add(table([("a" * (LONGEST_TEXT + 1), 0, TODAY)]))
        report_files.close()

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        refused()
        gc.collect()
    assert [*complaints, *(str(warning.message) for warning in told)] == []


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_written_is_not_held_in_memory(name: str) -> None:
    report = active_users().model_copy(update={"formats": (name,)})
    rows = [table([(f"Ann {part} {n}", n, TODAY) for n in range(2_000)]) for part in range(6)]
    report_files = Files(report)
    report_files.add(rows[0])
    tracemalloc.start()
    try:
        for part in rows[1:]:
            report_files.add(part)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    [file] = report_files.finish()
    file.content.close()
    assert held < 500_000


def test_rows_and_empty_cells_are_counted() -> None:
    report_files = Files(active_users())
    report_files.add(table([("Ann", 1, TODAY), ("", None, TODAY), (" \t\n", 1, None)]))
    report_files.add(table([(None, 1, TODAY)]))
    assert report_files.num_rows == 4
    assert report_files.num_empty == {HEADER[0]: 3, HEADER[1]: 1, HEADER[2]: 1}
    for file in report_files.finish():
        file.content.close()
