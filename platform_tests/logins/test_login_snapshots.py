"""A copy of the counter table into rows, and what of it cannot be used, with its place in the bytes."""

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_platform.contracts.login_history import LoginHistory
from data_platform.contracts.monthly_snapshots import MonthlySnapshots
from data_platform.contracts.outcome import Outcome
from data_platform.contracts.rejects import Rejects
from data_platform.contracts.tallies import Tallies
from data_platform.logins import snapshots
from data_platform.logins.snapshots import COUNTER_COLUMNS, HISTORY_COLUMNS, ColumnsMissing

DAY = date(2026, 6, 10)
MIDNIGHT = datetime(2026, 6, 11, tzinfo=UTC)
NOON = "1781092800"  # 2026-06-10 12:00 UTC
EVIDENCE = "a" * 64


def copy(*lines: str, columns: tuple[str, ...] = COUNTER_COLUMNS) -> bytes:
    return "".join(f"{line}\n" for line in (",".join(columns), *lines)).encode()


def conform(content: bytes, late: timedelta = timedelta(0)) -> Outcome:
    outcome = snapshots.conform(content, day=DAY, read_at=MIDNIGHT + late, evidence_id=EVIDENCE, zone="UTC")
    prove_account(outcome)
    assert MonthlySnapshots.is_valid(outcome.rows)
    return outcome


def prove_account(outcome: Outcome) -> None:
    assert Rejects.is_valid(outcome.rejects)
    assert Tallies.is_valid(outcome.tally)
    [tally] = outcome.tally.to_dicts()
    assert (tally["num_used"], tally["num_rejected"]) == (outcome.rows.height, outcome.rejects.height)


def rejected(outcome: Outcome, content: bytes) -> list[tuple[str, bytes]]:
    """Reason and bytes of each reject."""
    return [
        (reject["reason"], content[reject["byte_from"] : reject["byte_to"]]) for reject in outcome.rejects.to_dicts()
    ]


def test_a_copy_becomes_rows() -> None:
    [row] = conform(copy(f"basic,7,2026,06,5,web,{NOON}"), timedelta(seconds=90)).rows.to_dicts()
    assert row == {
        "day": DAY, "month": date(2026, 6, 1), "user_id": 7, "device": "web", "user_type": "basic", "num_logins": 5,
        "last_login_at": datetime(2026, 6, 10, 12, tzinfo=UTC), "read_at": MIDNIGHT + timedelta(seconds=90),
    }  # fmt: skip


def test_how_late_it_was_read_is_said_in_minutes_after_the_zones_midnight() -> None:
    read_at = datetime(2026, 6, 11, 4, 7, 30, tzinfo=UTC)
    outcome = snapshots.conform(copy(), day=DAY, read_at=read_at, evidence_id=EVIDENCE, zone="America/New_York")
    assert outcome.facts == {"minutes_late": 7.5}


def test_an_empty_table_gives_no_rows_and_no_rejects() -> None:
    outcome = conform(copy())
    assert (outcome.rows.height, outcome.rejects.height) == (0, 0)
    assert outcome.tally["num_in"].to_list() == [0]


@pytest.mark.parametrize("month", ["6", "06", " 6", "06 "])
def test_a_month_may_be_written_with_or_without_its_zero(month: str) -> None:
    assert conform(copy(f"basic,7,2026,{month},5,web,{NOON}")).rows["month"].to_list() == [date(2026, 6, 1)]


def test_the_same_month_written_in_both_ways_is_two_rows_of_which_nobody_knows_the_right_one() -> None:
    lines = [f"basic,7,2026,6,5,web,{NOON}", f"basic,8,2026,06,1,web,{NOON}", f"basic,7,2026,06,9,web,{NOON}"]
    content = copy(*lines)
    outcome = conform(content)
    assert outcome.rows["user_id"].to_list() == [8]
    assert rejected(outcome, content) == [("duplicate_key", f"{lines[n]}\n".encode()) for n in (0, 2)]
    assert outcome.rejects["line"].to_list() == [2, 4]
    assert outcome.rejects["record_no"].to_list() == [1, 3]


def test_a_key_that_stands_twice_is_used_by_neither() -> None:
    content = copy(f"basic,7,2026,06,5,web,{NOON}", f"premium,7,2026,06,5,web,{NOON}")
    assert [reason for reason, _ in rejected(conform(content), content)] == ["duplicate_key"] * 2


def test_another_device_year_or_user_is_another_key() -> None:
    users = ["7,2026,06,5,web", "7,2026,06,5,ios", "8,2026,06,5,web", "7,2025,06,5,web", "7,2026,05,5,web"]
    assert conform(copy(*(f"basic,{user},{NOON}" for user in users))).rows.height == 5


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"basic,7,2026,06,-5,web,{NOON}", "negative_counter"),
        (f"basic,7,2026,06,many,web,{NOON}", "not_a_number"),
        (f"basic,x,2026,06,5,web,{NOON}", "not_a_number"),
        (f"basic,7,2026,06,5.5,web,{NOON}", "not_a_number"),
        ("basic,7,2026,06,5,web,yesterday", "not_a_number"),
        (f"basic,7,2026,13,5,web,{NOON}", "not_a_month"),
        (f"basic,7,2026,00,5,web,{NOON}", "not_a_month"),
        (f"basic,7,2026,June,5,web,{NOON}", "not_a_month"),
        (f'basic,7,2026,"",5,web,{NOON}', "not_a_month"),
        (f"basic,7,2026,006,5,web,{NOON}", "not_a_month"),
    ],
)
def test_a_row_that_cannot_be_used_is_a_reject_with_its_bytes(line: str, reason: str) -> None:
    content = copy(f"basic,1,2026,06,5,web,{NOON}", line, f"basic,2,2026,06,5,web,{NOON}")
    outcome = conform(content)
    assert rejected(outcome, content) == [(reason, f"{line}\n".encode())]
    assert outcome.rows["user_id"].to_list() == [1, 2]
    assert outcome.rejects["detail"][0].endswith("correct it in the app.")


