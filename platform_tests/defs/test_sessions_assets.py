"""The sessions product through Dagster: files land, the sensor asks, days of events and sessions follow."""

import gzip
import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import dagster as dg
import pytest

from data_platform import contracts
from data_platform.defs.operations.failures import failures, warnings
from data_platform.defs.sessions import sources
from data_platform.defs.sessions.landing import event_files_sensor
from data_platform.publish import reading, rejects
from data_platform.settings import load
from data_platform.stack import open_stack
from platform_tests.defs.conftest import Platform

EVENTS, SESSIONS = contracts.of_table("sessions.mobile_events"), contracts.of_table("sessions.sessions")
COLUMNS = (
    "anonymous_id", "business_zoned", "context_app_version", "context_device_id", "context_os_name", "event_name",
    "received_at", "created_at",
)  # fmt: skip
OCT = {n: date(2026, 10, n) for n in range(1, 32)}
OPENED, LOOKED, STARTED, DONE = (
    "Application Opened", "Scooter Selected - User", "Ride Started - Successful", "Ride Done - Successful",
)  # fmt: skip
Row = tuple[str, str, str]
"""User, instant such as `05 10:00:00` of October 2026, and event."""


def content(*rows: Row) -> bytes:
    lines = [f"{user};berlin;4.1;{user}-phone;iOS;{event};;2026-10-{at}" for user, at, event in rows]
    return "\n".join([";".join(COLUMNS), *lines, ""]).encode()


def drop(platform: Platform, name: str, *rows: Row) -> None:
    platform.landing.create(f"mobile_events/{name}", content(*rows))


def asked(platform: Platform) -> list[tuple[str, list[date]]]:
    """Assets and days that the sensor asks for."""
    with dg.build_sensor_context(
        instance=platform.instance, definitions=platform.definitions, sensor_name="event_files_sensor",
        resources=dict(platform.definitions.resources or {}),
    ) as context:  # fmt: skip
        requests = event_files_sensor.evaluate_tick(context).run_requests or []
    found: list[tuple[str, list[date]]] = []
    for request in requests:
        first, last = (
            date.fromisoformat(request.tags[f"dagster/asset_partition_range_{end}"]) for end in ("start", "end")
        )
        [key] = request.asset_selection or []
        found.append((key.to_user_string(), [first + timedelta(days=n) for n in range((last - first).days + 1)]))
    return found


def settle(platform: Platform) -> list[tuple[str, list[date]]]:
    """Does what the daemon would do, until the sensor asks for nothing more; returns what it asked for."""
    everything: list[tuple[str, list[date]]] = []
    while requests := asked(platform):
        asset, days = requests[0]
        result = platform.run(days[0], days[-1], assets=(asset,))
        assert result.success, failures(result)
        everything.append((asset, days))
    return everything


def versions(platform: Platform, table: str) -> dict[date | None, datetime]:
    contract = contracts.of_table(f"sessions.{table}")
    return {version.day: version.published_at for version in reading.publications(platform.warehouse, contract)}


def changed(before: dict[date | None, datetime], after: dict[date | None, datetime]) -> set[date | None]:
    return {day for day, at in after.items() if before.get(day) != at}


def tables(platform: Platform) -> dict[tuple[str, date | None], str]:
    return {
        (contract.name, version.day): version.content_hash
        for contract in (EVENTS, SESSIONS)
        for version in reading.publications(platform.warehouse, contract)
        if version.num_rows
    }


def sessions(platform: Platform, columns: str) -> list[tuple[object, ...]]:
    return platform.query(f"SELECT {columns} FROM sessions.sessions ORDER BY anonymous_id, started_at")


