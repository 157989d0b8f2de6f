"""Files of events in every form: what is read of them, and that a damage takes no more than it hit."""

import gzip
import io
import json
import os
import subprocess
import sys
import zlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from data_platform.intake import gzipped
from platform_tests.sessions.files import (
    COLUMNS,
    Delivered,
    a_record,
    account,
    lines_of,
    many,
    parquet,
    parquet_of,
    read,
    reasons,
    text_of,
    users,
)

AT = datetime(2026, 6, 10, 10, 11, 12, 345678, tzinfo=UTC)
FORMS = {"csv": text_of, "json": lines_of, "parquet": parquet_of}
PACKED = {"plain": bytes, "gzip": gzip.compress}


def prove_in_a_process(code: str) -> None:
    """Runs what may end or hold up a process in one of its own."""
    known = """
from data_platform.sessions import events
from platform_tests.sessions.files import Delivered, a_record, parquet_of, text_of
def account_of(content, chunk_bytes=2**20):
    tally = events.delivered([Delivered(content, chunk_bytes=chunk_bytes)]).tally
    return tally.select("num_in", "num_used", "num_rejected").rows()
"""
    command = [sys.executable, "-u", "-c", known + code]
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=path, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, [*done.stdout.splitlines()[-1:], *done.stderr.splitlines()[-3:]]


@pytest.mark.parametrize("pack", PACKED)
@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_any_form_holds_the_same_events(form: str, pack: str) -> None:
    records = [a_record(), a_record(received_at="2026-06-11 00:00:00", business_zoned=None), a_record(event_name="Zzz")]
    content = PACKED[pack](FORMS[form](records))
    found, rejects = read(content)
    expected, _ = read(text_of(records))
    assert found.drop("evidence_id").equals(expected.drop("evidence_id"))
    assert found["evidence_id"].unique().to_list() == [Delivered(content).evidence_id]
    assert rejects.is_empty()
    assert account(content) == (3, 3, 0)


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_columns_come_in_any_order_with_any_delimiter_and_others_are_passed_over(delimiter: str) -> None:
    columns = ["sent_at", *reversed(COLUMNS), "note"]
    found, rejects = read(text_of([a_record(), a_record(anonymous_id="B")], columns, delimiter))
    assert found.drop("evidence_id").equals(
        read(text_of([a_record(), a_record(anonymous_id="B")]))[0].drop("evidence_id")
    )
    assert rejects.is_empty()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("chunk_bytes", [5, 100, 2**20])
def test_it_makes_no_difference_in_which_pieces_a_file_is_read(form: str, chunk_bytes: int) -> None:
    content = FORMS[form](many(50))
    for packed in (content, gzip.compress(content)):
        assert len(users(packed, chunk_bytes=chunk_bytes)) == 50


@pytest.mark.parametrize("form", FORMS)
def test_a_file_without_a_record_holds_nothing_and_loses_nothing(form: str) -> None:
    content = FORMS[form]([])
    expected = (1, 0, 1) if form == "json" else (0, 0, 0)  # JSON lines without a line are an empty file
    assert account(content) == expected


@pytest.mark.parametrize("content", [b"", b"\n\n", gzip.compress(b""), gzip.compress(b"\r\n")])
def test_a_file_without_anything_is_an_empty_file(content: bytes) -> None:
    assert reasons(content) == ["empty_file"]
    assert account(content) == (1, 0, 1)


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"PK\x03\x04" + bytes(40), b"PAR1", b"PAR1" + bytes(99) + b"PAR1"])
def test_what_is_no_table_at_all_is_one_reject(content: bytes) -> None:
    found, rejects = read(content)
    assert found.is_empty()
    assert rejects.select("reason", "byte_from", "byte_to").rows() == [("not_text", 0, len(content))]


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("missing", COLUMNS)
def test_a_file_without_one_of_the_columns_is_one_reject_that_counts_all_of_its_records(
    form: str, missing: str
) -> None:
    columns = [name for name in COLUMNS if name != missing]
    records = [{name: record[name] for name in columns} for record in many(3)]
    content = text_of(records, columns) if form == "csv" else parquet_of(records, columns)
    found, rejects = read(content)
    assert found.is_empty()
    assert rejects.select("reason", "num_records", "byte_from", "byte_to").rows() == [
        ("unknown_layout", 3, 0, len(content))
    ]
    assert missing in rejects["detail"][0]
    assert account(content) == (3, 0, 3)


