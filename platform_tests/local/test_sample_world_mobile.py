"""The sample world's mobile files carry every oddity of the real ones, and the numbers they promise are true."""

import hashlib
import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import polars as pl
import pytest

from data_platform.local.sample_world.mobile import FIRST_DAY, HEADER, LAST_DAY, NUM_USERS, EventFile, event_files
from data_platform.sessions import rules
from data_platform.sessions.events import delivered
from platform_tests.local.mobile_files import (
    CUT,
    DAY,
    FILES,
    FIRST,
    LAST_REGULAR,
    LATE,
    LINES,
    PACKED,
    PLAIN,
    SECOND,
    TYPED,
    Record,
    all_records,
    as_delivered,
    events,
    instant,
    lines_of,
    records,
    text_of,
)


def test_two_processes_write_the_same_bytes() -> None:
    code = """
import hashlib
from data_platform.local.sample_world.mobile import event_files
for file in event_files():
    content = b"typed" if file.file_name.endswith(".parquet") else file.content
    print(file.file_name, hashlib.sha256(content).hexdigest(), file.num_records, file.num_rejects)
"""
    root = Path(__file__).parents[2] / "platform"
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    ]
    assert said[0] == said[1]
    assert said[0].count("\n") == len(FILES)
    assert hashlib.sha256(LATE.content).hexdigest() in said[0]


def test_twelve_files_come_in_four_forms_each_with_its_delivery_day_in_its_name() -> None:
    assert [file.file_name.removeprefix("mobile_events_2026-") for file in event_files()] == [
        "10-03.csv",
        "10-05.csv",
        "10-08.csv.gz",
        "10-11.csv",
        "10-14.parquet",
        "10-17.csv",
        "10-18.csv",
        "10-20.csv",
        "10-23.jsonl",
        "10-27.csv",
        "11-01.csv",
        "11-02.csv",
    ]
    assert PACKED.content.startswith(b"\x1f\x8b")
    assert TYPED.content.startswith(b"PAR1")
    assert LINES.content.startswith(b"{")


def test_every_delimited_file_begins_with_the_header_in_its_order() -> None:
    header = (
        "anonymous_id;business_zoned;context_app_version;context_device_id;context_os_name;event_name;"
        "received_at;created_at"
    )
    assert header == ";".join(HEADER)
    for file in [*PLAIN, PACKED]:
        assert text_of(file).startswith(f"{header}\n")


def test_the_parquet_file_is_typed_and_the_json_lines_have_nulls_for_blanks() -> None:
    schema = pl.read_parquet_schema(io.BytesIO(TYPED.content))
    time = pl.Datetime("ms", "UTC")
    assert schema == {name: time if name.endswith("_at") else pl.String for name in HEADER}
    assert {None} < {value for line in text_of(LINES).splitlines() for value in json.loads(line).values()}
    assert '""' not in text_of(LINES)


@pytest.mark.parametrize("file", FILES.values(), ids=lambda file: file.file_name)
def test_the_product_finds_the_promised_number_of_records_and_rejects(file: EventFile) -> None:
    outcome = delivered([as_delivered(file)])
    assert outcome.tally["num_in"].to_list() == [file.num_records]
    assert outcome.tally["num_rejected"].to_list() == [file.num_rejects]
    assert outcome.rejects["num_records"].sum() == file.num_rejects
    assert outcome.rows["num_events"].sum() == file.num_records - file.num_rejects


@pytest.mark.parametrize("file", FILES.values(), ids=lambda file: file.file_name)
def test_a_file_holds_the_promised_number_of_records(file: EventFile) -> None:
    assert len(records(file)) == file.num_records - (file is CUT)


def test_the_month_has_some_thousands_of_events_of_about_seventy_users_in_four_cities() -> None:
    assert 6_000 <= sum(map(len, events().values())) <= 9_000
    assert len({user for user, _ in events()}) == NUM_USERS
    assert len({record["business_zoned"] for record in all_records()} - {""}) == 4
    assert len({record["context_app_version"] for record in all_records()}) == 4
    assert {record["context_os_name"] for record in all_records()} == {"Android", "iOS"}
    days = {at.date() for of_key in events().values() for at, _ in of_key}
    assert days == {FIRST_DAY + DAY * number for number in range(32)}


def test_some_users_have_two_devices_and_none_has_three() -> None:
    devices = Counter(user for user, _ in events())
    assert set(devices.values()) == {1, 2}
    assert Counter(devices.values())[2] >= 5


def test_ids_are_uuids_and_most_users_occur_in_lower_upper_and_mixed_case() -> None:
    ids = [record["anonymous_id"] for record in all_records() if record["anonymous_id"].strip()]
    assert all(str(UUID(text)) == text.lower() for text in ids)
    spellings = Counter(text.lower() for text in set(ids))
    assert Counter(spellings.values())[3] > NUM_USERS / 2
    assert {(text.islower(), text.isupper()) for text in ids} == {(True, False), (False, True), (False, False)}


