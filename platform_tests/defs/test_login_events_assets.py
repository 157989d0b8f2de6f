"""Login events through Dagster: drained, booked, derived, published, derived again; and what goes wrong on the way."""

import json
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from data_platform import cli, stack
from data_platform import settings as settings_module
from data_platform.defs.logins import draining, queue_sensor
from data_platform.defs.operations.replay_job import QUIET
from data_platform.errors import PlatformError
from data_platform.lake.evidence import EvidenceDamaged
from data_platform.local.sample_world.login_events import POISON
from data_platform.logins import event_types
from data_platform.logins.event_types import EventType, EventTypes
from data_platform.privacy.keyring import KeyMissing, ensure_ring, rotate
from data_platform.privacy.sealing import SealBroken
from data_platform.publish import messages
from data_platform.publish.draining import Drained, Limits
from data_platform.publish.verify import verify
from data_platform.queues.batches import Received
from data_platform.queues.sqs import QueueRefused, QueueUnavailable
from platform_tests.defs.app_queue import AppQueue, app_queue, login, logout, received, serving
from platform_tests.defs.conftest import Platform
from platform_tests.queues.conftest import answering

TABLES = ("user_logins", "user_logouts")
OCTOBER_5, OCTOBER_6 = datetime(2026, 10, 5, 12, tzinfo=UTC), datetime(2026, 10, 6, 12, tzinfo=UTC)
HOUSE = event_types.load()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with serving(tmp_path_factory.mktemp("queue")) as running:
        yield running


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "keys" / "keys.json"
    ensure_ring(file)
    monkeypatch.setenv("PRIVACY_KEYS", file.as_uri())
    # A test need not wait for what may still come.
    monkeypatch.setattr(draining, "Limits", partial(Limits, wait_seconds=0, linger_seconds=0.2))
    return file


@pytest.fixture
def app(server: Any, keys: Path, monkeypatch: pytest.MonkeyPatch) -> AppQueue:
    queue = app_queue(server)
    monkeypatch.setenv("LOGIN_QUEUE_URL", queue.url)
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return queue


def opened() -> stack.Stack:
    return stack.open_stack(settings_module.load())


def put_aside(*parts: Sequence[Received]) -> None:
    """Batches that were received, and that the next drain settles."""
    office = draining.office_of(opened(), "an earlier run")
    for part in parts:
        office.put_aside("events", part)


def drained() -> Drained:
    return draining.drain(opened(), "a run")


def counts(platform: Platform) -> dict[str, int]:
    names = ("received", "stored", "duplicate", "conflicting", "rejected", "in_flight")
    sums = ", ".join(f"coalesce(sum(num_{name}), 0)::bigint AS {name}" for name in names)
    [account] = platform.query(f"SELECT {sums} FROM ops.message_account")
    return {name: int(str(number)) for name, number in zip(names, account, strict=True) if number}


def days(platform: Platform) -> list[date]:
    return [row[0] for row in platform.query("SELECT DISTINCT day FROM ops.message_ledger ORDER BY 1")]  # pyright: ignore[reportReturnType]


def derive(platform: Platform, *of_days: date) -> dg.ExecuteInProcessResult:
    return platform.run(*(of_days or days(platform)), assets=TABLES)


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    found = result.get_asset_check_evaluations()
    return {f"{check.asset_key.to_user_string()}.{check.check_name}": check.passed for check in found}


def asked(platform: Platform) -> dict[str | None, str]:
    """What the sensor asks for, by run key: the asset with its days."""
    sensor = platform.definitions.resolve_sensor_def("login_queue_sensor")
    with dg.build_sensor_context(
        instance=platform.instance, definitions=platform.definitions, sensor_name=sensor.name,
        resources=dict(platform.definitions.resources or {}),
    ) as context:  # fmt: skip
        requests = sensor.evaluate_tick(context).run_requests or ()
    told: dict[str | None, str] = {}
    for request in requests:
        [key] = list(request.asset_selection or ())
        first, last = (request.tags.get(f"dagster/asset_partition_range_{end}", "") for end in ("start", "end"))
        told[request.run_key] = f"{key.to_user_string()} {first}..{last}" if first else key.to_user_string()
    return told