def test_a_file_makes_exactly_the_days_of_its_events_and_their_sessions(platform: Platform) -> None:
    drop(platform, "a_2026-10-20.csv", ("ann", "03 10:00:00", OPENED), ("ann", "12 10:00:00", OPENED))
    made = settle(platform)
    assert ("delivered_events", [OCT[20]]) in made
    assert [days for asset, days in made if asset == "mobile_events"] == [[OCT[3]], [OCT[12]]]
    assert set(versions(platform, "sessions")) == {OCT[3], OCT[12]}
    assert asked(platform) == []


def test_a_late_event_gives_a_new_version_to_the_days_that_its_own_session_touches_and_to_no_other(
    platform: Platform,
) -> None:
    drop(platform, "a_2026-10-20.csv", *[("ann", f"{day:02} 10:00:00", OPENED) for day in range(1, 20)])
    settle(platform)
    before = versions(platform, "mobile_events"), versions(platform, "sessions")
    drop(platform, "b_2026-10-25.csv", ("ann", "07 10:05:00", LOOKED))
    settle(platform)
    after = versions(platform, "mobile_events"), versions(platform, "sessions")
    assert changed(before[0], after[0]) == {OCT[7]}
    assert changed(before[1], after[1]) == {OCT[7]}


def test_a_late_event_before_midnight_moves_a_session_to_the_day_before(platform: Platform) -> None:
    drop(platform, "a_2026-10-20.csv", ("ann", "05 12:00:00", OPENED), ("ann", "08 00:05:00", LOOKED))
    settle(platform)
    drop(platform, "b_2026-10-21.csv", ("ann", "07 23:55:00", OPENED))
    settle(platform)
    assert sessions(platform, "day, num_events") == [(OCT[5], 1), (OCT[7], 2)]


def test_files_in_any_order_twice_and_in_pieces_make_the_same_tables(platform: Platform) -> None:
    rows = [
        (user, f"{day:02} {hour:02}:{minute:02}:00", event)
        for user in ("ann", "bob")
        for day, hour, minute, event in (
            (5, 23, 50, OPENED), (6, 0, 1, LOOKED), (6, 0, 3, STARTED), (6, 0, 40, DONE), (7, 23, 59, OPENED),
            (9, 8, 0, OPENED),
        )
    ]  # fmt: skip
    for number, part in enumerate((rows[7:], rows[3:9], rows[:5], rows[2:4])):
        drop(platform, f"part_{number}_2026-10-{20 - number}.csv", *part)
        settle(platform)
    in_pieces = tables(platform)
    for table in ("sessions.sessions", "sessions.delivered_events", "ops.tallies", "ops.publications"):
        with platform.warehouse.transaction() as transaction:
            transaction.run(f"TRUNCATE {table} CASCADE")
    assert tables(platform) == {}
    settle(platform)
    assert tables(platform) == in_pieces
    assert sessions(platform, "num_events, verdict")[:3] == [(3, "booked"), (1, "continued"), (1, "no_intent")]


def test_every_id_ever_published_resolves_and_ids_of_untouched_sessions_never_move(platform: Platform) -> None:
    drop(
        platform,
        "a_2026-10-20.csv",
        ("ann", "05 10:00:00", OPENED),
        ("ann", "05 10:20:00", LOOKED),
        ("bob", "05 9:00:00", OPENED),
    )
    settle(platform)
    first = {str(name): user for name, user in sessions(platform, "session_id, anonymous_id")}
    drop(platform, "b_2026-10-21.csv", ("ann", "05 10:10:00", LOOKED), ("ann", "05 09:50:00", OPENED))
    settle(platform)
    [(merged, *_), (untouched, *_)] = sessions(platform, "session_id, anonymous_id")
    assert untouched == next(name for name, user in first.items() if user == "bob")
    changes = platform.query("SELECT old_session_id, session_id FROM sessions.session_id_changes ORDER BY 1")
    assert changes == sorted((name, merged) for name, user in first.items() if user == "ann")


