"""The sample world's mobile events carry every oddity of the real ones, and the numbers they promise are true."""

import csv
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import polars as pl
import pytest

from data_platform.contracts.sessions import VERDICTS
from data_platform.lake.store import Store
from data_platform.local import sample_world
from data_platform.local.sample_world.mobile import FIRST_DAY, HEADER, LAST_DAY, NUM_USERS, EventFile, event_files
from data_platform.sessions import rules
from data_platform.sessions.days import Days
from data_platform.sessions.delivery import named_day
from data_platform.sessions.events import delivered, read, united
from data_platform.sessions.sessionise import sessions_of
from data_platform.settings import Settings

FILES = {file.file_name: file for file in event_files()}
PACKED, TYPED, LINES = (FILES[f"mobile_events_2026-10-{name}"] for name in ("08.csv.gz", "14.parquet", "23.jsonl"))
FIRST, SECOND = FILES["mobile_events_2026-10-17.csv"], FILES["mobile_events_2026-10-18.csv"]
CUT, LAST_REGULAR, LATE = (FILES[f"mobile_events_2026-{day}.csv"] for day in ("10-20", "11-01", "11-02"))
PLAIN = [file for name, file in FILES.items() if name.endswith(".csv")]
GAP, DAY, MILLISECOND = timedelta(minutes=15), timedelta(days=1), timedelta(milliseconds=1)
KNOWN_UNTIL = datetime(2026, 11, 1, 20, 8, 41, 507_000, UTC)

Record = dict[str, str]
Key = tuple[str, str]


