"""What a record of a file is: an event or a reject, with its place."""

import gzip
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_platform.intake import gzipped
from data_platform.sessions import events
from data_platform.sessions.delivery import named_day
from platform_tests.oracles.sessions import DAY
from platform_tests.sessions.files import (
    COLUMNS,
    DELIVERED_ON,
    a_record,
    account,
    lines_of,
    many,
    parquet_of,
    read,
    text_of,
    users,
)

AT = datetime(2026, 6, 10, 10, 11, 12, 345678, tzinfo=UTC)
FORMS = {"csv": text_of, "json": lines_of, "parquet": parquet_of}
PACKED = {"plain": bytes, "gzip": gzip.compress}


def reason_of(**changes: str | None) -> str | None:
    """The reason why a record is none, or null."""
    found, rejects = read(text_of([a_record(**changes), a_record()]))
    assert found.height + rejects.height == 2
    return rejects["reason"].to_list()[0] if rejects.height else None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"anonymous_id": ""}, "blank_id"),
        ({"anonymous_id": "  "}, "blank_id"),
        ({"context_device_id": ""}, "blank_id"),
        ({"event_name": ""}, "blank_event_name"),
        ({"created_at": ""}, "unparsable_time"),
        ({"created_at": "yesterday"}, "unparsable_time"),
        ({"created_at": "2026-02-30T00:00:00Z"}, "unparsable_time"),
        ({"received_at": "soon"}, "unparsable_time"),
        ({"received_at": ""}, None),
        ({"received_at": "2031-01-01T00:00:00Z"}, None),
        ({"created_at": "2026-06-13T23:59:59.999999Z"}, None),
        ({"created_at": "2026-06-14T00:00:00Z"}, "in_the_future"),
        ({"created_at": "2026-06-14T01:59:59.999999+02:00"}, None),
        ({"created_at": "2020-01-01T00:00:00Z"}, None),
        ({"created_at": "2019-12-31T23:59:59.999999Z"}, "before_first_day"),
        ({"created_at": "2019-12-31T23:00:00-01:00"}, None),
        ({"event_name": "Heard Of By Nobody"}, None),
        ({"business_zoned": "", "context_app_version": "", "context_os_name": ""}, None),
        ({"anonymous_id": "", "event_name": "", "created_at": ""}, "blank_id"),
        ({"event_name": "", "created_at": ""}, "blank_event_name"),
    ],
)
def test_what_is_no_event_has_its_reason(changes: dict[str, str], reason: str | None) -> None:
    assert reason_of(**changes) == reason


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-10T10:11:12.345678Z", "2026-06-10 10:11:12.345678", "2026-06-10T10:11:12.345678",
        "2026-06-10T12:11:12.345678+02:00", "2026-06-10 12:11:12.345678+02:00", "2026-06-10T12:11:12.345678+0200",
        "2026-06-10T00:41:12.345678-09:30", "2026-06-11T00:11:12.345678+14:00", "2026-06-10 10:11:12.345678 UTC",
        "2026-06-10 10:11:12.345678+00", "2026-06-10 12:11:12.345678+02", "2026-06-10T10:11:12.345678-00:00",
        "2026-06-10T10:11:12.3456789Z",
    ],
)  # fmt: skip
def test_a_time_with_an_offset_is_turned_into_utc_and_one_without_is_utc(text: str) -> None:
    found, _ = read(text_of([a_record(created_at=text, received_at=text)]))
    assert found.select("created_at", "received_at").rows() == [(AT, AT)]


@given(
    st.lists(
        st.sampled_from(
            [
                ("2026-06-10T10:11:12.345Z", 345_000), ("2026-06-10 10:11:12.345", 345_000),
                ("2026-06-10 10:11:12.345678", 345_678), ("2026-06-10T10:11:12", 0),
                ("2026-06-10T12:11:12.5+02:00", 500_000), ("2026-06-10 12:11:12.345678+02", 345_678),
                ("2026-06-10T10:11:12.345X", None), ("", None), (None, None),
            ]
        )
    )
)  # fmt: skip
def test_times_of_many_forms_in_any_order_are_each_read(times: list[tuple[str | None, int | None]]) -> None:
    found = events.times(pl.Series("created_at", [text for text, _ in times], dtype=pl.String))
    wanted = [None if micro is None else AT.replace(microsecond=micro) for _, micro in times]
    assert found.to_list() == wanted
    assert found.dtype == pl.Datetime("us", "UTC")