@pytest.mark.parametrize("stamp", ["1781092800000", "-1", str(2**63 - 1), str(-(2**63)), "253402300800"])
def test_a_last_login_at_no_time_is_null_and_the_counter_stays(stamp: str) -> None:
    [row] = conform(copy(f"basic,7,2026,06,5,web,{stamp}")).rows.to_dicts()
    assert (row["num_logins"], row["last_login_at"]) == (5, None)


def test_line_breaks_in_a_device_keep_the_places_of_all_after_it_right() -> None:
    lines = [
        f'basic,1,2026,06,5,"a\nb",{NOON}',
        f'basic,2,2026,06,-5,"say ""hi""\r\n, all",{NOON}',
        f"basic,3,2026,06,-5,web,{NOON}",
    ]
    content = copy(*lines)
    outcome = conform(content)
    assert outcome.rows["device"].to_list() == ["a\nb"]
    assert rejected(outcome, content) == [("negative_counter", f"{line}\n".encode()) for line in lines[1:]]
    assert outcome.rejects["line"].to_list() == [4, 6]


def as_postgres_writes(rows: list[list[str]]) -> list[bytes]:
    """Records as `COPY ... (FORMAT csv)` writes them: quotes where they are needed, and around what is empty."""
    written: list[bytes] = []
    for row in rows:
        needed = [value == "" or any(mark in value for mark in ',"\r\n') for value in row]
        fields = [
            '"' + value.replace('"', '""') + '"' if quoted else value for value, quoted in zip(row, needed, strict=True)
        ]
        written.append((",".join(fields) + "\n").encode())
    return written


DEVICES = st.text(alphabet='ab ,"\r\n\u00e9#;\t\\', max_size=6)


@settings(max_examples=150)
@given(st.lists(st.tuples(DEVICES, DEVICES, st.integers(-2, 5)), max_size=12))
def test_any_name_comes_through_whole_and_every_reject_is_found_in_the_bytes(rows: list[tuple[str, str, int]]) -> None:
    values = [[kind, str(user), "2026", "06", str(num), device, NOON] for user, (kind, device, num) in enumerate(rows)]
    records = as_postgres_writes(values)
    content = copy() + b"".join(records)
    assert list(csv.reader(io.StringIO(content.decode(), newline="")))[1:] == values
    outcome = conform(content)
    good = [(user, kind, device, num) for user, (kind, device, num) in enumerate(rows) if num >= 0]
    assert outcome.rows.select("user_id", "user_type", "device", "num_logins").rows() == good
    bad = [records[user] for user, (_, _, num) in enumerate(rows) if num < 0]
    assert [span for _, span in rejected(outcome, content)] == bad


def test_the_older_jobs_days_become_rows_and_rejects() -> None:
    lines = [
        "2026-06-01,basic,1,5,web", "infinity,basic,2,5,web", "2026-06-02,basic,1,-5,web",
        "2026-06-03,basic,1,5,web", "2026-06-03,premium,1,6,web",
    ]  # fmt: skip
    content = copy(*lines, columns=HISTORY_COLUMNS)
    outcome = snapshots.conform_history(content, evidence_id=EVIDENCE)
    prove_account(outcome)
    assert LoginHistory.is_valid(outcome.rows)
    assert outcome.rows.rows() == [(date(2026, 6, 1), 1, "web", "basic", 5)]
    reasons = ["not_a_number", "negative_counter", "duplicate_key", "duplicate_key"]
    assert rejected(outcome, content) == [
        (reason, f"{line}\n".encode()) for reason, line in zip(reasons, lines[1:], strict=True)
    ]


def test_an_app_without_an_older_job_has_no_history() -> None:
    assert snapshots.conform_history(b"", evidence_id=EVIDENCE).rows.height == 0
    assert snapshots.conform_history(copy(columns=HISTORY_COLUMNS), evidence_id=EVIDENCE).rows.height == 0


def test_a_table_that_lost_a_column_says_which() -> None:
    snapshots.prove_columns("t", [*COUNTER_COLUMNS, "more"], COUNTER_COLUMNS)
    with pytest.raises(ColumnsMissing, match="table t has no column month, device, it has user_type"):
        snapshots.prove_columns("t", ["user_type", "user_id", "year", "num_logins", "d_last_accessed"], COUNTER_COLUMNS)
    with pytest.raises(ColumnsMissing, match="has no table t, or its user may not see it"):
        snapshots.prove_columns("t", [], COUNTER_COLUMNS)