@dataclass(frozen=True)
class Delivered:
    """A file as the sessions product sees it."""

    name: str
    content: bytes

    @property
    def evidence_id(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def day(self) -> date:
        day = named_day(self.name, arrived_on=date(2026, 11, 2))
        assert day
        return day

    @property
    def num_bytes(self) -> int:
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        yield self.content


def as_delivered(file: EventFile) -> Delivered:
    return Delivered(file.file_name, file.content)


def text_of(file: EventFile) -> str:
    return (gzip.decompress(file.content) if file is PACKED else file.content).decode("ascii")


def lines_of(file: EventFile) -> list[str]:
    """The lines of a delimited file below its header."""
    return text_of(file).splitlines()[1:]


def of_parquet(file: EventFile) -> list[Record]:
    rows = pl.read_parquet(file.content).iter_rows(named=True)
    return [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]


@cache
def records(file: EventFile) -> list[Record]:
    """What a file says, in the plainest way; a record that was cut off is left out."""
    if file is TYPED:
        return of_parquet(file)
    if file is LINES:
        return [{name: value or "" for name, value in json.loads(line).items()} for line in text_of(file).splitlines()]
    found = csv.DictReader(io.StringIO(text_of(file)), delimiter=";")
    return [record for record in found if record["created_at"] is not None]


def instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@cache
def events() -> dict[Key, list[tuple[datetime, str]]]:
    """For each user and device the instants and names of its events that can be used, each once, in order."""
    found: dict[Key, set[tuple[datetime, str]]] = {}
    for record in (record for file in FILES.values() for record in records(file)):
        at = instant(record["created_at"])
        key = (record["anonymous_id"].strip().lower(), record["context_device_id"].strip().lower())
        if at and FIRST_DAY <= at.date() <= LAST_DAY + DAY and all(key) and record["event_name"]:
            found.setdefault(key, set()).add((at, record["event_name"]))
    return {key: sorted(of_key) for key, of_key in found.items()}


def all_records() -> list[Record]:
    return [record for file in FILES.values() for record in records(file)]


def gaps() -> Counter[timedelta]:
    return Counter(later - earlier for of_key in events().values() for (earlier, _), (later, _) in pairwise(of_key))


@cache
def sessions(*, without: str | None = None) -> pl.DataFrame:
    """The product's sessions of all files, or of all but one."""
    read_files = [as_delivered(file) for file in FILES.values() if file.file_name != without]
    found = pl.concat(batch.events for file in read_files for batch in read(file))
    by_day = {
        of_day.item(0, "day"): united(of_day.item(0, "day"), [of_day], {}).rows for of_day in found.partition_by("day")
    }
    days = Days({day: rows.height for day, rows in by_day.items()}, lambda day: by_day[day].lazy(), rules.load())
    return pl.concat(sessions_of(day, days, "America/New_York").rows for day in sorted(by_day))


def kinds(found: pl.DataFrame) -> set[tuple[str, str]]:
    return set(found.select("verdict", "reason").iter_rows())


def longest(found: pl.DataFrame) -> timedelta:
    length = found.select((pl.col("ended_at") - pl.col("started_at")).max()).item()
    assert isinstance(length, timedelta)
    return length


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


def test_the_product_keeps_each_event_once() -> None:
    assert sessions()["num_events"].sum() == sum(map(len, events().values()))


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


def test_a_late_event_joins_two_sessions_and_another_gives_one_an_earlier_start() -> None:
    before, after = sessions(without=LATE.file_name), sessions()
    gone = before.join(after, on="session_id", how="anti")
    now = gone.join(after, on=["anonymous_id", "device_id"], suffix="_now").filter(
        pl.col("started_at").is_between("started_at_now", "ended_at_now")
    )
    assert Counter(
        (row["day"].day, row["started_at"] > row["started_at_now"]) for row in now.iter_rows(named=True)
    ) == {
        (26, True): 1,
        (28, True): 1,
    }
    joined = after.filter(
        pl.col("session_id").is_in(now.filter(pl.col("day") == date(2026, 10, 26))["session_id_now"].to_list())
    )
    assert before.join(joined, on=["anonymous_id", "device_id"]).height == 2


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


def test_gaps_of_exactly_fifteen_minutes_and_of_a_millisecond_less_occur() -> None:
    assert gaps()[GAP] == 1
    assert gaps()[GAP - MILLISECOND] == 1


def test_several_events_of_a_device_share_an_instant() -> None:
    assert gaps()[timedelta()] >= 4


def test_sessions_have_every_verdict_and_every_reason() -> None:
    assert kinds(sessions()) == {(verdict, reason) for verdict, reasons in VERDICTS.items() for reason in reasons}


def test_some_sessions_have_no_length_with_one_event_and_with_several() -> None:
    lengthless = sessions().filter(pl.col("started_at") == pl.col("ended_at"))
    assert {1, 3} <= set(lengthless["num_events"])


def test_a_ride_over_midnight_is_booked_once_whether_the_gap_parts_it_or_not() -> None:
    within = sessions().filter((pl.col("ended_on") > pl.col("day")) & (pl.col("verdict") == "booked"))
    assert within["reason"].to_list() == ["ride_done"]
    parted = sessions().filter(pl.col("continues_ride_at").dt.date() < pl.col("day"))
    assert parted["verdict"].to_list() == ["continued"]


def test_a_session_without_a_ride_goes_over_midnight_and_another_on_for_more_than_a_day() -> None:
    over_midnight = sessions().filter((pl.col("ended_on") > pl.col("day")) & (pl.col("verdict") == "looked"))
    assert sorted((over_midnight["ended_on"] - over_midnight["day"]).to_list()) == [DAY, 2 * DAY]
    assert longest(sessions()) > DAY


def test_rides_end_within_the_gap_and_long_after_it() -> None:
    riding = sessions().filter(pl.col("reason") == "ride_done", pl.col("ms_riding").is_not_null())["ms_riding"]
    quarter = GAP // MILLISECOND
    assert (riding < quarter).sum() > 100
    assert (riding > quarter).sum() > 50
    assert kinds(sessions().filter(pl.col("continues_ride_at").is_not_null())) >= {
        ("continued", "ride_of_earlier_session")
    }


def test_a_start_fails_and_then_succeeds_in_some_sessions_and_in_others_never() -> None:
    failed = sessions().filter(pl.col("start_failed_at").is_not_null())
    assert failed.filter(pl.col("ride_started_at") > pl.col("start_failed_at"))["verdict"].unique().to_list() == [
        "booked"
    ]
    assert "failed" in failed["verdict"]


def test_at_the_end_of_known_time_two_sessions_are_open_and_all_of_october_is_settled() -> None:
    open_ones = sessions().filter("is_open")
    assert set(open_ones["day"]) == {LAST_DAY + DAY}
    assert kinds(open_ones) == {("booked", "ride_open"), ("looked", "only_looked")}
    assert sessions()["ended_at"].max() == KNOWN_UNTIL


@pytest.fixture
def landing(tmp_path: Path) -> Store:
    return Store((tmp_path / "landing").as_uri())


def test_the_files_are_put_into_the_landing_prefix_as_they_are(lake: Store, landing: Store) -> None:
    sample_world.settle(Settings(), lake, landing, None, anything_arrived=False)
    found = {entry.name: b"".join(landing.read(entry.key)) for entry in landing.list("mobile_events")}
    assert found == {file.file_name: file.content for file in event_files()}


def test_no_file_is_put_beside_real_ones(lake: Store, landing: Store) -> None:
    sample_world.settle(Settings(), lake, landing, None, anything_arrived=True)
    assert not landing.list()
    landing.create("mobile_events/theirs.csv", b"")
    sample_world.settle(Settings(), lake, landing, None, anything_arrived=False)
    assert [entry.key for entry in landing.list()] == ["mobile_events/theirs.csv"]


def test_no_file_is_put_where_anything_outside_is_named(lake: Store, landing: Store) -> None:
    sample_world.settle(Settings(landing_uri=landing.uri), lake, landing, None, anything_arrived=False)
    assert not landing.list()
