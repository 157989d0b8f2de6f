"""Mail about reports: one to each recipient of each version, whatever mail servers do; sentences keep secrets."""

import re
import threading
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from data_platform.errors import PlatformError
from data_platform.lake.store import Store
from data_platform.publish import mailing
from data_platform.publish.mailing import Mailer, num_told
from data_platform.settings import Settings
from data_platform.warehouse.connection import Warehouse
from platform_tests.publish import s3_proxy
from platform_tests.publish.deliveries import NAME, WatchedWarehouse, dying, fresh, killed
from platform_tests.publish.mail_server import HANG_UP, MailServer
from platform_tests.publish.offices import ANN, BOB, FROM, TITLE, Office, office_of

# Once


def test_each_recipient_gets_one_mail_and_not_another(office: Office, server: MailServer) -> None:
    assert office.tell() == []
    assert office.tell() == []
    assert server.told == [ANN, BOB]
    assert all(len(mail.recipients) == 1 for mail in server.mails)
    assert {mail.login for mail in server.mails} == {("clerk", "hunter2")}
    assert office.booked() == [(ANN, 1, True, False), (BOB, 1, True, False)]
    assert num_told(office.stand.warehouse, office.files, [ANN, BOB]) == 2


def test_who_asks_for_it_again_gets_it_again(office: Office, server: MailServer) -> None:
    office.tell(ANN)
    assert office.tell(ANN, again=True) == []
    assert server.told == [ANN, ANN]
    assert office.booked() == [(ANN, 1, True, False)]


def test_a_recipient_who_comes_later_is_told_alone(office: Office, server: MailServer) -> None:
    office.tell(ANN)
    assert office.tell(ANN, BOB) == []
    assert server.told == [ANN, BOB]


def test_a_new_version_is_told_anew_and_says_that_it_is_one(office: Office, server: MailServer) -> None:
    office.tell(ANN)
    assert office.deliver("a,1", "b,3").tell(ANN) == []
    first, second = server.mails
    assert first.message["Subject"] == f"{TITLE}, 2023-07-03"
    assert second.message["Subject"] == f"{TITLE}, 2023-07-03 (version 2)"
    assert "takes the place" not in first.text
    assert "This is version 2; it takes the place of what was delivered before." in second.text
    assert office.booked() == [(ANN, 1, True, False), (ANN, 2, True, False)]


def test_a_new_version_says_that_it_is_one_also_where_its_first_format_is_new(
    office: Office, server: MailServer
) -> None:
    office.deliver("c,1", formats=("parquet",)).deliver("c,1", formats=("csv", "parquet")).tell(ANN)
    assert "This is version 3; it takes the place of what was delivered before." in server.mails[0].text