def test_an_open_session_is_settled_by_a_later_day_by_itself(platform: Platform) -> None:
    drop(platform, "a_2026-10-06.csv", ("ann", "05 23:50:00", OPENED), ("bob", "05 10:00:00", STARTED))
    settle(platform)
    assert sessions(platform, "is_open, reason") == [(True, "no_intent"), (False, "end_not_seen")]
    drop(platform, "b_2026-10-07.csv", ("bob", "06 12:00:00", OPENED))
    made = settle(platform)
    assert OCT[5] in next(days for asset, days in made if asset == "sessions")
    assert sessions(platform, "is_open, reason")[0] == (False, "no_intent")


def test_a_day_settles_even_when_the_next_one_with_events_is_far_away(platform: Platform) -> None:
    drop(platform, "a_2026-10-06.csv", ("ann", "05 23:50:00", STARTED))
    settle(platform)
    assert sessions(platform, "is_open, reason") == [(True, "ride_open")]
    drop(platform, "b_2026-10-21.csv", ("bob", "20 12:00:00", OPENED))
    settle(platform)
    assert sessions(platform, "is_open, reason")[0] == (False, "end_not_seen")


def test_a_known_day_is_not_read_from_its_files_again_and_one_whose_object_is_damaged_is(platform: Platform) -> None:
    drop(platform, "a_2026-10-06.csv", ("ann", "05 23:50:00", OPENED))
    settle(platform)
    made = tables(platform)
    [version] = reading.publications(platform.warehouse, EVENTS)
    assert version.object_key
    platform.lake.create(version.object_key, b"cut", replace=True)
    assert platform.run(OCT[5], assets=("mobile_events", "sessions")).success
    assert tables(platform) == made
    assert platform.lake.size(version.object_key) == version.num_bytes


def test_a_file_is_read_once_and_again_only_where_its_reading_is_gone(platform: Platform) -> None:
    drop(platform, "a_2026-10-06.csv", ("ann", "05 23:50:00", OPENED), ("ann", "06 00:10:00", LOOKED))
    while requests := asked(platform):
        asset, days = requests[0]
        if asset == "mobile_events":
            break
        assert platform.run(days[0], days[-1], assets=(asset,)).success
    [of_file] = platform.lake.list("evidence")
    content_of_file = b"".join(platform.lake.read(of_file.key))
    platform.lake.create(of_file.key, b"gone", replace=True)
    settle(platform)
    made = tables(platform)
    platform.lake.create(of_file.key, content_of_file, replace=True)
    for entry in [*platform.lake.list("readings"), *platform.lake.list("tables/sessions/mobile_events")]:
        platform.lake.delete(entry.key)
    assert platform.run(OCT[5], OCT[6], assets=("mobile_events",)).success
    assert tables(platform) == made


def test_a_file_that_brings_nothing_new_is_booked_and_the_rows_of_its_day_stay_where_they_are(
    platform: Platform,
) -> None:
    row = ("ann", "05 10:00:00", OPENED)
    files = sorted([content(row), content(row, row)], key=lambda file: hashlib.sha256(file).hexdigest())
    made: list[reading.Publication] = []
    for number, file in enumerate(files):
        platform.landing.create(f"mobile_events/{number}_2026-10-0{6 + number}.csv", file)
        settle(platform)
        made += reading.publications(platform.warehouse, EVENTS)
    assert [len(version.evidence) for version in made] == [1, 2]
    assert made[0].stored == made[1].stored


