"""Login events through Dagster: drained, booked, derived, published, and asked for by the sensor."""

import pytest

from data_platform.defs.logins import queue_sensor
from data_platform.local.sample_world.login_events import POISON
from data_platform.publish.draining import Drained
from data_platform.publish.verify import verify
from platform_tests.defs.app_queue import AppQueue, login, logout, received
from platform_tests.defs.conftest import Platform
from platform_tests.defs.login_stand import (
    HOUSE,
    MIXED,
    OCTOBER_5,
    OCTOBER_6,
    asked,
    books,
    bring_up_to_date,
    checks,
    counts,
    days,
    derive,
    drained,
    put_aside,
)


def test_a_queue_is_drained_and_its_days_are_derived_and_published(platform: Platform, app: AppQueue) -> None:
    big = login(user_id="big", more="x")
    big = login(user_id="big", more="x" * (1 + 256 * 1024 - len(big.encode())))
    app.send(login(), login(user_id="u2"), logout(), POISON, "not json", login(device_type=7), login(user_id="u3"))
    app.send(big)
    app.send(login(user_id="late"), "[]", dead=True)
    ran = platform.run(assets=("login_messages",))
    assert ran.success
    told = checks(ran)
    assert told.pop("login_messages.few_are_rejected") is False  # four of ten
    assert {"login_messages.nothing_is_lost", "login_messages.ledger_agrees_with_batches"} <= told.keys()
    assert all(told.values())
    assert app.held() == 0
    assert counts(platform) == {"received": 10, "stored": 6, "rejected": 4}
    [materialization] = ran.asset_materializations_for_node("login_messages")
    assert materialization.metadata["dagster/row_count"].value == 10
    assert materialization.metadata["num_not_deleted"].value == 0
    assert platform.query("SELECT user_id FROM logins.user_logins ORDER BY 1") == [
        ("big",), ("late",), ("u1",), ("u2",), ("u3",),
    ]  # fmt: skip
    before = books(platform)
    done = derive(platform)
    assert done.success
    assert set(checks(done).values()) == {True}
    after = books(platform)
    assert after | {"tallies": []} == before
    assert sum(int(str(row[3])) for row in after["tallies"]) == 10


def test_a_second_run_changes_nothing(platform: Platform, app: AppQueue) -> None:
    app.send(login(), login(user_id="u2"), logout(), POISON)
    platform.run(assets=("login_messages",))
    derive(platform)
    before = books(platform), platform.query("SELECT publication_id FROM ops.publications ORDER BY 1")
    assert platform.run(assets=("login_messages",)).success
    assert derive(platform).success
    assert (books(platform), platform.query("SELECT publication_id FROM ops.publications ORDER BY 1")) == before


def test_an_empty_queue_and_no_queue_are_drained_too(
    platform: Platform, app: AppQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert drained() == Drained()
    monkeypatch.delenv("LOGIN_QUEUE_URL")
    put_aside(received(OCTOBER_5, login()))
    assert drained().counts["stored"] == 1


def test_the_sensor_asks_for_a_drain_only_while_there_are_messages_and_for_days_that_are_behind(
    platform: Platform, app: AppQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_sensor, "_TODAY_EVERY", -queue_sensor._TODAY_EVERY)
    assert asked(platform) == {}
    put_aside(received(OCTOBER_5, login(), logout()), received(OCTOBER_6, login(user_id="u2"), begin=2))
    assert [*asked(platform).values()] == ["login_messages"]
    drained()
    behind = asked(platform)
    assert [*behind.values()] == ["user_logins 2026-10-05..2026-10-06", "user_logouts 2026-10-05..2026-10-05"]
    assert asked(platform) == behind
    bring_up_to_date(platform)
    assert asked(platform) == {}
    put_aside(received(OCTOBER_6, login(user_id="u3"), begin=9))
    drained()
    [(key, text)] = asked(platform).items()
    assert text == "user_logins 2026-10-06..2026-10-06"
    assert key not in behind
    bring_up_to_date(platform)
    app.send(login(user_id="today"))
    assert [*asked(platform).values()] == ["login_messages"]
    drained()
    today = days(platform)[-1]
    assert [*asked(platform).values()] == [f"user_logins {today}..{today}"]
    bring_up_to_date(platform)
    assert asked(platform) == {}


def test_the_present_day_is_not_published_again_with_each_message(platform: Platform, app: AppQueue) -> None:
    app.send(login())
    drained()
    bring_up_to_date(platform)
    app.send(login(user_id="u2"))
    drained()
    assert asked(platform) == {}
    assert len(platform.query("SELECT FROM logins.user_logins")) == 2


"""Two batches of two days and one of both: among them an id that was used before, and a message that comes again."""


@pytest.mark.parametrize(
    ("behind_its_back", "check"),
    [
        ("DELETE FROM ops.message_ledger WHERE position = 1", "login_messages.ledger_agrees_with_batches"),
        ("UPDATE ops.message_ledger SET outcome = 'duplicate'", "login_messages.ledger_agrees_with_batches"),
        ("DELETE FROM logins.user_logins WHERE user_id = 'u2'", "login_messages.ledger_agrees_with_batches"),
        ("DELETE FROM logins.user_logouts", "login_messages.ledger_agrees_with_batches"),
    ],
)
def test_a_line_or_a_row_that_somebody_deletes_fails_a_check(
    platform: Platform, app: AppQueue, behind_its_back: str, check: str
) -> None:
    """Before the day is published too: then no publication knows how many rows there were."""
    put_aside(*MIXED)
    assert checks(platform.run(assets=("login_messages",)))[check]
    with platform.warehouse.transaction() as transaction:
        transaction.run(behind_its_back)
    assert not checks(platform.run(assets=("login_messages",)))[check]


@pytest.mark.parametrize(
    "behind_its_back",
    [
        "DELETE FROM logins.user_logins WHERE user_id = 'u2'",
        "INSERT INTO logins.user_logins SELECT create_date, 'u99', device_type, masked_ip, masked_device_id, locale,"
        " app_version, app_major, app_minor, app_patch, logged_in_at, evidence_id, position + 90, transform_version"
        " FROM logins.user_logins",
    ],
)
def test_a_published_day_that_somebody_edits_fails_its_check_and_is_made_whole_by_a_run(
    platform: Platform, app: AppQueue, behind_its_back: str
) -> None:
    put_aside(*MIXED)
    drained()
    bring_up_to_date(platform)
    before = books(platform)
    with platform.warehouse.transaction() as transaction:
        transaction.run(behind_its_back)
    found = verify(platform.warehouse, platform.lake, HOUSE.first.contract, [OCTOBER_5.date(), OCTOBER_6.date()])
    assert not all(finding.is_as_published for finding in found)
    assert derive(platform).success
    assert books(platform) == before