def test_many_who_tell_at_once_send_one_mail(office: Office, server: MailServer) -> None:
    failures: list[list[str]] = []
    threads = [threading.Thread(target=lambda: failures.append(office.tell())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == 8 * [[]]
    assert server.told == [ANN, BOB]


def test_nobody_to_tell_is_no_failure(office: Office, server: MailServer) -> None:
    assert office.mailer().tell(office.files, TITLE, []) == []
    assert office.mailer(mail_url=None).tell(office.files, TITLE, []) == []
    assert (server.mails, office.booked()) == ([], [])


@pytest.mark.parametrize("unset", ["mail_url", "mail_from"])
def test_recipients_without_a_mail_server_are_one_sentence(office: Office, server: MailServer, unset: str) -> None:
    changes: dict[str, Any] = {unset: None}
    [failure] = office.tell(**changes)
    assert (
        failure == f"Nobody was told of {NAME} of 2023-07-03: set MAIL_URL and MAIL_FROM, or take out its recipients."
    )
    assert office.booked() == []
    assert office.tell() == []
    assert server.told == [ANN, BOB]


# What is in it


def test_small_files_are_attached_byte_for_byte(office: Office, server: MailServer) -> None:
    office.tell(ANN)
    [mail] = server.mails
    attached = {part.get_filename(): part.get_payload(decode=True) for part in mail.message.iter_attachments()}
    stored = {
        file.s3_object_key.rsplit("/", 1)[-1]: office.stand.content(office.stand.key(file)) for file in office.files
    }
    assert attached == stored
    assert len(attached) == 2
    assert (mail.message["From"], mail.message["To"], mail.sender) == (FROM, ANN, FROM)
    assert f"{TITLE}, 2023-07-03: 2 rows." in mail.text
    assert all(file.sha256 in mail.text for file in office.files)


def test_the_limit_of_attachments_is_for_all_files_together(office: Office, server: MailServer) -> None:
    def deliver(num_bytes: int) -> Office:
        return office.deliver("x" * num_bytes, formats=("csv",))

    rest = deliver(1).files[0].num_bytes - 1
    at_the_limit, above = deliver(10**6 - rest), deliver(10**6 - rest + 1)
    assert (at_the_limit.files[0].num_bytes, above.files[0].num_bytes) == (10**6, 10**6 + 1)
    at_the_limit.tell(ANN, mail_attachment_megabytes=1)
    above.tell(ANN, mail_attachment_megabytes=1)
    attached, linked = server.mails
    assert len([*attached.message.iter_attachments()]) == 1
    assert [*linked.message.iter_attachments()] == []
    assert "too large for a mail" in linked.text
    assert above.files[0].download_link in linked.text


@pytest.mark.parametrize("megabytes", [0, 5])
def test_the_link_in_a_mail_opens_the_file(cloud: Office, server: MailServer, megabytes: int) -> None:
    cloud.tell(ANN, mail_attachment_megabytes=megabytes)
    [mail] = server.mails
    assert len([*mail.message.iter_attachments()]) == (2 if megabytes else 0)
    links = re.findall(r"^http\S+$", mail.text, re.MULTILINE)
    opened: list[bytes] = []
    for link in links:
        with urllib.request.urlopen(link, timeout=30) as answer:  # noqa: S310
            opened.append(answer.read())
    assert opened == [cloud.stand.content(cloud.stand.key(file)) for file in cloud.files]
    assert mail.text.count("for 72 hours from now") == 2


def test_a_very_long_title_in_any_script_arrives(office: Office, server: MailServer) -> None:
    title = "Zählerstände 計量 " + "sehr lang " * 60 + "💡"
    assert office.tell(ANN, title=title) == []
    assert server.mails[0].message["Subject"] == f"{title}, 2023-07-03"
    assert title in server.mails[0].text


@pytest.mark.parametrize("title", ["Meters\n", "Meters\nBcc: eve@example.com", "Meters\r\n\r\nnot a body"])
def test_a_title_with_a_line_break_adds_no_header(office: Office, server: MailServer, title: str) -> None:
    """`title: |` in a YAML file ends with one."""
    with suppress(PlatformError):
        office.tell(ANN, title=title)
    assert all(mail.recipients == (ANN,) for mail in server.mails)
    assert all(mail.message["Bcc"] is None for mail in server.mails)
    assert office.tell(ANN) == []
    assert server.told == [ANN]


# What goes wrong


REFUSALS = {
    "BANNER": "554 no service for clerk", "EHLO": "502 what", "AUTH": "535 5.7.8 wrong password hunter2",
    "MAIL": "451 later", "RCPT": f"550 5.1.1 <{ANN}>: no such user", "DATA": f"554 nothing for {ANN}",
    "END": f"552 <{ANN}> is full",
}  # fmt: skip


@pytest.mark.parametrize("command", REFUSALS)
def test_a_mail_that_is_refused_is_one_sentence_and_goes_the_next_time(
    office: Office, server: MailServer, command: str
) -> None:
    server.answers[command] = REFUSALS[command]
    [failure] = office.tell(ANN)
    assert REFUSALS[command][:3] in failure or command == "EHLO"
    assert server.mails == []
    assert office.booked() == [(ANN, 1, False, True)]
    assert num_told(office.stand.warehouse, office.files, [ANN, BOB]) == 0
    server.answers.clear()
    assert office.tell(ANN) == []
    assert server.told == [ANN]
    assert office.booked() == [(ANN, 1, True, False)]


@pytest.mark.parametrize("command", ["BANNER", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"])
def test_a_server_that_hangs_up_is_one_sentence_and_the_mail_goes_the_next_time(
    office: Office, server: MailServer, command: str
) -> None:
    server.answers[command] = HANG_UP
    assert len(office.tell(ANN)) == 1
    server.answers.clear()
    assert office.tell(ANN) == []
    assert server.told == [ANN]


def test_a_server_that_hangs_up_after_it_has_the_mail_gets_it_again_only_when_somebody_says_so(
    office: Office, server: MailServer
) -> None:
    """Nobody knows whether it went: sent again every hour it could go a hundred times."""
    server.answers["END"] = HANG_UP
    [failure] = office.tell(ANN)
    assert "nobody knows whether it went" in failure
    assert ANN not in failure
    assert office.booked() == [(ANN, 1, False, False)]
    server.answers.clear()
    assert office.tell(ANN) == []
    assert server.told == [ANN]
    assert num_told(office.stand.warehouse, office.files, [ANN]) == 0
    assert office.tell(ANN, again=True) == []
    assert server.told == [ANN, ANN]
    assert len({mail.message["Message-ID"] for mail in server.mails}) == 1


def test_only_the_recipients_of_now_count_as_told(office: Office) -> None:
    office.tell(ANN)
    assert num_told(office.stand.warehouse, office.files, [ANN]) == 1
    assert num_told(office.stand.warehouse, office.files, [BOB]) == 0


@pytest.mark.parametrize("answer", ["421 too many connections", "500 what", HANG_UP])
def test_a_server_that_is_impolite_once_it_has_taken_the_mail_has_taken_it(
    office: Office, server: MailServer, answer: str
) -> None:
    server.answers["QUIT"] = answer
    assert office.tell(ANN) == []
    assert office.tell(ANN) == []
    assert server.told == [ANN]
    assert office.booked() == [(ANN, 1, True, False)]


def test_one_recipient_who_is_refused_does_not_keep_the_other_from_being_told(
    office: Office, server: MailServer
) -> None:
    server.answers["RCPT"] = f"550 5.1.1 <{ANN}>: no such user"
    assert len(office.tell()) == 2
    server.answers.clear()
    assert office.tell(BOB) == []
    assert office.booked() == [(ANN, 1, False, True), (BOB, 1, True, False)]


@pytest.mark.parametrize(
    "host", ["127.0.0.1:9", "no-such-host.invalid", "mail..example.com", f"{'x' * 70}.example.com"]
)
def test_a_server_that_is_not_there_is_one_sentence_and_the_mail_goes_the_next_time(
    office: Office, server: MailServer, host: str
) -> None:
    [failure] = office.tell(ANN, mail_url=SecretStr(f"smtp://clerk:hunter2@{host}"))
    assert host.removesuffix(":9") in failure
    assert office.tell(ANN) == []
    assert server.told == [ANN]


def test_a_server_that_says_nothing_is_one_sentence(
    office: Office, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailing, "_TIMEOUT", 0.2)
    server.shutdown()  # it still listens
    assert len(office.tell(ANN)) == 1
    assert office.booked() == [(ANN, 1, False, True)]


@pytest.mark.parametrize("login", ["clerk:h%C3%BCnter2", "cl%C3%A9rk:hunter2"])
def test_a_login_that_smtp_cannot_spell_is_one_sentence(office: Office, server: MailServer, login: str) -> None:
    [failure] = office.tell(ANN, mail_url=SecretStr(server.url(login)))
    assert "hünter" not in failure
    assert "\\xfc" not in failure
    assert office.tell(ANN) == []
    assert server.told == [ANN]


@pytest.mark.parametrize("recipient", ["jörg@example.com", "ann@exämple.com"])
def test_an_address_that_the_server_cannot_take_is_one_sentence(
    office: Office, server: MailServer, recipient: str
) -> None:
    failures = office.mailer().tell(office.files, TITLE, [recipient, BOB])
    assert all(recipient not in failure for failure in failures)
    assert len(failures) == len([row for row in office.booked() if row[3]])
    assert BOB in server.told


def test_a_recipient_with_a_comma_is_nobody_else(office: Office, server: MailServer) -> None:
    """A report's type takes such an address; half of it is another one."""
    office.tell(f"x,{BOB}")
    assert BOB not in server.told


def test_a_file_that_is_not_there_leaves_the_mail_for_the_next_time(office: Office, server: MailServer) -> None:
    """Nothing was handed over, and that is known."""
    key = office.stand.key(office.files[0])
    content = office.stand.content(key)
    office.stand.reports.delete(key)
    with suppress(PlatformError):
        assert office.tell(ANN) != []
    assert server.mails == []
    office.stand.reports.create(key, content)
    assert office.tell(ANN) == []
    assert server.told == [ANN]


def test_a_store_that_fails_for_a_moment_leaves_the_mail_for_the_next_time(
    books: Warehouse, s3_store: Store, tmp_path: Path, server: MailServer
) -> None:
    with s3_proxy.before(s3_store.endpoint_url or "") as proxy:
        reports = Store(f"{s3_store.uri}/reports", proxy.url)
        office = office_of(books, s3_store, reports, tmp_path, server.url())
        proxy.fail(403, method="GET")
        with suppress(PlatformError):
            assert office.tell(ANN) != []
        proxy.heal()
        assert office.tell(ANN) == []
        assert server.told == [ANN]


def test_a_warehouse_that_goes_away_before_the_mail_sends_none(office: Office, server: MailServer) -> None:
    def touch(step: str) -> None:
        assert office.stand.cut_off()

    cut = replace(office, stand=replace(office.stand, warehouse=WatchedWarehouse(office.stand.warehouse.url, touch)))
    with pytest.raises(PlatformError, match="The warehouse at"):
        cut.tell(ANN)
    assert server.mails == []
    assert office.tell(ANN) == []
    assert server.told == [ANN]


# Killed


@dataclass(frozen=True)
class Telling:
    """Tells in a process of its own, which kills itself at a step."""

    office: Office
    dies_at: int

    def __call__(self) -> None:
        warehouse = WatchedWarehouse(self.office.stand.warehouse.url, dying(self.dies_at))
        mailer = Mailer(warehouse, self.office.stand.reports, Settings(**self.office.settings))
        mailer.tell(self.office.files, TITLE, [ANN])


def kill(office: Office, dies_at: int) -> None:
    stand = replace(office.stand, reports=fresh(office.stand.reports), lake=fresh(office.stand.lake))
    assert killed(Telling(replace(office, stand=stand), dies_at))


def test_a_run_killed_before_the_books_know_of_a_mail_has_not_sent_it(office: Office, server: MailServer) -> None:
    kill(office, 0)
    assert (server.mails, office.booked()) == ([], [])
    assert office.tell(ANN) == []
    assert server.told == [ANN]


@pytest.mark.parametrize(("step", "sent"), [(1, []), (2, [ANN])], ids=["before the mail", "after the mail"])
def test_after_a_crash_around_a_mail_it_is_not_sent_again_by_itself(
    office: Office, server: MailServer, step: int, sent: list[str]
) -> None:
    kill(office, step)
    assert server.told == sent
    assert office.booked() == [(ANN, 1, False, False)]
    assert office.tell(ANN) == []
    assert server.told == sent
    assert num_told(office.stand.warehouse, office.files, [ANN, BOB]) == 0
    assert office.tell(ANN, again=True) == []
    assert server.told == [*sent, ANN]
    assert office.booked() == [(ANN, 1, True, False)]
