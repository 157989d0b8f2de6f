"""What goes wrong on the way of login events: one clear sentence each, and nothing lost."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from data_platform.defs.logins import draining
from data_platform.errors import PlatformError
from data_platform.lake.evidence import EvidenceDamaged
from data_platform.privacy.keyring import KeyMissing, ensure_ring, rotate
from data_platform.privacy.sealing import SealBroken
from data_platform.publish import messages
from data_platform.queues.sqs import QueueRefused, QueueUnavailable
from platform_tests.defs.app_queue import AppQueue, login, received
from platform_tests.defs.conftest import Platform
from platform_tests.defs.login_stand import HOUSE, OCTOBER_5, counts, derive, drained, opened, put_aside
from platform_tests.queues.conftest import answering


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