@pytest.mark.parametrize(
    ("reason", "is_there"),
    [
        ("blank_id", lambda record: not record["anonymous_id"]),
        ("blank_id", lambda record: record["anonymous_id"] == "  "),
        ("blank_id", lambda record: not record["context_device_id"]),
        ("blank_event_name", lambda record: not record["event_name"]),
        ("unparsable_time", lambda record: record["created_at"] == "2026-10-09 25:61:00.000"),
        ("unparsable_time", lambda record: not record["created_at"]),
        ("unparsable_time", lambda record: record["received_at"] == "soon"),
        ("in_the_future", lambda record: record["created_at"].startswith("2026-11-07")),
        ("in_the_future", lambda record: record["created_at"].startswith("2026-12-02")),
        ("before_first_day", lambda record: record["created_at"].startswith("1970-01-01")),
    ],
)
def test_one_record_of_every_bad_kind_is_a_reject_of_its_reason(
    reason: str, is_there: Callable[[Record], bool]
) -> None:
    file = next(file for file in FILES.values() if any(map(is_there, records(file))))
    numbers = [number for number, record in enumerate(records(file), start=1) if is_there(record)]
    rejects = delivered([as_delivered(file)]).rejects
    assert set(numbers) <= set(rejects.filter(pl.col("reason") == reason)["record_no"])


def test_every_reason_of_the_product_that_a_record_can_have_occurs() -> None:
    found = delivered([as_delivered(file) for file in FILES.values()]).rejects
    assert set(found["reason"]) == {
        "blank_id",
        "blank_event_name",
        "unparsable_time",
        "in_the_future",
        "before_first_day",
        "wrong_number_of_fields",
    }


def test_one_file_is_cut_off_in_mid_record_and_the_next_one_brings_the_record_whole() -> None:
    rest = text_of(CUT).splitlines()[-1]
    assert not CUT.content.endswith(b"\n")
    assert rest.count(";") == 3
    *_, device = rest.split(";")
    assert 0 < len(device) < len(str(UUID(int=0)))
    whole = [record for record in records(LINES) if ";".join(record.values()).startswith(rest)]
    assert whole


def test_one_content_is_delivered_twice_under_two_names() -> None:
    assert FIRST.content == SECOND.content
    assert len({file.content for file in FILES.values()}) == len(FILES) - 1


def test_exact_duplicate_rows_occur_within_a_file_and_between_files() -> None:
    for file in PLAIN:
        assert max(Counter(lines_of(file)).values()) > 1
    assert set(lines_of(LAST_REGULAR)) & set(lines_of(LATE))


def test_received_at_may_be_blank_or_days_after_created_at() -> None:
    waits: list[timedelta] = []
    for record in all_records():
        received_at, created_at = instant(record["received_at"]), instant(record["created_at"])
        if received_at and created_at and created_at.year == 2026:
            waits.append(received_at - created_at)
    assert sum(wait > DAY for wait in waits) > 100
    assert sorted(waits)[len(waits) // 2] < timedelta(seconds=4)
    assert any(not record["received_at"] for record in all_records())


def test_the_late_file_brings_events_of_thirty_october_days() -> None:
    days = {at.date() for record in records(LATE) if (at := instant(record["created_at"])) and at.month == 10}
    assert len(days - {LAST_DAY}) == 30
    assert as_delivered(LATE).day == date(2026, 11, 2)


def test_one_event_name_is_unknown_to_the_rules() -> None:
    names = {name for of_key in events().values() for _, name in of_key}
    assert names - rules.load().step_of.keys() == {"Promo Banner - Shown"}
    assert rules.load().step_of.keys() <= names


def test_times_have_milliseconds_and_most_no_zone_but_some_an_offset_or_a_t() -> None:
    texts = [record["created_at"] for record in records(FILES["mobile_events_2026-10-27.csv"])]
    forms = Counter("offset" if "+02:00" in text else "T" if "T" in text else "plain" for text in texts)
    assert forms["plain"] > forms["offset"] > 50
    assert forms["plain"] > forms["T"] > 50
    assert {len(record["created_at"]) for record in records(LATE)} == {len("2026-10-05 09:59:58.123")}
    assert all(record["created_at"].endswith("Z") for record in records(LINES))


def test_an_event_of_one_file_comes_again_with_an_offset_in_the_next() -> None:
    """Texts that differ and instants that agree: one event."""
    again = [
        record for record in records(FILES["mobile_events_2026-10-27.csv"])[:6] if "+02:00" in record["created_at"]
    ]
    assert again
    before = {
        (record["anonymous_id"], record["event_name"], instant(record["created_at"])) for record in records(LINES)
    }
    for record in again:
        assert (record["anonymous_id"], record["event_name"], instant(record["created_at"])) in before