def test_a_first_record_of_words_alone_is_no_second_line_of_the_header() -> None:
    """Among nine columns of words and times it looked like one, and the whole file was turned down."""
    first = a_record(created_at="yesterday", context_os_name="", business_zoned="")
    records = [first, *(a_record(received_at=f"2026-06-11 00:00:{n:02}") for n in range(12))]
    found, rejects = read(text_of(records))
    assert found.height == 12
    assert rejects.select("record_no", "reason").rows() == [(1, "unparsable_time")]


def test_a_file_without_a_header_is_of_unknown_layout() -> None:
    assert reasons(text_of(many(5)).split(b"\n", 1)[1]) == ["unknown_layout"]


# gzip


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_gzip_cut_at_any_byte_loses_nothing_before_its_last_whole_line(form: str) -> None:
    plain = FORMS[form](many(30))
    packed = gzip.compress(plain, 1)
    for cut in [*range(30, len(packed), 11), *range(len(packed) - 12, len(packed))]:
        content = packed[:cut]
        readable = b"".join(gzipped.readable([content]))
        assert plain.startswith(readable)
        num_lines = readable.count(b"\n")
        num_records = max(num_lines - (form == "csv"), 0)
        found, rejects = read(content)
        assert found["anonymous_id"].to_list() == [f"user {place}" for place in range(num_records)]
        end = readable.rfind(b"\n") + 1
        place = rejects.filter(pl.col("reason") == "broken_gzip").select("line", "byte_from", "byte_to").rows()
        assert place == [(num_lines + 1, end, len(readable))]
        assert rejects.height == 1


@pytest.mark.parametrize("chunk_bytes", [1, 100, 2**20])
def test_a_gzip_whose_checksum_is_wrong_keeps_its_whole_lines(chunk_bytes: int) -> None:
    packed = bytearray(gzip.compress(text_of(many(30))))
    packed[-6] ^= 0xFF
    found, rejects = read(bytes(packed), chunk_bytes=chunk_bytes)
    assert found.height == 30
    assert rejects["reason"].to_list() == ["broken_gzip"]


@pytest.mark.parametrize("chunk_bytes", [1, 1000, 2**20])
def test_a_gzip_that_is_damaged_in_the_middle_keeps_the_whole_lines_before(chunk_bytes: int) -> None:
    packer = zlib.compressobj(wbits=31)
    whole = packer.compress(text_of(many(300))) + packer.flush(zlib.Z_FULL_FLUSH)
    no_block = b"\xff" * 100
    found, rejects = read(whole + no_block, chunk_bytes=chunk_bytes)
    assert found.height == 300
    assert rejects.select("reason", "byte_from").rows() == [("broken_gzip", len(text_of(many(300))))]


def test_gzip_files_one_behind_the_other_are_one_content() -> None:
    content = text_of(many(9))
    parts = [content[:100], content[100:101], content[101:]]
    for chunk_bytes in (1, 7, 2**20):
        assert len(users(b"".join(map(gzip.compress, parts)), chunk_bytes=chunk_bytes)) == 9


def test_zeros_that_pad_a_gzip_are_no_damage_and_are_not_read_for_ever() -> None:
    prove_in_a_process("""
import gzip
for chunk_bytes in (1, 7, 2**20):
    [account] = account_of(gzip.compress(text_of([a_record()] * 9)) + bytes(100), chunk_bytes)
    assert account == (9, 9, 0), account
""")