def replay(platform: Platform, **config: object) -> dg.ExecuteInProcessResult:
    return platform.definitions.resolve_job_def("replay_rejects").execute_in_process(
        run_config=QUIET | {"ops": {"derive_again": {"config": config}}},
        instance=platform.instance, raise_on_error=False,
    )  # fmt: skip


def bring_up_to_date(platform: Platform) -> None:
    """What the sensor asks for of days, until it asks for nothing more."""
    for _ in range(4):
        if not (wanted := [text.split() for text in asked(platform).values() if " " in text]):
            return
        for asset, stretch in wanted:
            first, last = (date.fromisoformat(day) for day in stretch.split(".."))
            assert platform.run(first, last, assets=(asset,)).success
    pytest.fail("days stay behind, however often they are derived")


# A batch by its number in order, since its name is another each time that it is sealed.
_BATCH = "(SELECT evidence_id, batch_id, dense_rank() OVER (ORDER BY batch_id) AS batch FROM ops.message_batches) AS b"
_BOOKS = {
    "batches": "SELECT batch, num_messages, num_stored, num_duplicate, num_conflicting, num_rejected"
    f" FROM ops.message_batches m JOIN {_BATCH} USING (batch_id) ORDER BY 1",
    "ledger": "SELECT batch, position, message_id, sent_at, table_name, day, outcome FROM ops.message_ledger l"
    f" JOIN {_BATCH} USING (batch_id) ORDER BY 1, 2",
    "counters": "SELECT table_name, day, num_records FROM ops.appended_days WHERE num_records <> 0 ORDER BY 1, 2",
    "rejects": "SELECT batch, record_no, table_name, day, reason, detail, byte_from, byte_to FROM ops.rejects"
    f" JOIN {_BATCH} USING (evidence_id) ORDER BY 1, 2, 3",
    "tallies": "SELECT batch, table_name, day, num_in, num_used, num_rejected, num_duplicate FROM ops.tallies"
    f" JOIN {_BATCH} USING (evidence_id) WHERE num_in > 0 ORDER BY 1, 2, 3",
    "logins": "SELECT batch, position, create_date, user_id, device_type, masked_ip, masked_device_id, locale,"
    " app_version, app_major, app_minor, app_patch, logged_in_at, transform_version FROM logins.user_logins"
    f" JOIN {_BATCH} USING (evidence_id) ORDER BY 1, 2",
    "logouts": "SELECT batch, position, create_date, user_id, masked_device_id, cause, logged_out_at, transform_version"
    f" FROM logins.user_logouts JOIN {_BATCH} USING (evidence_id) ORDER BY 1, 2",
}


def books(platform: Platform) -> dict[str, list[tuple[object, ...]]]:
    return {name: platform.query(sql) for name, sql in _BOOKS.items()}


def clear(platform: Platform) -> None:
    """Begins anew: as another platform that has not seen any message."""
    with platform.warehouse.transaction() as transaction:
        transaction.run(
            "TRUNCATE ops.message_ledger, ops.message_batches, ops.rejects, ops.tallies, ops.appended_days,"
            " ops.evidence, ops.publications, logins.user_logins, logins.user_logouts CASCADE"
        )


def with_types(monkeypatch: pytest.MonkeyPatch, types: EventTypes) -> None:
    monkeypatch.setattr(event_types, "load", lambda: types)


def limited(**longest: int) -> EventTypes:
    """The types of the house with other lengths of the fields of a login."""
    first = EventType(HOUSE.first.contract, HOUSE.first.entry)
    first.__dict__["fields"] = tuple(
        replace(field, longest=longest.get(field.name, field.longest)) for field in HOUSE.first.fields
    )
    return EventTypes({**HOUSE.by_name, None: first})


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


MIXED = [
    received(
        OCTOBER_5, login(), logout(), login(user_id="u2"), logout(user_id="u2", cause=None), "[]", logout(cause=7)
    ),
    received(OCTOBER_6, logout(), login(locale="x" * 20), login(locale="RU"), begin=5),
    [
        *received(OCTOBER_5, login()),
        *received(OCTOBER_6, logout(user_id="u9"), login(user_id="u8", locale="y" * 30), login(user_id="u7"), begin=40),
    ],
]
"""Two batches of two days and one of both: among them an id that was used before, and a message that comes again."""


