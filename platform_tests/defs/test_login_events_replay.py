"""Login events derived again: after a rule was mended, made stricter, or a type was declared late."""

import json
import re

import pytest

from data_platform import cli
from data_platform.logins.event_types import EventTypes
from platform_tests.defs.app_queue import AppQueue, login, received
from platform_tests.defs.conftest import Platform
from platform_tests.defs.login_stand import (
    HOUSE,
    MIXED,
    OCTOBER_5,
    books,
    bring_up_to_date,
    checks,
    clear,
    counts,
    derive,
    drained,
    limited,
    put_aside,
    replay,
    with_types,
)


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
