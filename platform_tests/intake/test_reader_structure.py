"""What is no record and no damage: blank lines, what stands above and below the table, and other tables."""

import pytest

from platform_tests.intake.account import Account, checked
from platform_tests.intake.good_files import among_good_rows

GOOD = among_good_rows().decode()


def kinds(*lines: str, data: bytes = b"") -> list[tuple[int, str]]:
    account = checked(data or among_good_rows(*lines))
    return [(line, kind) for line, kind in account.kinds if kind != "header"]


def below(*lines: str, end: str = "\n") -> Account:
    """A file of ten records (lines 2 to 11) and the lines below them."""
    return checked((GOOD + "\n".join(lines) + end).encode())


def declared(account: Account) -> list[tuple[str, int, int]]:
    """Kind, first line and number of lines of what is neither header nor blank."""
    return [(row[0], row[1], row[4]) for row in account.said.structure if row[0] not in {"header", "blank"}]


def test_blank_lines_are_structure_and_not_records() -> None:
    account = checked(among_good_rows("", " \t", ""))
    assert [line for line, kind in account.kinds if kind == "blank"] == [7, 8, 9]
    assert [record[0] for record in account.said.records] == list(range(1, 11))


def test_a_line_of_delimiters_is_a_record_of_empty_fields() -> None:
    tabs = among_good_rows(",,").replace(b",", b"\t")
    for data in (among_good_rows(",,"), tabs):
        assert ["", "", ""] in checked(data).values


def test_a_space_is_a_value_in_a_file_of_one_column() -> None:
    account = checked(b"name\nAnn\nBob\n \n\nCid\nDot\nEve\n")
    assert account.width == 1
    assert [" "] in account.values
    assert [line for line, kind in account.kinds if kind == "blank"] == [5]


def test_a_line_of_white_space_above_a_file_of_one_column_is_its_preamble() -> None:
    account = checked(b'\t\n\n""\n7\n')
    assert account.kinds == [(1, "preamble"), (2, "blank")]
    assert account.values == [[""], ["7"]]


def test_the_header_s_very_bytes_again_are_a_repeated_header() -> None:
    assert kinds("name,age,city") == [(7, "repeated_header")]
    assert kinds('"name",age,city') == []


def test_lines_above_the_table_are_its_preamble() -> None:
    account = checked(b"Report of providers\nCreated 2023-07-07\n\n" + among_good_rows())
    assert account.header is not None
    assert (account.header.line, account.header.names) == (4, ("name", "age", "city"))
    assert {row[0] for row in account.said.structure if row[2] < account.header.byte_from} <= {"preamble", "blank"}
    assert len(account.values) == 10


def test_a_file_may_have_no_header() -> None:
    data = among_good_rows().replace(b"name,age,city\n", b"")
    account = checked(data)
    assert account.header is None
    assert len(account.values) == 10


def test_a_header_of_several_lines_is_one() -> None:
    account = checked(among_good_rows().replace(b"name,", b'"name\nof provider",'))
    assert account.header is not None
    assert (account.header.names[0], account.header.num_lines) == ("name\nof provider", 2)
    assert account.said.records[0][1] == 3


def test_a_file_of_a_header_alone_has_no_record() -> None:
    account = checked(b"name,age,city\n")
    assert account.values == []
    assert account.reasons == []


TABLE = ("id,amount", "7,1.50", "8,2.50", "9,3.50")
MORE = ("Kim,18,Ely", "Lee,19,Reno", "Max,20,Ely")


def test_another_table_below_a_blank_line_is_declared_to_the_end_of_the_file() -> None:
    assert declared(below("", *TABLE, "", "done")) == [("table", 13, 6)]


def test_another_table_right_below_needs_values_under_its_names() -> None:
    assert declared(below(*TABLE)) == [("table", 12, 4)]
    account = below("id,amount", "x,y", "u,v", "u,w")
    assert ("table", 12, 4) not in declared(account)


def test_another_table_with_half_of_the_header_s_names_needs_no_values() -> None:
    assert declared(below("name,age,shoe,hat", "x,y,z,1a", "u,v,w,1b")) == [("table", 12, 3)]
    assert declared(below("name,shoe", "x,y", "u,v")) == []


