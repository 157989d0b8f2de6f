"""What is mended, and only where there is one way to mend it; it says so on the record."""

import pytest

from platform_tests.intake.account import checked
from platform_tests.intake.good_files import among_good_rows

ODD = 'Kim,18,"Las Vegas"'  # shows the reader that quotes quote here


def mended(*lines: str) -> list[tuple[list[str], str]]:
    account = checked(among_good_rows(ODD, *lines))
    return [(record[4], record[5]) for record in account.said.records if record[5]]


def test_a_cp1252_byte_is_mended_in_its_own_record_only() -> None:
    data = among_good_rows("BÉA,1,x", "KID@S CLUB,2,RENO").replace(b"@", b"\x92")
    account = checked(data)
    assert [record[4:] for record in account.said.records[5:7]] == [
        (["BÉA", "1", "x"], None),
        (["KID\u2019S CLUB", "2", "RENO"], "decoded_as_cp1252"),
    ]
    assert account.reasons == []


def test_a_record_that_needs_cp1252_is_parted_by_the_delimiter_of_its_file() -> None:
    data = among_good_rows("KID@S CLUB,2,MAIN ST").replace(b",", "§".encode()).replace(b"@", b"\x92")
    assert checked(data).said.records[5][4:] == (["KID\u2019S CLUB", "2", "MAIN ST"], "decoded_as_cp1252")


def test_every_record_of_a_cp1252_file_is_mended_by_itself() -> None:
    account = checked(among_good_rows("Zoë,1,x", "Café,2,é").decode().encode("cp1252"))
    assert [record[4] for record in account.said.records if record[5]] == [["Zoë", "1", "x"], ["Café", "2", "é"]]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ('"Kids" Club,2,x', ['"Kids" Club', "2", "x"]),
        ('x,"Kids"Club,"Reno, NV"', ["x", '"Kids"Club', "Reno, NV"]),
        ('"the "Kids" club",2,x', ['the "Kids" club', "2", "x"]),
        ('"Reno, "NV"",2,x', ['Reno, "NV"', "2", "x"]),
    ],
)
def test_a_stray_quote_is_text_where_there_is_one_way_to_cut_the_line(line: str, values: list[str]) -> None:
    assert mended(line) == [(values, "stray_quote_as_text")]


@pytest.mark.parametrize(
    "line",
    [
        '"a","b"x","c","d"',  # two ways
        '"a"b,"c"d,e',  # two fields that a quote opens and none closes
        '"a"b,c"d,e',  # or which the later quote may close
        '"a"b,c' + ",d" * 100,
        '"a"b,c',
    ],
)
def test_a_stray_quote_is_a_reject_where_the_line_can_be_cut_otherwise(line: str) -> None:
    account = checked(among_good_rows(ODD, line))
    assert account.reasons == [(8, "text_after_quote")]


def test_a_stray_quote_in_a_record_of_several_lines_is_not_mended() -> None:
    account = checked(among_good_rows(ODD, 'x,1,"y', 'z" z'))
    assert account.reasons == [(8, "text_after_quote"), (9, "wrong_number_of_fields")]


def test_a_mended_line_with_a_nul_byte_or_an_undecodable_one_is_that_reject() -> None:
    data = among_good_rows(ODD, '"a"\0b,1,c', '"a"@b,1,c').replace(b"@", b"\x81")
    assert checked(data).reasons == [(8, "nul_byte"), (9, "undecodable")]


def test_nothing_is_mended_in_a_file_with_backslashes() -> None:
    rows = [rf'Kim,{number},"the \"big\" one, {number}"' for number in range(9)]
    account = checked(among_good_rows(*rows, '"a"b,1,c'))
    assert account.dialect.backslash
    assert account.reasons == [(16, "text_after_quote")]
