"""A quote that closes one record or opens the next: nobody can tell which, so neither is accepted."""

import pytest

from platform_tests.intake.account import Account, assert_equals_oracle, checked
from platform_tests.intake.good_files import among_good_rows
from platform_tests.intake.losses import Tally, damage, judge

ODD = 'Kim,18,"Las Vegas"'  # shows the reader that quotes quote here
NUM_GOOD = 11


def read_among(*lines: str, line_end: str = "\n") -> Account:
    return checked(among_good_rows(ODD, *lines, line_end=line_end))


def assert_one_reject(account: Account, reason: str, *lines: str) -> None:
    assert [reject[4] for reject in account.said.rejects] == [reason]
    assert account.text_of(account.said.rejects) == ["".join(line + "\n" for line in lines).encode()]
    assert len(account.values) == NUM_GOOD


def test_a_record_that_closes_where_the_next_one_may_open_is_rejected_with_it() -> None:
    lines = ['Lee,19,"Elko', 'Max,20,"', 'starts below"']
    assert_one_reject(read_among(*lines), "unclosed_quote", *lines)


def test_a_reject_that_closes_where_the_next_record_may_open_takes_that_one_along() -> None:
    lines = ['"Lee,19', '"', 'starts below",20,Ely']
    assert_one_reject(read_among(*lines), "wrong_number_of_fields", *lines)


@pytest.mark.parametrize("rest", [["", 'below",20,Ely'], ["starts", 'below",20,Ely'], ['below","', 'x",Ely']])
def test_the_record_that_may_open_there_may_have_any_number_of_lines(rest: list[str]) -> None:
    account = read_among('"Lee,19', '"', *rest)
    assert_one_reject(account, "wrong_number_of_fields", '"Lee,19', '"', *rest)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_records_that_an_open_quote_in_doubt_runs_over_are_read(line_end: str) -> None:
    account = read_among('Lee,19,"Elko', "Ned,21,Ely", 'Max,20,"', 'starts below"', line_end=line_end)
    assert account.reasons == [(8, "unclosed_quote")]
    assert ["Ned", "21", "Ely"] in account.values
    assert ["Max", "20", f"{line_end}starts below"] in account.values


def test_a_first_record_that_a_quote_of_the_header_may_open_is_rejected() -> None:
    data = among_good_rows(ODD).replace(b"name,age,city\n", b'name,age,"city\n"\nof birth",5,Ely\n')
    account = checked(data.replace(b'name,age,"city', b'"name,age,city'))
    assert account.reasons == [(3, "unclosed_quote")]
    assert len(account.values) == NUM_GOOD


def test_a_value_that_ends_with_a_line_end_is_not_in_doubt_above_what_is_in_order() -> None:
    account = read_among('"ends below', '",19,Elko', '"', 'starts below",20,Ely', 'Lee,19,"', '"', 'Max,20,"', 'x"')
    assert account.reasons == []
    assert account.values[6:10] == [
        ["ends below\n", "19", "Elko"],
        ["\nstarts below", "20", "Ely"],
        ["Lee", "19", "\n"],
        ["Max", "20", "\nx"],
    ]


def test_a_quote_as_text_is_read_below_a_value_that_ends_with_a_line_end() -> None:
    account = read_among('Lee,19,"ends below', '"', 'the 5" pipe,20,Ely', '"ends below', '",19,Elko', 'Max,20,x"')
    assert account.reasons == []
    assert account.values[6:10] == [
        ["Lee", "19", "ends below\n"],
        ['the 5" pipe', "20", "Ely"],
        ["ends below\n", "19", "Elko"],
        ["Max", "20", 'x"'],
    ]


def test_a_quote_as_text_below_a_record_is_not_in_doubt() -> None:
    account = read_among('Lee,19,"Elko', 'Max,20,"', "Ned,21,Ely", 'starts below"')
    assert ["Lee", "19", "Elko\nMax,20,"] in account.values
    assert ["Ned", "21", "Ely"] in account.values
    assert account.reasons == [(11, "wrong_number_of_fields")]


@pytest.mark.parametrize("num_above", range(12))
def test_a_doubt_reaches_over_the_end_of_a_block(num_above: int) -> None:
    above = [f'{"x" * number},19,"Las Vegas"' for number in range(num_above)]
    account = read_among(*above, 'Lee,19,"Elko', 'Max,20,"', 'starts below"')
    assert account.reasons == [(8 + num_above, "unclosed_quote")]


SEEDS = [20258686, 20265391, 20267099, 20269515, 20319776, 20331407]


@pytest.mark.parametrize("seed", SEEDS)
def test_damage_that_moved_a_quote_s_end_loses_no_record(seed: int) -> None:
    tally = Tally()
    file, edit = damage(seed)
    judge(tally, seed, file, edit)
    assert (tally.violations, tally.crashes, tally.losses) == (0, 0, 0)
    assert_equals_oracle(checked(edit.apply(file.data)))
