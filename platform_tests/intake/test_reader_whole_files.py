"""Files that are no delimited text, and what a caller holds in hand: reading, batches, structure, arguments."""

from collections.abc import Iterator

import polars as pl
import pytest

from data_platform.intake import NotDelimitedText, read
from platform_tests.intake.account import account_of
from platform_tests.intake.good_files import among_good_rows


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\n\r\n\r", b"\xef\xbb\xbf \t\n  "])
def test_a_file_without_content_is_empty(data: bytes) -> None:
    with pytest.raises(NotDelimitedText) as caught:
        read([data])
    assert caught.value.reason == "empty_file"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"PK\x03\x04\x14\x00data.csv", "a ZIP archive"),
        (b"PK\x03\x04\x14\x00[Content_Types].xml", "XLSX"),
        (b"\x1f\x8b\x08abc", "gzip"),
        (b"PAR1\x15\x04\x15", "Parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "XLS"),
        (b"\x89PNG\r\n\x1a\n" + b"\0\1\2\3" * 50, "control characters"),
    ],
)
def test_a_file_that_is_no_text_is_named_for_what_it_looks_like(data: bytes, kind: str) -> None:
    with pytest.raises(NotDelimitedText, match=kind) as caught:
        read([data])
    assert caught.value.reason == "not_text"


def test_a_column_may_be_called_par1() -> None:
    header = read([among_good_rows().replace(b"name", b"PAR1")]).header
    assert header is not None
    assert header.names == ("PAR1", "age", "city")


def test_dialect_header_and_width_are_known_before_any_batch_is_taken() -> None:
    def endless() -> Iterator[bytes]:
        yield among_good_rows()
        while True:
            yield b"1,2,3\n" * 20_000

    reading = read(endless(), block_bytes=100_000)
    assert (reading.width, reading.dialect.delimiter) == (3, ",")
    assert reading.header is not None
    assert next(iter(reading)).structure["kind"].to_list() == ["header"]


def test_no_more_of_the_stream_is_taken_for_a_look_than_256_kib_and_a_chunk() -> None:
    taken: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(1000):
            taken.append(number)
            yield b"1,2,3\n" * 1024

    read(chunks())
    assert len(taken) * 6 * 1024 <= 256 * 1024 + 2 * 6 * 1024


def test_every_batch_has_the_declared_columns_and_no_value_is_null() -> None:
    data = among_good_rows("", ",,", '"",1', "é,\x92,\0") * 20
    for block_bytes in (1, 50, 2**23):
        for batch in read([data], block_bytes=block_bytes):
            fields = {"field_1": pl.String, "field_2": pl.String, "field_3": pl.String}
            places = {"record_no": pl.Int64, "line": pl.Int64, "byte_from": pl.Int64, "byte_to": pl.Int64}
            assert dict(batch.records.schema) == {**places, "repair": pl.String, **fields}
            assert dict(batch.rejects.schema) == {
                **places,
                "num_records": pl.Int64,
                "reason": pl.String,
                "detail": pl.String,
            }
            spans = dict.fromkeys(("line", "byte_from", "byte_to", "num_lines"), pl.Int64)
            assert dict(batch.structure.schema) == {"kind": pl.String, **spans}
            assert batch.records.select(list(fields)).null_count().sum_horizontal().sum() == 0
            assert set(batch.rejects["num_records"]) <= {1}


def test_the_structure_is_known_only_after_the_last_batch() -> None:
    reading = read([among_good_rows()])
    with pytest.raises(RuntimeError, match="iterate to the end"):
        _ = reading.structure
    list(reading)
    assert reading.structure.num_bytes == len(among_good_rows())


def test_a_file_of_many_blocks_comes_in_many_batches() -> None:
    data = among_good_rows() + b"1,2,3\n" * 10_000
    batches = list(read([data], block_bytes=10_000))
    assert 3 <= len(batches) <= 9
    assert all(len(batch.records) for batch in batches)


def test_sizes_must_be_positive() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        read([b"a"], max_record_bytes=0)
    with pytest.raises(ValueError, match="at least 1"):
        read([b"a"], block_bytes=0)


def test_a_delimiter_with_a_meaning_in_patterns_is_only_a_delimiter() -> None:
    for delimiter in ("^", "|", "||", ";"):
        data = among_good_rows('"a{}b",1,2', "3").decode().replace(",", delimiter).replace("{}", delimiter)
        account = account_of(data.encode())
        assert account.dialect.delimiter == delimiter
        assert account.values[5] == [f"a{delimiter}b", "1", "2"]
        assert account.reasons == [(8, "wrong_number_of_fields")]
