"""How a file is written is found by looking at it: files of known truth, kind by kind."""

from collections import Counter
from dataclasses import fields, replace
from random import Random

import pytest

from platform_tests.intake.account import account_of, assert_adds_up, checked
from platform_tests.intake.good_files import (
    DELIMITERS,
    ENCODINGS,
    LINE_ENDS,
    GoodFile,
    Way,
    among_good_rows,
    good_file,
    good_way,
)
from platform_tests.intake.losses import is_recognised


def mistakes(file: GoodFile) -> list[str]:
    """What the reader found otherwise than it is."""
    account = account_of(file.data)
    found = {
        "dialect": is_recognised(account, file),
        "header": (account.header.names if account.header else None) == file.names,
        "values": account.values == [list(piece.values) for piece in file.records],
        "rejects": account.reasons == [],
    }
    return [what for what, is_right in found.items() if not is_right]


def files_of(way: Way, number: int, *, width: int = 0) -> list[GoodFile]:
    random = Random(repr(way))
    return [good_file(random, way, num_records=random.randrange(5, 30), width=width) for _ in range(number)]


def share_right(files: list[GoodFile]) -> float:
    return sum(not mistakes(file) for file in files) / len(files)


PROSE_HAS_THEM_TOO = (" ", ":")


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("quote", ['"', "'", None])
def test_every_delimiter_is_found_with_every_quote(delimiter: str, quote: str | None) -> None:
    share = share_right(files_of(Way(delimiter=delimiter, quote=quote), 30))
    if delimiter in PROSE_HAS_THEM_TOO:
        assert share >= 0.8
    else:
        assert share == 1 if quote != "'" else share >= 0.95


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("line_end", LINE_ENDS)
def test_every_encoding_is_found_with_every_line_end(encoding: str, line_end: str) -> None:
    assert share_right(files_of(Way(encoding=encoding, line_end=line_end, breaks_in_values=True), 30)) == 1


@pytest.mark.parametrize(
    "way",
    [
        Way(backslash=True),
        Way(always_quoted=True),
        Way(has_header=False),
        Way(header_breaks=True),
        Way(has_preamble=True),
        Way(has_blanks=True),
        Way(repeats_header=True),
        Way(below="footer"),
        Way(below="footer below a blank"),
        Way(below="table"),
        Way(below="table between"),
        Way(ends_with_line_end=False),
    ],
    ids=repr,
)
def test_everything_around_the_records_is_found(way: Way) -> None:
    # Without a header, a first record of words alone may be taken for one.
    least = 1 if way.has_header else 0.9
    for delimiter in (",", ";", "\t"):
        assert share_right(files_of(replace(way, delimiter=delimiter), 30)) >= least


def test_files_of_one_column_are_found() -> None:
    assert share_right(files_of(Way(), 60, width=1)) >= 0.9


def test_a_file_without_any_lf_has_lines_that_end_with_cr() -> None:
    rows = [f"{number},1/{number}/2020" for number in range(1, 6)]
    for below in ([], ["", "id,sum,x,y,z", "7,1,2,3,4", "8,2,3,4,5", "9,3,4,5,6"], ["", "End of report"]):
        account = checked("\r".join(["name,day", *rows, *below, ""]).encode())
        assert account.dialect.lone_cr
        assert [values[0] for values in account.values] == [str(number) for number in range(1, 6)]


@pytest.mark.parametrize("escaped", ["O''Hara", "O\\'Hara"])
def test_a_quote_is_found_where_each_quoted_value_has_one_in_it(escaped: str) -> None:
    rows = [f"{number};'{escaped}';Reno" for number in range(1, 9)]
    account = checked("\n".join(["id;name;city", *rows, ""]).encode())
    assert account.dialect.quote == "'"
    assert {values[1] for values in account.values} == {"O'Hara"}


@pytest.mark.parametrize("delimiter", [" ", ":"])
def test_a_delimiter_that_prose_has_too_is_found_where_every_value_is_quoted(delimiter: str) -> None:
    rows = [["id", "place", "at"], *([str(number), "Tulsa, OK", "2020-01-02 10:12:14"] for number in range(1, 9))]
    text = "".join(delimiter.join(f'"{value}"' for value in row) + "\n" for row in rows)
    account = checked(text.encode())
    assert account.dialect.delimiter == delimiter
    assert account.values == rows[1:]


@pytest.mark.parametrize("delimiter", ["§", "¦", "¬"])
def test_a_delimiter_beyond_ascii_tells_whether_the_file_is_in_cp1252(delimiter: str) -> None:
    lines = ["Zoë@18@Reno", 'Æsa@19@"\nReno"', "#@20@Ely", '"@21@Ely', "Lee@22@Ely"]
    text = among_good_rows(*lines).decode().replace(",", "@").replace("Reno@ NV", "Reno, NV").replace("@", delimiter)
    for encoding in ("utf-8", "cp1252"):
        account = checked(text.encode(encoding).replace(b"#", b"\x81"))
        assert (account.dialect.delimiter, account.dialect.encoding) == (delimiter, encoding)
        assert account.values[5:8] == [["Zoë", "18", "Reno"], ["Æsa", "19", "\nReno"], ["Lee", "22", "Ely"]]
        assert len(account.values) == 13
        assert [reason for _, reason in account.reasons] == ["undecodable", "unclosed_quote"]


def test_a_column_of_times_is_one_column() -> None:
    times = [f"2020-01-0{day} 10:12:1{day}" for day in range(1, 10)]
    assert checked("\n".join(["Issue Date", *times, ""]).encode()).values == [[time] for time in times]


def test_a_blank_value_in_quotes_is_a_record_of_a_file_of_one_column_wherever_it_stands() -> None:
    assert checked(b'""\n7\n8\n9\n10\n').values == [[""], ["7"], ["8"], ["9"], ["10"]]
    assert checked(b'name\n""\n7\n8\n9\n10\n').values == [[""], ["7"], ["8"], ["9"], ["10"]]
    assert checked(b"name\n \n7\n8\n9\n10\n").values == [[" "], ["7"], ["8"], ["9"], ["10"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_first_line_that_is_too_long_is_not_cut(encoding: str) -> None:
    line_end = "\n".encode(encoding)
    for number, limit in ((100, 49), (200_000, 300_001)):
        data = (",é" * number + "\n1,2\n3,4\n5,6\n7,8\n").encode(encoding)
        account = account_of(data, max_record_bytes=limit)
        assert_adds_up(account)
        assert not any(0 < start < data.index(line_end) for start, _ in account.spans)


def test_files_written_in_any_way_are_found() -> None:
    random = Random(1)
    seen, right, what = Counter[str](), Counter[str](), Counter[str]()
    for _ in range(600):
        file = good_file(random, good_way(random))
        wrong = mistakes(file)
        what.update(wrong)
        kinds = [f"{field.name}={getattr(file.way, field.name)!r}" for field in fields(Way)] + [f"width={file.width}"]
        seen.update(kinds)
        right.update(kinds if not wrong else [])
    for kind, number in sorted(seen.items()):
        print(f"{kind:40} {right[kind] / number:.3f} of {number}")
    print(what)
    assert right["backslash=False"] + right["backslash=True"] >= 0.9 * 600
