"""The sample world's events make sessions of every kind, at every border that wrong ways get wrong."""

from collections import Counter
from datetime import date, timedelta

import polars as pl

from data_platform.contracts.sessions import VERDICTS
from data_platform.local.sample_world.mobile import LAST_DAY
from platform_tests.local.mobile_files import (
    DAY,
    GAP,
    KNOWN_UNTIL,
    LATE,
    MILLISECOND,
    events,
    gaps,
    kinds,
    longest,
    sessions,
)


def test_the_product_keeps_each_event_once() -> None:
    assert sessions()["num_events"].sum() == sum(map(len, events().values()))


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
