"""Mail about delivered reports: to each recipient once, with a link, and with the files where they are small.

A row is in the books before a mail is handed over: after a crash in between nobody knows whether it went, and it is not
sent again by itself. What does not belong here: who the recipients are (the report's type).
"""

import smtplib
import ssl
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, cast
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ReadTimeoutError

from data_platform.errors import PlatformError, TransientError
from data_platform.lake.store import Store
from data_platform.publish.delivered import DeliveredFile, key_in
from data_platform.settings import Settings
from data_platform.warehouse.connection import Warehouse

_NAMESPACE = uuid.UUID("0a6f2a57-3c39-5f5e-8b39-63c5f6a6d0b2")
_TIMEOUT = 30  # seconds
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_TYPES = {
    "csv": ("text", "csv"),
    "parquet": ("application", "vnd.apache.parquet"),
    "xlsx": ("application", "vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}


class MailNotTaken(TransientError):
    """The mail server did not take a mail."""


class MailUnknown(TransientError):
    """A mail was on its way when the connection ended: it may have gone."""


@dataclass(frozen=True)
class Mailer:
    """Sends mail as the settings say."""

    warehouse: Warehouse
    store: Store
    settings: Settings

    def tell(
        self, files: Sequence[DeliveredFile], title: str, recipients: Sequence[str], *, again: bool = False
    ) -> list[str]:
        """Tells each recipient of a delivery, unless that was done.

        Args:
            files: All files of one version of a report.
            title: What the customer calls it.
            recipients: Mail addresses.
            again: Send also to those who got it, or of whom that is not known.

        Returns:
            A sentence for each mail that did not go; such a one goes the next time.
        """
        if not recipients:
            return []
        if not (self.settings.mail_url and self.settings.mail_from):
            return [f"Nobody was told of {files[0].report}: set MAIL_URL and MAIL_FROM, or take out its recipients."]
        failures: list[str] = []
        for recipient in recipients:
            if self._begin(files[0], recipient, again=again):
                try:
                    self._send(self._message(files, " ".join(title.split()), recipient), recipient)
                except MailUnknown as error:
                    failures.append(str(error))  # in the books it stays begun
                    continue
                except PlatformError as error:
                    self._note(files[0], recipient, f"The mail about {files[0].report} was not sent: {error}")
                    failures.append(f"The mail about {files[0].report} was not sent: {error}")
                    continue
                self._note(files[0], recipient, None)
        return failures

    def _begin(self, file: DeliveredFile, recipient: str, *, again: bool) -> bool:
        with self.warehouse.transaction() as transaction:
            begun = transaction.query(
                "INSERT INTO reports.mailings AS m (report_type, report_date, version, recipient)"
                " VALUES ($1, $2, $3, $4) ON CONFLICT (report_type, report_date, version, recipient) DO UPDATE"
                " SET begun_at = clock_timestamp(), sent_at = NULL, failure = NULL"
                " WHERE m.failure IS NOT NULL OR $5 RETURNING version",
                file.report_type, file.report_date, file.version, recipient, again,
            )  # fmt: skip
        return begun.height > 0

    def _note(self, file: DeliveredFile, recipient: str, failure: str | None) -> None:
        with self.warehouse.transaction() as transaction:
            transaction.run(
                "UPDATE reports.mailings SET failure = nullif($5, ''),"
                " sent_at = CASE WHEN $5 = '' THEN clock_timestamp() END"
                " WHERE report_type = $1 AND report_date = $2 AND version = $3 AND recipient = $4",
                file.report_type, file.report_date, file.version, recipient, failure or "",
            )  # fmt: skip

    def _message(self, files: Sequence[DeliveredFile], title: str, recipient: str) -> EmailMessage:
        first, sender = files[0], str(self.settings.mail_from)
        version = f" (version {first.version})" if first.version > 1 else ""
        message = EmailMessage()
        message["Subject"] = f"{title}, {first.report_date}{version}"
        message["From"], message["To"] = sender, recipient
        message["Date"] = format_datetime(datetime.now(UTC))
        identity = uuid.uuid5(_NAMESPACE, f"{first.report_id} {recipient}")
        message["Message-ID"] = f"<{identity}@{sender.rpartition('@')[2]}>"
        is_attached = sum(file.num_bytes for file in files) <= self.settings.mail_attachment_megabytes * 10**6
        message.set_content(self._text(files, title, is_attached=is_attached))
        for file in files if is_attached else ():
            content = b"".join(self.store.read(key_in(self.store, file)))
            main, sub = _TYPES[file.file_format]
            message.add_attachment(content, maintype=main, subtype=sub, filename=file.s3_object_key.rsplit("/", 1)[-1])
        return message

    def _text(self, files: Sequence[DeliveredFile], title: str, *, is_attached: bool) -> str:
        first, hours = files[0], self.settings.report_link_hours
        lines = [f"{title}, {first.report_date}: {first.num_rows:,} rows."]
        if first.version > 1:
            lines.append(f"This is version {first.version}; it takes the place of what was delivered before.")
        lines += ["", "The files are attached." if is_attached else "The files are too large for a mail."]
        for file in files:
            link = self.store.link(key_in(self.store, file), timedelta(hours=hours))
            if link:
                lines += ["", f"{file.file_format}, for {hours} hours from now:", link]
            elif not is_attached:
                lines += ["", f"{file.file_format}: {file.download_link}"]
            lines.append(f"SHA-256 of {file.file_format}: {file.sha256}")
        return "\n".join(lines) + "\n"

    def _send(self, message: EmailMessage, recipient: str) -> None:
        """Hands a mail over.

        Raises:
            MailNotTaken: It did not go.
            MailUnknown: Nobody knows whether it went: the answer to it was lost.
        """
        url = urlsplit(self.settings.mail_url.get_secret_value() if self.settings.mail_url else "")
        send = _by_ses if url.scheme == "ses" else _by_smtp
        try:
            send(url, message, str(self.settings.mail_from), recipient)
        except (smtplib.SMTPException, OSError, UnicodeError, BotoCoreError, ClientError) as error:
            raise MailNotTaken(
                f"the mail server at {url.hostname} did not take it ({_reason(error)}); it is tried again every hour."
            ) from error


def num_told(warehouse: Warehouse, files: Sequence[DeliveredFile], recipients: Sequence[str]) -> int:
    """How many of some recipients got a mail about a version of a report."""
    with warehouse.transaction() as transaction:
        return transaction.query(
            "SELECT count(*) AS n FROM reports.mailings WHERE report_type = $1 AND report_date = $2 AND version = $3"
            " AND sent_at IS NOT NULL AND recipient = ANY (string_to_array($4, ','))",
            files[0].report_type, files[0].report_date, files[0].version, ",".join(recipients),
        ).item()  # fmt: skip


def _by_ses(url: SplitResult, message: EmailMessage, sender: str, recipient: str) -> None:
    # One try: of an answer that was lost nobody knows whether the mail went. An endpoint is of this service alone.
    config = Config(retries={"total_max_attempts": 1}, ignore_configured_endpoint_urls=True)
    [endpoint] = parse_qs(url.query).get("endpoint") or [None]
    client = cast("Any", boto3.client("ses", region_name=url.hostname, endpoint_url=endpoint, config=config))
    try:
        client.send_raw_email(Source=sender, Destinations=[recipient], RawMessage={"Data": message.as_bytes()})
    except (ReadTimeoutError, ConnectionClosedError) as error:
        raise _unknown(url) from error


def _by_smtp(url: SplitResult, message: EmailMessage, sender: str, recipient: str) -> None:
    with _connected(url.scheme, url.hostname or "", url.port, needs_tls=bool(url.username)) as server:
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        try:
            server.send_message(message, sender, [recipient])
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            if server.is_handing_over and not isinstance(error, smtplib.SMTPResponseException):
                raise _unknown(url) from error
            raise


def _unknown(url: SplitResult) -> MailUnknown:
    return MailUnknown(
        f"The mail server at {url.hostname} was given a mail and did not answer: nobody knows whether it went;"
        " `data-platform reports mail REPORT --again` sends it again."
    )


class _Watched:
    """Knows whether the content of a mail was on its way."""

    is_handing_over = False

    def send(self, s: Any) -> None:  # noqa: ANN401 (as the library has it)
        if isinstance(s, bytes) and s.endswith(b"\r\n.\r\n"):
            self.is_handing_over = True
        super().send(s)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


class _Smtp(_Watched, smtplib.SMTP):
    pass


class _Smtps(_Watched, smtplib.SMTP_SSL):
    pass


@contextmanager
def _connected(scheme: str, host: str, port: int | None, *, needs_tls: bool) -> Iterator[_Smtp | _Smtps]:
    context = ssl.create_default_context()
    if scheme == "smtps":
        server = _Smtps(host, port or 465, timeout=_TIMEOUT, context=context)
    else:
        server = _Smtp(host, port or 587, timeout=_TIMEOUT)
    try:
        server.ehlo()
        if scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        elif scheme == "smtp" and needs_tls and host not in _LOOPBACK:
            raise MailNotTaken(
                f"{host} offers no encryption for the password of MAIL_URL; use smtps://, or leave it out."
            )
        yield server
        with suppress(smtplib.SMTPException, OSError):  # a server that has taken the mail may end as it likes
            server.quit()
    finally:
        server.close()


def _reason(error: Exception) -> str:
    # What a server says may name the recipient; its code does not.
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"code {next(iter(error.recipients.values()))[0]}, recipient refused"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"code {error.smtp_code}"
    if isinstance(error, UnicodeError):
        return "MAIL_URL or an address has letters that it cannot spell"
    if isinstance(error, ClientError):
        return str(cast("Any", error.response)["Error"]["Code"])
    return type(error).__name__ if isinstance(error, smtplib.SMTPException | BotoCoreError) else str(error)
