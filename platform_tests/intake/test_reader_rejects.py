"""Damage stays where it is: each reason of a reject, how far it reaches, and that its neighbours are read."""

import pytest

from platform_tests.intake.account import Account, checked
from platform_tests.intake.good_files import among_good_rows


def read_among(*lines: str, num_good: int = 10, **options: int) -> Account:
    account = checked(among_good_rows(*lines), **options)
    good = [values for values in account.values if len(values) == 3 and len(values[0]) == 3]
    assert len(good) == num_good, "a neighbour was not read"
    return account


def test_a_stray_opening_quote_costs_its_own_line_only() -> None:
    assert read_among('1,2,"3').reasons == [(7, "unclosed_quote")]


def test_a_stray_quote_before_a_quoted_record_costs_its_own_line_only() -> None:
    account = read_among('Kim,18,"Reno', 'Lee,19,"Las Vegas"', num_good=11)
    assert account.reasons == [(7, "text_after_quote")]
    assert ["Lee", "19", "Las Vegas"] in account.values


def test_text_after_a_closing_quote_costs_its_own_line_only() -> None:
    assert read_among('"1" x,2').reasons == [(7, "text_after_quote")]


def test_short_and_long_records_are_rejected_and_never_padded() -> None:
    account = read_among("1", "1,2,3,4", "1,2")
    assert account.reasons == [(line, "wrong_number_of_fields") for line in (7, 8, 9)]


def test_a_well_formed_record_of_several_lines_with_a_wrong_number_of_fields_is_rejected_whole() -> None:
    account = read_among('1,"x', "y", 'z",2,3,4')
    assert account.text_of(account.said.rejects) == [b'1,"x\ny\nz",2,3,4\n']
    assert account.said.records[5][1] == 10


def test_two_stray_quotes_do_not_swallow_the_records_between_them() -> None:
    account = read_among('Kim,"19', "Lee,20,Ely", 'Max,21"', num_good=11)
    assert account.reasons == [(7, "wrong_number_of_fields"), (9, "wrong_number_of_fields")]


def test_a_quote_that_runs_over_a_record_ends_at_its_own_line() -> None:
    account = read_among('1,"2', "x", "Kim,18,Ely", 'y",3,4,5', num_good=11)
    assert [reject[1] for reject in account.said.rejects] == [7, 8, 10]


def test_a_nul_byte_rejects_its_record_and_no_other() -> None:
    assert read_among("1,\0,3").reasons == [(7, "nul_byte")]


def test_a_byte_that_no_encoding_knows_rejects_its_record_and_never_becomes_a_replacement_character() -> None:
    data = among_good_rows("1,@,3", "é,@,4").replace(b"@", b"\x81")
    account = checked(data)
    assert account.reasons == [(7, "undecodable"), (8, "undecodable")]
    assert account.text_of(account.said.rejects) == [b"1,\x81,3\n", "é,@,4\n".encode().replace(b"@", b"\x81")]
    assert not any("\ufffd" in value for values in account.values for value in values)


@pytest.mark.parametrize(("at", "what"), [(96, b"\x00\xd8"), (96, b"\x00\xdc")])
def test_half_a_surrogate_pair_is_undecodable_in_utf_16(at: int, what: bytes) -> None:
    data = among_good_rows("1,2,3").decode().encode("utf-16-le")
    at = data.index("1,2,3".encode("utf-16-le"))
    assert checked(data[:at] + what + data[at:]).reasons == [(7, "undecodable")]


def test_an_odd_last_byte_is_undecodable_in_utf_16() -> None:
    data = among_good_rows().decode().encode("utf-16-be")
    account = checked(data[:-2] + b"x")
    assert account.reasons == [(11, "undecodable")]
    assert account.said.rejects[-1][3] == len(data) - 1


def test_an_undecodable_byte_in_utf_16_is_no_cp1252() -> None:
    data = among_good_rows("é,\u2019,\u201c").decode().encode("utf-16")
    account = checked(data)
    assert ["é", "\u2019", "\u201c"] in account.values
    assert {record[5] for record in account.said.records} == {None}


def test_a_file_cut_inside_a_quote_loses_only_its_last_record() -> None:
    data = among_good_rows('"Doe', 'Owner",1,x') + b'"Poe\nOwn'
    account = checked(data)
    assert account.said.records[5][4] == ["Doe\nOwner", "1", "x"]
    assert [row[:2] + row[4:] for row in account.said.rejects] == [(12, 14, "unclosed_quote")]
    assert account.text_of(account.said.rejects) == [b'"Poe\nOwn']


def test_a_file_cut_long_after_a_stray_quote_loses_only_its_record() -> None:
    account = read_among('"Poe', "Own")
    assert account.reasons == [(7, "unclosed_quote"), (8, "wrong_number_of_fields")]


def test_a_record_as_long_as_the_limit_is_read_and_a_byte_more_is_too_long() -> None:
    assert read_among("1,2," + "3" * 35, max_record_bytes=40).reasons == []
    assert read_among("1,2," + "3" * 36, max_record_bytes=40).reasons == [(7, "record_too_long")]


def test_a_quoted_record_as_long_as_the_limit_is_read_and_of_a_byte_more_no_line_is() -> None:
    assert read_among('1,2,"' + "3" * 20, "3" * 12 + '"', max_record_bytes=40).reasons == []
    account = read_among('1,2,"' + "3" * 20, "3" * 13 + '"', max_record_bytes=40)
    assert account.reasons == [(7, "unclosed_quote"), (8, "wrong_number_of_fields")]


def test_a_long_line_is_one_reject_to_its_line_end() -> None:
    account = read_among("x" * 1000, max_record_bytes=40)
    assert account.reasons == [(7, "record_too_long")]
    assert account.text_of(account.said.rejects) == [b"x" * 1000 + b"\n"]


def test_the_limit_counts_the_bytes_of_the_utf_8_form() -> None:
    for encoding in ("utf-8", "utf-16-le"):
        data = among_good_rows("1,2," + "é" * 17).decode().encode(encoding)
        assert checked(data, max_record_bytes=39).reasons == []
        assert checked(data, max_record_bytes=38).reasons == [(7, "record_too_long")]


def test_the_detail_of_a_reject_is_a_sentence_that_never_holds_a_value() -> None:
    lines = ["SECRET", '"SECRET"x,1', "SECRET,\x81,1", "SECRET,\0,1", "SECRET," + "SECRET" * 20, '1,"SECRET']
    account = checked(among_good_rows(*lines).replace("\x81".encode(), b"\x81"), max_record_bytes=60)
    assert {reason for _, reason in account.reasons} == {
        "wrong_number_of_fields",
        "text_after_quote",
        "undecodable",
        "nul_byte",
        "record_too_long",
        "unclosed_quote",
    }
    assert all(detail and "SECRET" not in detail for detail in account.details)


def test_a_bad_first_record_costs_nothing_else() -> None:
    data = among_good_rows().replace(b"Ann,31,Reno", b'Ann,"31,Reno')
    account = checked(data)
    assert account.reasons == [(2, "text_after_quote")]
    assert len(account.values) == 9