@pytest.mark.parametrize("form", FORMS)
def test_a_gzip_with_nothing_whole_in_it_is_one_reject(form: str) -> None:
    content = gzip.compress(FORMS[form](many(200)))[:25]
    assert account(content) == (1, 0, 1)


# JSON lines


@pytest.mark.parametrize(
    "line",
    [
        b"[1, 2]", b'"text"', b"17", b"null", b'{"anonymous_id": ', b"\xff\xfe", b"{'anonymous_id': 'x'}", b"anything",
        json.dumps(a_record() | {"event_name": {"a": 1}}).encode(), b"}", b'{"event_name": NaN}',
        json.dumps(a_record() | {"event_name": [1]}).encode(),
        json.dumps(a_record()).encode() + b" x", json.dumps(a_record()).encode() * 2,
    ],
)  # fmt: skip
def test_a_line_that_is_no_object_of_plain_values_costs_no_neighbour(line: bytes) -> None:
    first, *more = many(9)
    content = lines_of([first]) + line + b"\n" + lines_of(more)
    found, rejects = read(content)
    assert found["anonymous_id"].to_list() == [f"user {place}" for place in range(9)]
    [(reason, number, line_no, byte_from, byte_to)] = rejects.select(
        "reason", "record_no", "line", "byte_from", "byte_to"
    ).rows()
    assert (reason, number, line_no, content[byte_from:byte_to]) == ("not_json", 2, 2, line + b"\n")
    assert account(content) == (10, 9, 1)


@pytest.mark.parametrize("line", [b"", b"\r", b" ", b"\t", b"  \r"])
@pytest.mark.parametrize("place", [0, 1, 9])
def test_a_line_of_white_space_between_json_lines_is_no_record(line: bytes, place: int) -> None:
    lines = lines_of(many(9)).splitlines()
    content = b"\n".join([*lines[:place], line, *lines[place:]]) + b"\n"
    assert users(content) == [f"user {number}" for number in range(9)]
    assert account(content) == (9, 9, 0)


def test_json_values_may_be_numbers_and_others_are_passed_over_whatever_they_are() -> None:
    record = a_record() | {"anonymous_id": 17, "context_app_version": 2, "business_zoned": None, "extra": {"deep": [1]}}
    [row] = read(json.dumps(record).encode())[0].to_dicts()
    assert (row["anonymous_id"], row["app_version"], row["zone"]) == ("17", "2", None)


def test_a_json_object_that_does_not_name_a_field_does_not_say_it() -> None:
    record = {name: value for name, value in a_record().items() if name not in {"received_at", "business_zoned"}}
    [row] = read(lines_of([record]))[0].to_dicts()
    assert (row["received_at"], row["zone"]) == (None, None)


@pytest.mark.parametrize("text", ["a\0b", "\0"])
@pytest.mark.parametrize("form", ["json", "parquet"])
def test_no_event_has_a_nul_which_the_warehouse_cannot_keep(form: str, text: str) -> None:
    found, rejects = read(FORMS[form]([a_record(context_app_version=text), *many(3)]))
    assert found["anonymous_id"].to_list() == ["user 0", "user 1", "user 2"]
    assert rejects["reason"].to_list() == ["nul_byte"]


def test_half_a_surrogate_pair_is_no_nul() -> None:
    content = lines_of(many(2)) + lines_of([a_record(business_zoned="x")]).replace(b'"x"', b'"\\ud800"')
    found, _ = read(content)
    assert not any("\0" in (zone or "") for zone in found["zone"])


def test_a_byte_order_mark_before_json_lines_is_no_part_of_them() -> None:
    assert users(b"\xef\xbb\xbf" + lines_of(many(3))) == ["user 0", "user 1", "user 2"]


# Parquet


