"""A mail server that takes mail, or does what mail servers do instead."""

import base64
import socketserver
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from threading import Thread

HANG_UP = ""


@dataclass(frozen=True)
class Mail:
    """A mail that was taken.

    Attributes:
        login: User and password that were given before; None where there was no login.
        is_private: Whether the connection was encrypted.
    """

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    login: tuple[str, str] | None
    is_private: bool

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=policy.default)

    @property
    def text(self) -> str:
        body = self.message.get_body()
        assert body
        return body.get_content().replace("\r\n", "\n")


class MailServer(socketserver.ThreadingTCPServer):
    """Listens on a port of this machine.

    Attributes:
        answers: What to say instead, by the command: `BANNER`, `AUTH`, `RCPT`, ..., and `END` for the end of a mail.
            `HANG_UP` ends the connection; at the `END` the mail is taken nevertheless.
        tls: Offers STARTTLS, or is spoken from the start where `is_wrapped`.
        mails: Taken.
        heard: Every line outside of mails, without logins.
    """

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None, *, is_wrapped: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.answers: dict[str, str] = {}
        self.tls, self.is_wrapped = tls, is_wrapped
        self.mails: list[Mail] = []
        self.heard: list[str] = []

    def url(self, login: str = "", scheme: str = "smtp", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{login}{'@' if login else ''}{host}:{self.server_address[1]}"

    @property
    def told(self) -> list[str]:
        """Who got a mail, in order."""
        return sorted(recipient for mail in self.mails for recipient in mail.recipients)


class _HungUp(Exception):
    pass


class _Conversation(socketserver.StreamRequestHandler):
    server: MailServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def setup(self) -> None:
        self.is_private = False
        self.login: tuple[str, str] | None = None
        self.sender, self.recipients = "", list[str]()

    def handle(self) -> None:
        with suppress(OSError, _HungUp):
            if self.server.is_wrapped:
                self._encrypt()
            self._open()
            self._say("BANNER", "220 mail.example.com")
            while line := self.rfile.readline():
                words = line.decode("ascii", "replace").split()
                verb = words[0].upper()
                self.server.heard.append(verb if verb == "AUTH" else line.decode("ascii", "replace").strip())
                self._answer(verb, words)

    def finish(self) -> None:
        with suppress(OSError, AttributeError):
            self.rfile.close()
            self.wfile.close()
        with suppress(OSError):
            self.request.close()

    def _open(self) -> None:
        self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)

    def _encrypt(self) -> None:
        assert self.server.tls
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.is_private = True

    def _say(self, verb: str, usual: str) -> bool:
        """Answers; whether as usual."""
        answer = self.server.answers.get(verb, usual)
        if answer == HANG_UP:
            raise _HungUp
        self.wfile.write(answer.encode() + b"\r\n")
        return answer == usual

    def _answer(self, verb: str, words: list[str]) -> None:
        match verb:
            case "EHLO":
                offers = ["STARTTLS"] if self.server.tls and not self.is_private else []
                lines = [
                    "250-mail.example.com",
                    *(f"250-{offer}" for offer in offers),
                    "250-AUTH PLAIN",
                    "250 8BITMIME",
                ]
                self._say(verb, "\r\n".join(lines))
            case "STARTTLS":
                if self._say(verb, "220 go ahead"):
                    self._encrypt()
                    self._open()
            case "AUTH":
                _, user, password = base64.b64decode(words[2]).decode().split("\0")
                self.login = user, password
                self._say(verb, "235 welcome")
            case "MAIL":
                self.sender = words[1].partition(":")[2].strip("<>")
                self._say(verb, "250 ok")
            case "RCPT":
                self.recipients.append(words[1].partition(":")[2].strip("<>"))
                self._say(verb, "250 ok")
            case "DATA":
                if self._say(verb, "354 go ahead"):
                    self._take()
            case "QUIT":
                self._say(verb, "221 bye")
            case _:
                self._say(verb, "250 ok")

    def _take(self) -> None:
        lines: list[bytes] = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                raise _HungUp
            lines.append(line)
        content = b"".join(line[1:] if line.startswith(b"..") else line for line in lines)
        mail = Mail(self.sender, tuple(self.recipients), content, self.login, self.is_private)
        if not self.server.answers.get("END", HANG_UP):
            self.server.mails.append(mail)
        self._say("END", "250 taken")


@contextmanager
def listening(tls: ssl.SSLContext | None = None, *, is_wrapped: bool = False) -> Iterator[MailServer]:
    """A mail server on a port of this machine."""
    with MailServer(tls, is_wrapped=is_wrapped) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
