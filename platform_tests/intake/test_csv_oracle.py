"""The oracle itself: it reads files of known truth truly, and accounts for every byte of any others."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_tests.intake.damage import damaged_files
from platform_tests.intake.good_files import GoodFile, Piece, good_file, good_files
from platform_tests.oracles.csv_reader import Found, Said, read_below


def span_of(pieces: list[Piece]) -> tuple[int, int] | None:
    return (pieces[0].byte_from, pieces[-1].byte_to) if pieces else None


def found_in(file: GoodFile) -> Found:
    way = file.way
    spans = (span_of(file.of_kind(kind)) for kind in ("bom", "preamble", "header"))
    return Found(
        *(way.delimiter, file.width, way.quote, way.backslash, way.line_end == "\r", way.codec, file.names), *spans
    )


def assert_true(file: GoodFile) -> None:
    said = read_below(file.data, found_in(file))
    assert [(row[2], row[3], tuple(row[4]), row[5]) for row in said.records] == [
        (piece.byte_from, piece.byte_to, piece.values, piece.repair) for piece in file.records
    ]
    assert said.rejects == []
    assert [(row[0], row[2], row[3]) for row in said.structure] == [
        (piece.kind, piece.byte_from, piece.byte_to)
        for piece in file.of_kind("blank", "repeated_header", "table", "footer")
    ]


def assert_tiles(said: Said, start: int, end: int) -> None:
    spans = sorted([row[2:4] for row in said.records] + [row[2:4] for row in (*said.rejects, *said.structure)])
    for byte_from, byte_to in spans:
        assert byte_from == start < byte_to
        start = byte_to
    assert start == end


def test_the_oracle_reads_a_thousand_files_of_known_truth_truly() -> None:
    random = Random(1)
    for _ in range(1000):
        assert_true(good_file(random))


@given(good_files())
def test_the_oracle_reads_files_of_known_truth_truly(file: GoodFile) -> None:
    assert_true(file)


@given(damaged_files(good_files()), good_files(), st.sampled_from([2**24, 60, 20]))
def test_the_oracle_accounts_for_every_byte_of_damaged_files(data: bytes, other: GoodFile, limit: int) -> None:
    found = found_in(other)
    body = min(found.body, len(data))
    cut = replace(found, bom=None, preamble=None, header=(0, body) if body else None)
    said = read_below(data, cut, max_record_bytes=limit)
    unit = int(cut.encoding[4:6]) // 8 if cut.encoding.startswith("utf-16") else 1
    if body % unit == 0:
        assert_tiles(said, body, len(data))


CSV = Found(",", 3, names=("a", "b", "c"), header=(0, 6))


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ('"x" y,1,2', ['"x" y', "1", "2"]),
        ('a,"b"c,"d,e"', ["a", '"b"c', "d,e"]),
        ('"a "b" c",1,2', ['a "b" c', "1", "2"]),
        ('"a,"b",c",1,2', ['a,"b",c', "1", "2"]),
        ('"a"b,"c","d"', ['"a"b', "c", "d"]),
        ('"a"",b",x"y,"c"z', ['a",b', 'x"y', '"c"z']),
        ('"x"y,"z"w,1', None),
        ('"x"y,z"w,1', None),
        ('"a"b,1', None),
        ('"a"b,1,2,3', None),
        ('"a"b,"c,d","e,f"', ['"a"b', "c,d", "e,f"]),
        ('"a","b"x","c","d"', None),
    ],
)
def test_a_line_is_mended_only_where_there_is_one_way_to_read_it(line: str, values: list[str] | None) -> None:
    said = read_below(f"a,b,c\n{line}\n".encode(), CSV)
    assert [row[4:] for row in said.records] == ([(values, "stray_quote_as_text")] if values else [])
    assert [row[4] for row in said.rejects] == ([] if values else ["text_after_quote"])


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (r'"a\"b",c\,d,e', ['a"b', "c,d", "e"]),
        (r'"a""b",\\,\n', ['a"b', "\\", r"\n"]),
        (r"\"a,b\"c,\\\,", ['"a', 'b"c', "\\,"]),
        (r'"\\","\\\"",\ ', ["\\", '\\"', "\\ "]),
    ],
)
def test_a_backslash_escapes_quote_delimiter_and_backslash_and_nothing_else(line: str, values: list[str]) -> None:
    found = Found(",", 3, backslash=True)
    assert [row[4] for row in read_below(line.encode(), found).records] == [values]


def test_the_oracle_counts_in_the_bytes_of_utf_16() -> None:
    data = "a,b\né,2\n\n3\ud800,4\n5,6,7\n".encode("utf-16-le", "surrogatepass") + b"x"
    said = read_below(data, Found(",", 2, encoding="utf-16-le", names=("a", "b"), header=(0, 8)))
    assert said.records == [(1, 2, 8, 16, ["é", "2"], None)]
    assert said.structure == [("blank", 3, 16, 18, 1)]
    assert said.rejects == [
        (2, 4, 18, 28, "undecodable"),
        (3, 5, 28, 40, "wrong_number_of_fields"),
        (4, 6, 40, 41, "wrong_number_of_fields"),
    ]