@pytest.mark.parametrize(
    "times",
    [
        pl.Series([AT.replace(tzinfo=None)], dtype=pl.Datetime("us")),
        pl.Series([AT.replace(tzinfo=None)], dtype=pl.Datetime("ns")),
        pl.Series([AT], dtype=pl.Datetime("us", "UTC")),
        pl.Series([AT.astimezone(ZoneInfo("Europe/Berlin"))], dtype=pl.Datetime("us", "Europe/Berlin")),
        pl.Series([AT], dtype=pl.Datetime("ns", "Asia/Kolkata")),
    ],
    ids=str,
)
def test_typed_times_of_parquet_are_the_instants_that_they_are(times: pl.Series) -> None:
    table = pl.DataFrame([a_record()]).with_columns(times.alias("created_at"), times.alias("received_at"))
    found, rejects = read(parquet(table))
    assert rejects.is_empty()
    assert found.select("created_at", "received_at").rows() == [(AT, AT)]


def test_whole_numbers_of_parquet_are_text_and_nulls_are_blank() -> None:
    table = pl.DataFrame([a_record(), a_record()]).with_columns(
        pl.Series("anonymous_id", [17, None], pl.Int64), pl.Series("context_app_version", [2, 3], pl.UInt16)
    )
    found, rejects = read(parquet(table))
    assert found.select("anonymous_id", "app_version").rows() == [("17", "2")]
    assert rejects.select("record_no", "line", "reason").rows() == [(2, None, "blank_id")]


def test_a_reject_of_parquet_has_the_whole_file_as_its_span() -> None:
    content = parquet_of([a_record(), a_record(event_name=None)])
    assert read(content)[1].select("record_no", "byte_from", "byte_to").rows() == [(2, 0, len(content))]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_cut_parquet_file_is_one_reject(share: float) -> None:
    content = parquet_of(many(50))
    content = content[: int(share * len(content))]
    assert read(content)[1].select("reason", "byte_to").rows() == [("not_text", len(content))]
    assert account(content) == (1, 0, 1)


def test_a_parquet_file_of_several_batches_numbers_its_records_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_platform.intake.containers._ROWS_AT_ONCE", 7)
    found, _ = read(parquet_of(many(20)))
    assert found["record_no"].to_list() == list(range(1, 21))
    assert found["anonymous_id"].to_list() == [f"user {place}" for place in range(20)]


def test_a_parquet_file_with_a_damaged_end_is_held_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_platform.intake.containers._ROWS_AT_ONCE", 100)
    written = io.BytesIO()
    pl.DataFrame(many(300)).write_parquet(written, row_group_size=100, compression="uncompressed")
    content = bytearray(written.getvalue())
    place = content.rfind(b"user 250")
    content[place - 3000 : place] = b"\xff" * 3000
    found, rejects = read(bytes(content))
    assert rejects["reason"].to_list() == ["not_text"]
    assert found.is_empty()


def test_a_damaged_byte_of_a_parquet_file_neither_ends_the_process_nor_goes_without_a_reject() -> None:
    """Polars 2.1 may panic at such a file, or ask for more memory than there is, and abort."""
    prove_in_a_process("""
content = parquet_of([a_record()] * 3)
for place in range(44, 60, 2):
    print("byte", place)
    damaged = content[:place] + bytes([content[place] ^ 1]) + content[place + 1:]
    assert len(account_of(damaged)) == 1
""")


def test_json_lines_of_several_blocks_number_records_lines_and_bytes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_platform.intake.containers._BLOCK_BYTES", 1000)
    lines = lines_of(many(40)).splitlines(keepends=True)
    lines[17:17] = [b"\n", b"no object\n"]
    content = b"".join(lines)
    found, rejects = read(content, chunk_bytes=300)
    assert found["record_no"].to_list() == [*range(1, 18), *range(19, 42)]
    [(number, line, byte_from, byte_to)] = rejects.select("record_no", "line", "byte_from", "byte_to").rows()
    assert (number, line, content[byte_from:byte_to]) == (18, 19, b"no object\n")