def test_the_first_three_lines_of_another_table_are_within_20() -> None:
    assert declared(below("", "id,sum", "7,1", *[""] * 17, "8,2")) == [("table", 13, 20)]
    assert "table" not in [row[0] for row in declared(below("", "id,sum", "7,1", *[""] * 18, "8,2"))]


def test_a_table_is_looked_for_behind_every_leftover() -> None:
    assert declared(below("", "7,8", "9,9", "id,sum", "7,1", "8,2")) == [("table", 15, 3)]


@pytest.mark.parametrize(
    "lines",
    [
        ('b","c', "p,q", "1,2"),
        ("p,q", 'b","c', "1,2"),
        ("p,q", "1,2", 'b","c'),
    ],
)
def test_a_line_whose_open_quote_runs_over_a_record_begins_no_table(lines: tuple[str, ...]) -> None:
    account = below(*lines, "1,2,3", '"', end="")
    assert declared(account) == []
    assert account.values[-1] == ["1", "2", "3"]
    assert [reason for _, reason in account.reasons] == ["wrong_number_of_fields"] * 3 + ["unclosed_quote"]


@pytest.mark.parametrize("names", ["id,id", "id,", "id,2023", "id,7/7/2023", "id,10:30", "id,1.5"])
def test_a_table_begins_with_a_line_that_reads_like_a_header(names: str) -> None:
    assert "table" not in [row[0] for row in declared(below("", names, "7,1.50", "8,2.50"))]


def test_two_lines_are_no_table() -> None:
    assert "table" not in [row[0] for row in declared(below("", "id,amount", "7,1.50"))]


def test_a_table_between_ends_where_three_records_follow() -> None:
    account = below("", *TABLE, "", *MORE)
    assert declared(account) == [("table", 13, 5)]
    assert account.values[-3:] == [line.split(",") for line in MORE]
    assert account.said.records[-3][:2] == (11, 18)


def test_two_records_below_a_table_belong_to_it() -> None:
    assert declared(below("", *TABLE, *MORE[:2])) == [("table", 13, 6)]


def test_records_that_read_like_a_header_do_not_end_a_table() -> None:
    account = below("", *TABLE, "p,q,r", *MORE)
    assert declared(account) == [("table", 13, 5)]


def test_lines_below_the_last_record_and_a_blank_one_are_a_footer() -> None:
    account = below("", "Total,25", "", "End of report", "")
    assert declared(account) == [("footer", 13, 1), ("footer", 15, 1)]
    assert [line for line, kind in account.kinds if kind == "blank"] == [12, 14, 16]


def test_a_footer_right_below_the_records_has_one_value_a_line_and_that_in_words() -> None:
    assert declared(below("Total 25", "End,")) == [("footer", 12, 1), ("footer", 13, 1)]
    assert declared(below("Total,25")) == []
    assert declared(below("End", "25")) == []
    assert declared(below("7/7/2023,")) == []
    assert declared(below("", "25")) == [("footer", 13, 1)]


def test_a_line_without_an_end_may_be_a_cut_record_and_no_footer() -> None:
    account = below("Total 25", "Kim,17", end="")
    assert declared(account) == [("footer", 12, 1)]
    assert account.reasons == [(13, "wrong_number_of_fields")]
    assert declared(below("Kim", end="")) == []
    assert declared(below("Kim", "  ", end="")) == [("footer", 12, 1)]
    assert declared(below("", "Kim", end="")) == [("footer", 13, 1)]


def test_a_footer_has_fewer_fields_than_the_table_and_at_most_50_lines() -> None:
    assert declared(below("", "a,b,c,d")) == []
    assert declared(below("", *["x"] * 50)) == [("footer", line, 1) for line in range(13, 63)]
    assert declared(below("", *["x"] * 51)) == []


def test_short_lines_between_records_are_damage_and_no_footer() -> None:
    assert declared(checked(among_good_rows("", "Total 25"))) == []


def test_structure_has_no_record_number() -> None:
    account = below("x,y,z,4", "", *TABLE, *MORE, "q", "", "Total 25")
    assert [row[0] for row in account.said.rejects] == [11]
    assert [row[0] for row in account.said.records][-3:] == [12, 13, 14]
