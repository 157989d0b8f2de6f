"""The reader says of everything below the header what the oracle says, whatever the bytes and however they arrive."""

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from platform_tests.intake.account import account_of, account_or_none, assert_adds_up, assert_equals_oracle
from platform_tests.intake.damage import ODD_SCRAPS, SCRAPS, damaged_files
from platform_tests.intake.good_files import GoodFile, among_good_rows, good_files

LIMITS = st.sampled_from([16 * 2**20, 60]) | st.integers(6, 80)
SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=4) | st.sampled_from([[1], [1 << 20]])
BLOCKS = st.sampled_from([1, 2, 16, 64, 500, 8 * 2**20])


def assert_reads_as_oracle(data: bytes, sizes: list[int], block_bytes: int, limit: int) -> set[str]:
    """What was found in the file, for Hypothesis to show."""
    account = account_or_none(data, sizes, block_bytes=block_bytes, max_record_bytes=limit)
    if account is None:
        return {"no delimited text"}
    assert_adds_up(account)
    assert_equals_oracle(account, max_record_bytes=limit)
    found = {reason for _, reason in account.reasons} | {kind for _, kind in account.kinds}
    return found | {record[5] for record in account.said.records if record[5]}


def note(found: set[str]) -> None:
    for what in found:
        event(what)


@given(good_files(), SIZES, BLOCKS, LIMITS)
def test_of_good_files(file: GoodFile, sizes: list[int], block_bytes: int, limit: int) -> None:
    note(assert_reads_as_oracle(file.data, sizes, block_bytes, limit))


@given(damaged_files(good_files()), SIZES, BLOCKS, LIMITS)
def test_of_damaged_files(data: bytes, sizes: list[int], block_bytes: int, limit: int) -> None:
    note(assert_reads_as_oracle(data, sizes, block_bytes, limit))


PARTED = "a§b\n1§2\n3§4\n5§6\n"
ABOVE = [
    b"",
    b"a,b\n1,2\n3,4\n5,6\n",
    b"a;b\r1;2\r3;4\r5;6\r",
    b"a\tb\r\n1\t2\r\n3\t4\r\n5\t6\r\n",
    PARTED.encode(),
    PARTED.encode("cp1252"),
]


@given(
    st.sampled_from(ABOVE),
    st.lists(st.sampled_from([*SCRAPS, *ODD_SCRAPS, b"\xa7", b"\xc2\xa7"]), max_size=60).map(b"".join),
    *(SIZES, BLOCKS, LIMITS),
)
def test_of_scraps(above: bytes, content: bytes, sizes: list[int], block_bytes: int, limit: int) -> None:
    note(assert_reads_as_oracle(above + content, sizes, block_bytes, limit))


@given(
    st.sampled_from([b"", among_good_rows(), among_good_rows().decode().encode("utf-16-le")]),
    st.binary(max_size=300),
    *(SIZES, BLOCKS, LIMITS),
)
def test_of_any_bytes(above: bytes, content: bytes, sizes: list[int], block_bytes: int, limit: int) -> None:
    note(assert_reads_as_oracle(above + content, sizes, block_bytes, limit))


# Lines whose quotes lead into the next lines: what a look-ahead remembers of one must hold for the others.
QUOTED = ['b","c', '"', 'a,"', 'a,"b,c', '",b', "a,b", "a", '"a","', '""', 'a""', '"a""b', '""",', '"x"y', "", '"",""']
# What is in doubt: these quotes close a field or open the next one.
DOUBTFUL = ['x,y,"', '"', 's",1,2', 's"', 's","', 'x,"y', 's"",1,2', '",1,2']
# And the lines of which tables and footers are made.
LINES = [
    *(*QUOTED, *DOUBTFUL),
    *("1,2,3", "x,y,z", "name,age,city", "p,q", "1,2", "7", " ", '"a"b,c,d', "é,1,2", "a,b,c,d"),
]
TAILS = ["", "\n", "\r", ",", 'x"', 'x",y\r', "x" * 50]


@given(
    lines=st.lists(st.sampled_from(LINES), max_size=16),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    tail=st.sampled_from(TAILS),
    encoding=st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-16-be", "cp1252"]),
    sizes=SIZES,
    block_bytes=BLOCKS,
    limit=LIMITS,
)
def test_of_lines_whose_quotes_lead_into_the_next(
    lines: list[str], line_end: str, tail: str, encoding: str, sizes: list[int], block_bytes: int, limit: int
) -> None:
    text = among_good_rows(line_end=line_end).decode() + line_end.join(lines) + tail
    note(assert_reads_as_oracle(text.encode(encoding), sizes, block_bytes, limit))


BACKSLASHED = [
    'a\\"b,1,2',
    '"a\\"b",1,2',
    '"a\\',
    '"a\\\\",1,2',
    "a\\,b,1,2",
    "a\\nb,1,2",
    '\\"a,1,2',
    '"a""b",1,2',
    '"a\\"',
]


@given(st.lists(st.sampled_from(BACKSLASHED + LINES), max_size=16), SIZES, BLOCKS, LIMITS)
def test_of_lines_with_backslashes(lines: list[str], sizes: list[int], block_bytes: int, limit: int) -> None:
    shown = [rf'Kim,{number},"the \"big\" one, {number}"' for number in range(5)]
    data = among_good_rows(*shown) + "\n".join(lines).encode()
    note(assert_reads_as_oracle(data, sizes, block_bytes, limit))


CONTENT = (
    '\ufeffh,"i\r\ni",j\r\n1,2,3\r\n4,5,6\r\n7,8,"9, 10"\r\na,"b""\r\nc",1\r\n'.encode()
    + ' \r\nx,y,z,3\r\n"a"b,c\r\né,"\u2019",1\r\n'.encode()
    + b'\x92,\x81,1\r\n"a"b,1,2\r\n1,"cut'
)


def test_every_chunk_border_is_harmless() -> None:
    whole = account_of(CONTENT)
    assert [reason for _, reason in whole.reasons] == [
        "wrong_number_of_fields",
        "text_after_quote",
        "undecodable",
        "unclosed_quote",
    ]
    for border in range(1, len(CONTENT)):
        for block_bytes in (8, 8 * 2**20):
            assert account_of(CONTENT, [border, len(CONTENT)], block_bytes=block_bytes).said == whole.said
    assert account_of(CONTENT, [1], block_bytes=1).said == whole.said


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ['x"', 'x""y"', 'x",', 'x"y', "", 'x",yyyyyyyyyyyyyyyyyyyy'])
def test_every_record_limit_cuts_the_look_ahead_where_looking_again_does(line_end: str, last: str) -> None:
    # With chunks of one byte, what is in sight ends on every byte of every line end once.
    lines = ['1,"', 'b","c', 'b","c', 'b","c"",', 'b","c', last, "4,5,6"]
    for end in ("", line_end, f'{line_end}"x{line_end}y",'):
        data = among_good_rows('Kim,18,"Reno"', line_end=line_end) + (line_end.join(lines) + end).encode()
        for limit in range(7, 50):
            assert_reads_as_oracle(data, [1], 8, limit)