def test_the_same_event_in_other_words_is_the_same_event() -> None:
    first = a_record(anonymous_id="6f9619ff", created_at="2026-06-10T10:11:12.345Z", received_at=" ")
    second = a_record(anonymous_id="6F9619FF", created_at="2026-06-10 12:11:12.345+02:00", received_at=None)
    found, _ = read(text_of([first, second]))
    outcome = events.united(AT.date(), [found], {found["evidence_id"][0]: 2})
    assert outcome.rows.height == 1
    assert outcome.rows["record_no"].to_list() == [1]
    assert outcome.tally.select("num_in", "num_used", "num_duplicate").rows() == [(2, 1, 1)]


@pytest.mark.parametrize("name", [name for name in COLUMNS if name != "created_at"])
def test_rows_that_differ_in_one_column_are_two_events(name: str) -> None:
    other = "2026-06-10T10:11:13Z" if name == "received_at" else "another"
    found, _ = read(text_of([a_record(), a_record(**{name: other})]))
    assert events.united(AT.date(), [found], {found["evidence_id"][0]: 2}).rows.height == 2


def test_names_of_events_keep_their_case() -> None:
    assert read(text_of([a_record(event_name="Out-Of-Zone")]))[0]["event_name"].to_list() == ["Out-Of-Zone"]


@pytest.mark.parametrize("pack", PACKED)
@pytest.mark.parametrize("form", ["csv", "json"])
def test_the_span_of_a_reject_holds_the_bytes_of_its_record(form: str, pack: str) -> None:
    records = [
        *many(3),
        a_record(event_name=None),
        *many(2),
        a_record(created_at="Übermorgen"),
        a_record(anonymous_id=""),
    ]
    plain = FORMS[form](records)
    content = PACKED[pack](plain)
    assert b"".join(gzipped.readable([content])) == plain
    _, rejects = read(content, chunk_bytes=50)
    lines = plain.splitlines(keepends=True)[1 if form == "csv" else 0 :]
    assert rejects.select("record_no", "reason").rows() == [
        (4, "blank_event_name"), (7, "unparsable_time"), (8, "blank_id"),
    ]  # fmt: skip
    for number, line, byte_from, byte_to in rejects.select("record_no", "line", "byte_from", "byte_to").iter_rows():
        assert plain[byte_from:byte_to] == lines[number - 1]
        assert line == number + (form == "csv")


def test_a_record_that_cannot_be_cut_has_its_place_and_costs_no_neighbour() -> None:
    lines = text_of(many(6)).splitlines(keepends=True)
    lines[3] = b"one;field;too;few;;;\n"
    _, rejects = read(b"".join(lines))
    [(reason, byte_from, byte_to)] = rejects.select("reason", "byte_from", "byte_to").rows()
    assert (reason, b"".join(lines)[byte_from:byte_to]) == ("wrong_number_of_fields", lines[3])
    assert account(b"".join(lines)) == (6, 5, 1)


@pytest.mark.parametrize("cut", range(1, 120, 7))
def test_a_text_that_is_cut_in_mid_record_loses_no_more_than_that_record(cut: int) -> None:
    content = text_of(many(20))[:-cut]
    num_whole = content.count(b"\n") - 1
    assert users(content)[:num_whole] == [f"user {place}" for place in range(num_whole)]
    num_in, num_used, num_rejected = account(content)
    assert num_in == num_used + num_rejected == num_whole + (not content.endswith(b"\n"))


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("mobile_events_2026-10-05.csv.gz", date(2026, 10, 5)),
        ("2026-10-05.parquet", date(2026, 10, 5)),
        ("mobile_events.csv", None),
        ("mobile_events_2026-13-05.csv", None),
        ("mobile_events_2026-10-07.csv", None),
        ("mobile_events_2019-12-31.csv", None),
        ("mobile_events_12026-10-05.csv", None),
        ("mobile_events_2026-10-051.csv", None),
    ],
)
def test_a_date_in_the_name_is_the_delivery_day(name: str, day: date | None) -> None:
    assert named_day(name, date(2026, 10, 6)) == day


def test_the_future_is_counted_from_the_day_of_the_delivery() -> None:
    content = text_of([a_record(created_at="2026-06-14T00:00:00Z")])
    assert read(content)[1]["reason"].to_list() == ["in_the_future"]
    assert read(content, day=DELIVERED_ON + DAY)[0].height == 1
    assert read(content, day=DELIVERED_ON + timedelta(days=400))[0].height == 1