def test_an_event_that_the_rules_do_not_know_is_kept_counted_and_shown(platform: Platform) -> None:
    drop(platform, "a_2026-10-06.csv", ("ann", "05 10:00:00", "Promo Shown"), ("ann", "05 10:01:00", OPENED))
    asked(platform)
    platform.run(OCT[6], assets=("delivered_events",))
    result = platform.run(OCT[5], assets=("mobile_events", "sessions"))
    assert result.success
    assert any("Promo Shown (1)" in warning for warning in warnings(result))
    assert sessions(platform, "num_events, num_other_events") == [(2, 1)]


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM sessions.sessions WHERE anonymous_id = 'ann'",
        "UPDATE sessions.sessions SET num_events = 7 WHERE anonymous_id = 'ann'",
    ],
)
def test_sessions_that_do_not_tell_the_story_of_the_events_fail_a_check(platform: Platform, damage: str) -> None:
    drop(platform, "a_2026-10-06.csv", ("ann", "05 10:00:00", OPENED), ("bob", "05 10:01:00", OPENED))
    settle(platform)
    with platform.warehouse.transaction() as transaction:
        transaction.run(damage)
    stack = open_stack(load())
    from data_platform.defs.sessions.checks import every_event_is_in_one_session

    [finding] = every_event_is_in_one_session(stack, [OCT[5]])
    assert not finding.passed


def test_rejects_of_a_compressed_file_are_shown_with_their_bytes(platform: Platform) -> None:
    plain = content(("ann", "05 10:00:00", OPENED)) + b";berlin;4.1;ann-phone;iOS;Lost;;2026-10-05 11:00:00\n"
    platform.landing.create("mobile_events/a_2026-10-06.csv.gz", gzip.compress(plain))
    settle(platform)
    [reject] = rejects.find(platform.warehouse, rejects.Scope(), limit=10)
    assert reject.reason == "blank_id"
    assert b"".join(reject.span(platform.lake)).startswith(b";berlin;4.1;ann-phone;iOS;Lost")


def test_a_file_without_a_column_is_held_whole_and_the_others_are_read(platform: Platform) -> None:
    drop(platform, "good_2026-10-06.csv", ("ann", "05 10:00:00", OPENED))
    lacking = content(("bob", "05 10:00:00", OPENED), ("bob", "05 10:01:00", OPENED)).replace(b"created_at", b"created")
    platform.landing.create("mobile_events/bad_2026-10-06.csv", lacking)
    settle(platform)
    [reject] = rejects.find(platform.warehouse, rejects.Scope(), limit=10)
    assert (reject.reason, reject.num_records) == ("unknown_layout", 2)
    assert "created_at" in reject.detail
    assert len(sessions(platform, "1")) == 1


def test_a_late_event_in_mid_chain_reaches_the_day_where_the_session_starts(platform: Platform) -> None:
    """A session over three days: what is added on the third changes a row of the first."""
    chain: Sequence[Row] = [
        ("ann", f"{5 + minute // 1440:02} {minute // 60 % 24:02}:{minute % 60:02}:00", LOOKED)
        for minute in range(0, 2 * 1440 + 30, 10)
    ]
    drop(platform, "a_2026-10-08.csv", *chain)
    settle(platform)
    assert sessions(platform, "day, ended_on, num_events") == [(OCT[5], OCT[7], len(chain))]
    drop(platform, "b_2026-10-09.csv", ("ann", "07 00:34:00", LOOKED))
    settle(platform)
    assert sessions(platform, "day, ended_on, num_events") == [(OCT[5], OCT[7], len(chain) + 1)]


def test_events_in_are_events_in_sessions_and_rejects_and_duplicates_for_every_file(platform: Platform) -> None:
    rows = [("ann", f"{5 + n // 24:02} {n % 24:02}:5{n % 10}:00", LOOKED) for n in range(60)]
    drop(platform, "a_2026-10-08.csv", *rows, ("", "05 10:00:00", OPENED))
    drop(platform, "b_2026-10-09.csv", *rows[20:40], ("bob", "06 23:59:00", LOOKED), ("bob", "07 00:01:00", LOOKED))
    settle(platform)
    account = platform.query("""
        SELECT e.kind, d.num_in, d.num_rejected, m.num_duplicate, s.num_used
        FROM ops.evidence e
        JOIN (SELECT evidence_id, sum(num_in) AS num_in, sum(num_rejected) AS num_rejected FROM ops.tallies
              WHERE table_name = 'sessions.delivered_events' GROUP BY 1) d USING (evidence_id)
        JOIN (SELECT evidence_id, sum(num_duplicate) AS num_duplicate FROM ops.tallies
              WHERE table_name = 'sessions.mobile_events' GROUP BY 1) m USING (evidence_id)
        JOIN (SELECT evidence_id, sum(num_used) AS num_used FROM ops.tallies
              WHERE table_name = 'sessions.sessions' GROUP BY 1) s USING (evidence_id)
    """)
    assert len(account) == 2
    for _, num_in, num_rejected, num_duplicate, num_used in account:
        assert int(str(num_in)) == int(str(num_rejected)) + int(str(num_duplicate)) + int(str(num_used))
    assert sum(int(str(row[4])) for row in account) == 62


