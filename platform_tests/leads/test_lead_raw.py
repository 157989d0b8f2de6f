"""Files into records: which source, every record with its place, and whole files that cannot be used."""

from datetime import date

import polars as pl
import pytest

from data_platform.leads import raw, sources
from data_platform.local.sample_world.leads import deliveries
from platform_tests.leads.conftest import NEVER_HELD, File, as_file

JULY_7 = date(2023, 7, 7)
TEXAS = (
    b"Operation #,Agency Number,Operation/Caregiver Name,Address,City,State,Zip,County,Phone,Type,Status,Issue Date,"
    b"Capacity,Email Address,Facility ID,Monitoring Frequency,Infant,Toddler,Preschool,School\r\n"
)
RECORD = b"0042,,A Street,1 MAIN ST ,AUSTIN,TX,78701,TRAVIS,512-555-0100,Center,Full Permit,1/2/2003,10,,77,,Y,,,N\r\n"


def read(name: str, content: bytes):
    return raw.read([File(name, JULY_7, content)], NEVER_HELD)


def test_every_file_of_the_sample_world_adds_up() -> None:
    for delivery in deliveries():
        outcome = raw.read([as_file(delivery)], sources.every())
        [account] = outcome.tally.to_dicts()
        assert account["num_in"] == delivery.num_records == account["num_used"] + account["num_rejected"]
        assert outcome.rows.height == account["num_used"]
        assert outcome.rejects["num_records"].sum() == account["num_rejected"]


def test_the_span_of_a_record_is_its_bytes() -> None:
    content = TEXAS + RECORD + RECORD.replace(b"0042", b"0043")
    outcome = read("t.csv", content)
    spans = outcome.rows.select("byte_from", "byte_to", "line", "record_no").rows()
    assert [content[start:end] for start, end, _, _ in spans] == [RECORD, RECORD.replace(b"0042", b"0043")]
    assert [(line, number) for _, _, line, number in spans] == [(2, 1), (3, 2)]


def test_every_value_is_text_as_delivered() -> None:
    [row] = read("t.csv", TEXAS + RECORD).rows.to_dicts()
    assert row["source"] == "texas"
    assert row["values"][0] == "0042"
    assert row["values"][3] == "1 MAIN ST "
    assert row["headers"][0] == "Operation #"


def test_a_renamed_header_is_still_the_same_source() -> None:
    content = (
        TEXAS.replace(b"Operation #", b"Operation").replace(b"Operation/Caregiver Name", b"Operation Name") + RECORD
    )
    assert read("t.csv", content).rows["source"].to_list() == ["texas"]


@pytest.mark.parametrize(
    ("content", "reason", "num_records", "words"),
    [
        (b"", "empty_file", 1, []),
        (b"\xef\xbb\xbf", "empty_file", 1, []),
        (TEXAS, "no_records", 0, ["header and no records"]),
        (b"PK\x03\x04" + b"\x00" * 100, "not_text", 1, ["ZIP"]),
        (b"a,b\r\n1,2\r\n3,4\r\n", "unknown_layout", 2, ["of 2 columns 0 have a name", "header line"]),
        (TEXAS.replace(b"Agency Number", b"Phone") + RECORD, "unknown_layout", 1, ["'Phone'", "more than once"]),
        (
            TEXAS.replace(b"Phone", b"Telephone") + RECORD,
            "unknown_layout",
            1,
            ["texas", "needs 'Phone'", "'Telephone'"],
        ),
    ],
    ids=[
        "empty",
        "only a BOM",
        "header only",
        "a ZIP named .csv",
        "an unknown layout",
        "a column twice",
        "a needed column is gone",
    ],
)
def test_a_file_that_cannot_be_used_is_held_whole_with_the_reason(
    content: bytes, reason: str, num_records: int, words: list[str]
) -> None:
    outcome = read("07-07-2023 Somewhere.csv", content)
    assert outcome.rows.height == 0
    [reject] = outcome.rejects.to_dicts()
    assert (reject["reason"], reject["num_records"], reject["byte_from"], reject["byte_to"]) == (
        reason,
        num_records,
        0,
        len(content),
    )
    assert reject["detail"].startswith("07-07-2023 Somewhere.csv: ")
    assert "\n" not in reject["detail"]
    for word in words:
        assert word in reject["detail"]
    assert outcome.tally.select("num_in", "num_used", "num_rejected").row(0) == (num_records, 0, num_records)


def test_no_files_give_no_rows() -> None:
    outcome = raw.read([], sources.every())
    assert (outcome.rows.height, outcome.rejects.height, outcome.tally.height) == (0, 0, 0)


def test_a_reject_never_quotes_the_file() -> None:
    outcome = read("t.csv", TEXAS + b'"secret@example.org' + RECORD)
    assert outcome.rejects.height
    assert not outcome.rejects.filter(pl.col("detail").str.contains("secret")).height


def test_a_further_table_below_the_records_is_one_reject_and_none_of_it_is_loaded() -> None:
    table = b"\r\nCounty,Total,Share\r\nTRAVIS,1,50\r\nHAYS,1,50\r\n"
    content = TEXAS + RECORD + RECORD.replace(b"0042", b"0043") + table
    outcome = read("t.csv", content)
    [reject] = outcome.rejects.to_dicts()
    assert outcome.rows.height == 2
    assert (reject["reason"], reject["line"], reject["num_records"]) == ("further_table", 5, 3)
    assert content[reject["byte_from"] : reject["byte_to"]] == table[2:]
    assert outcome.tally.select("num_in", "num_used", "num_rejected").row(0) == (5, 2, 3)


def test_a_header_with_another_number_of_names_than_the_records_have_fields_holds_the_file() -> None:
    records = b"".join(RECORD.replace(b"0042", str(n).encode()).replace(b"\r\n", b",\r\n") for n in range(6))
    outcome = read("t.csv", TEXAS + records)
    [reject] = outcome.rejects.to_dicts()
    assert (outcome.rows.height, reject["reason"], reject["num_records"]) == (0, "unknown_layout", 6)
    assert "20 names and its records 21 fields" in reject["detail"]


def test_preamble_and_footer_are_no_records() -> None:
    content = b"Providers of Texas\r\n\r\n" + TEXAS + RECORD + b"\r\nEnd of report\r\n"
    outcome = read("t.csv", content)
    assert (outcome.rows.height, outcome.rejects.height) == (1, 0)
    assert outcome.rows["line"].to_list() == [4]