@pytest.mark.parametrize("before", [EventTypes({None: HOUSE.first}), limited(locale=10, user_id=1)])
def test_a_mended_rule_makes_of_the_evidence_what_a_platform_had_that_knew_it_from_the_first_day(
    platform: Platform, app: AppQueue, monkeypatch: pytest.MonkeyPatch, before: EventTypes
) -> None:
    """A type that is declared only now, texts that may be longer now; logins that were rejects become rows."""
    with_types(monkeypatch, before)
    put_aside(*MIXED)
    drained()
    bring_up_to_date(platform)
    assert {row[0] for row in platform.query("SELECT DISTINCT transform_version FROM logins.user_logins")} <= {
        before.version
    }
    old = books(platform)
    with_types(monkeypatch, HOUSE)
    assert replay(platform).success
    bring_up_to_date(platform)
    mended = books(platform)
    assert mended != old
    clear(platform)
    put_aside(*MIXED)
    drained()
    bring_up_to_date(platform)
    assert mended == books(platform)
    assert "in_flight" not in counts(platform)
    assert platform.run(assets=("login_messages",)).success


def test_a_replay_alone_wins_messages_of_a_type_that_was_declared_late(
    platform: Platform, app: AppQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_types(monkeypatch, EventTypes({None: HOUSE.first}))
    put_aside(*MIXED)
    drained()
    bring_up_to_date(platform)
    with_types(monkeypatch, HOUSE)
    assert replay(platform).success
    assert len(platform.query("SELECT FROM logins.user_logouts")) == 3


def test_a_stricter_rule_takes_rows_back_and_the_books_agree(
    platform: Platform, app: AppQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_aside(*MIXED)
    drained()
    bring_up_to_date(platform)
    with_types(monkeypatch, limited(locale=10))
    ran = derive(platform)
    assert ran.success
    assert set(checks(ran).values()) == {True}
    taken = platform.query("SELECT reason, count(*) FROM ops.rejects WHERE table_name LIKE '%logins' GROUP BY 1")
    assert dict(taken)["too_long"] == 2  # pyright: ignore[reportArgumentType, reportCallIssue]
    told = checks(platform.run(assets=("login_messages",)))
    assert told["login_messages.nothing_is_lost"]
    assert told["login_messages.ledger_agrees_with_batches"]


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


def of(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.main(words)
    told = capsys.readouterr()
    return code, told.out, told.err


def test_rejected_messages_are_listed_and_their_content_stays_sealed(
    platform: Platform, app: AppQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    put_aside(received(OCTOBER_5, login(), "not json 192.0.2.1", login(device_type=7), begin=0))
    drained()
    capsys.readouterr()
    code, out, _ = of(capsys, "rejects", "list", "--asset", "user_logins", "--json")
    document = json.loads(out)
    assert (code, document["num_rejects"]) == (0, 2)
    assert {reject["reason"] for reject in document["rejects"]} == {"not_json", "wrong_type"}
    _, out, _ = of(capsys, "rejects", "list")
    [address] = re.findall(r"^([0-9a-f]{12}:2) ", out, re.MULTILINE)
    for words in (("show", address), ("show", "--raw", address)):
        code, out, err = of(capsys, "rejects", *words)
        assert code == 1
        assert f"`data-platform reveal {address} --reason ...`" in err
        assert "192.0.2.1" not in out + err
    code, out, _ = of(capsys, "reveal", address, "--reason", "a look by the test")
    assert (code, out) == (0, "not json 192.0.2.1\n")


def one_sentence(error: BaseException) -> str:
    assert isinstance(error, PlatformError), repr(error)
    assert "\n" not in str(error)
    assert str(error).endswith(".")
    return str(error)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_queue_that_refuses_is_one_sentence_at_once(
    platform: Platform, app: AppQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_aside(received(OCTOBER_5, login()))
    denied = {"__type": "com.amazonaws.sqs#AccessDenied", "message": "signed by somebody else"}
    with answering(403, denied) as url:
        monkeypatch.setenv("LOGIN_QUEUE_URL", url)
        with pytest.raises(QueueRefused, match="set LOGIN_QUEUE_URL to a queue that exists") as caught:
            drained()
        assert "signed by" not in one_sentence(caught.value)
        ran = platform.run(assets=("login_messages",))
    assert not ran.success
    assert ran.retry_attempts_for_node("login_messages") == 0
    assert counts(platform) == {"received": 1, "stored": 1}  # what was received before is settled all the same


def test_a_queue_that_is_gone_is_one_sentence_and_what_was_received_before_is_settled(
    platform: Platform, app: AppQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_aside(received(OCTOBER_5, login()))
    monkeypatch.setenv("LOGIN_QUEUE_URL", f"http://127.0.0.1:{closed_port()}/123456789012/events")
    with pytest.raises(QueueUnavailable) as caught:
        drained()
    assert "LOGIN_QUEUE_URL" in one_sentence(caught.value)
    assert counts(platform) == {"received": 1, "stored": 1}


def another_ring(keys: Path) -> None:
    """As an ordinary mistake makes it: the same versions, and other keys."""
    keys.unlink()
    ensure_ring(keys)
    rotate(SecretStr(keys.as_uri()))


def without_the_newest_key(keys: Path) -> None:
    document = json.loads(keys.read_text())
    document["keys"] = [key for key in document["keys"] if key["version"] != "s2"]
    keys.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("lose", "error"), [(another_ring, SealBroken), (without_the_newest_key, KeyMissing), (Path.unlink, PlatformError)]
)
def test_a_key_that_is_missing_is_one_sentence_and_nothing_is_acknowledged_or_lost(
    platform: Platform, app: AppQueue, keys: Path, lose: Callable[[Path], object], error: type[PlatformError]
) -> None:
    rotate(SecretStr(keys.as_uri()))
    put_aside(received(OCTOBER_5, login()))
    app.send(login(user_id="u2"))
    ring = keys.read_bytes()
    lose(keys)
    with pytest.raises(error) as caught:
        drained()
    one_sentence(caught.value)
    assert app.held() == 1
    assert counts(platform) == {"received": 1, "in_flight": 1}
    keys.unlink(missing_ok=True)
    ensure_ring(keys)
    keys.write_bytes(ring)
    assert drained().counts["stored"] == 2
    assert app.held() == 0
    lose(keys)
    ran = derive(platform, OCTOBER_5.date())
    assert not ran.success
    assert len(platform.query("SELECT FROM logins.user_logins")) == 2


def test_evidence_that_is_damaged_or_gone_is_one_sentence_and_the_rows_stay(
    platform: Platform, app: AppQueue, tmp_path: Path
) -> None:
    put_aside(received(OCTOBER_5, login()))
    drained()
    [evidence] = [file for file in (tmp_path / "lake" / "evidence").rglob("*") if file.is_file()]
    evidence.write_bytes(evidence.read_bytes()[:-1] + b"?")
    of_day = draining.derived_days(opened(), HOUSE.first.contract, "a run")
    with pytest.raises(EvidenceDamaged) as caught:
        of_day(OCTOBER_5.date())
    one_sentence(caught.value)
    assert not derive(platform).success
    evidence.unlink()
    assert not derive(platform).success
    assert len(platform.query("SELECT FROM logins.user_logins")) == 1


def test_a_warehouse_that_goes_away_in_mid_batch_acknowledges_nothing(
    platform: Platform, app: AppQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.send(login(), login(user_id="u2"))
    with platform.warehouse.transaction() as transaction:
        transaction.run("ALTER TABLE logins.user_logins ADD CONSTRAINT full_up CHECK (user_id <> 'u2')")
    with pytest.raises(PlatformError) as caught:
        drained()
    one_sentence(caught.value)
    assert app.held() == 2
    assert platform.query("SELECT FROM logins.user_logins") == []
    assert messages.unsettled(platform.warehouse)
    with platform.warehouse.transaction() as transaction:
        transaction.run("ALTER TABLE logins.user_logins DROP CONSTRAINT full_up")
    assert drained().counts["stored"] == 2  # out of the evidence: the queue still hides the two
    assert counts(platform) == {"received": 2, "stored": 2}