def test_no_event_of_a_run_names_a_user(platform: Platform) -> None:
    drop(
        platform,
        "a_2026-10-06.csv",
        ("secret-user-17", "05 10:00:00", OPENED),
        ("secret-user-17", "05 25:00:00", OPENED),
    )
    settle(platform)
    for run in platform.instance.get_runs():
        for entry in platform.instance.all_logs(run.run_id):
            assert "secret-user" not in str(entry)
    assert all(
        "secret-user" not in reject.detail for reject in rejects.find(platform.warehouse, rejects.Scope(), limit=9)
    )


def test_views_say_what_the_sessions_say(platform: Platform) -> None:
    drop(
        platform, "a_2026-10-08.csv",
        ("ann", "05 10:00:00", OPENED), ("ann", "05 10:01:00", LOOKED), ("ann", "05 10:02:00", STARTED),
        ("ann", "05 10:40:00", DONE), ("ann", "06 10:00:00", STARTED), ("bob", "05 10:00:00", LOOKED),
        ("ann", "07 10:00:00", STARTED),
    )  # fmt: skip
    settle(platform)
    assert platform.query(
        "SELECT city, num_visits, num_looking, num_booked, num_plain_booked FROM sessions.bookings_by_day_and_city"
        " WHERE business_day = '2026-10-05'"
    ) == [("berlin", 2, 2, 1, 2)]
    assert platform.query(
        "SELECT num_visits, num_opened, num_looked, num_started, num_done FROM sessions.funnel_by_day"
        " WHERE business_day = '2026-10-05'"
    ) == [(2, 2, 2, 1, 1)]
    assert platform.query("SELECT reason, num_visits FROM sessions.looking_but_not_booked") == [("only_looked", 1)]
    assert platform.query("SELECT num_rides, median_seconds_to_ride FROM sessions.time_to_book") == [(1, 120.0)]
    history = platform.query(
        "SELECT num_rides_before FROM sessions.sessions_with_history WHERE num_rides > 0 ORDER BY started_at"
    )
    assert history == [(0,), (1,), (2,)]


def test_the_platform_in_another_zone_has_the_same_days_with_another_business_day(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUSINESS_TIMEZONE", "America/New_York")
    drop(platform, "a_2026-10-06.csv", ("ann", "05 01:00:00", OPENED))
    settle(platform)
    assert sessions(platform, "day, business_day") == [(OCT[5], OCT[4])]


def test_a_day_that_does_not_fit_into_memory_says_so_and_the_others_are_published(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_BYTES_AN_EVENT", 2**50)
    drop(platform, "a_2026-10-06.csv", ("ann", "05 10:00:00", OPENED))
    asked(platform)
    platform.run(OCT[6], assets=("delivered_events",))
    result = platform.run(OCT[4], OCT[5], assets=("mobile_events",))
    assert not result.success
    [sentence] = failures(result)
    assert "1 of 2 days could not be made" in sentence
    assert "2026-10-05 has 1 delivered events" in sentence
    assert set(versions(platform, "mobile_events")) == {OCT[4]}
