"""Stands before an S3 server and does to some requests what networks and clouds do."""

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

Fault = int | str | None
"""A status to answer with; `lost` (the server is asked, its answer does not arrive), `cut` or `slow`; None: pass on."""

_CODES = {
    403: "AccessDenied", 409: "ConditionalRequestConflict", 412: "PreconditionFailed", 500: "InternalError",
    503: "SlowDown",
}  # fmt: skip
_SLOW = 0.3  # seconds


class Proxy(ThreadingHTTPServer):
    """Passes requests on.

    Attributes:
        fault: Says of each method and path what goes wrong with it.
        asked: Method and path of every request, in order.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(endpoint).netloc
        self.fault: Callable[[str, str], Fault] = lambda _method, _path: None
        self.asked: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fail(self, fault: Fault, *, method: str = "PUT", ending: str = "", times: int = 1_000) -> None:
        """The next so many requests of a method for keys with an ending go wrong; all others pass."""
        left = [None] * times

        def of(asked: str, path: str) -> Fault:
            if asked == method and urlsplit(path).path.endswith(ending) and left:
                left.pop()
                return fault
            return None

        self.fault = of

    def heal(self) -> None:
        """From now on all is passed on."""
        self.fault = lambda _method, _path: None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path))
        fault = self.server.fault(self.command, self.path)
        if fault == "cut":
            self.close_connection = True
            return
        if isinstance(fault, int):
            code = _CODES[fault]
            text = (
                f"<?xml version='1.0'?>\n<Error><Code>{code}</Code>\n<Message>Not now\nand not here</Message></Error>"
            )
            self._answer(fault, {"Content-Type": "application/xml"}, text.encode())
            return
        if fault == "slow":
            time.sleep(_SLOW)
        status, headers, answer = self._asked_behind(body)
        if fault == "lost":
            self.close_connection = True
            return
        self._answer(status, headers, answer)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

    def _asked_behind(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.server.behind, timeout=30)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        length = headers.get("Content-Length") if self.command == "HEAD" else str(len(body))
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@contextmanager
def before(endpoint: str) -> Iterator[Proxy]:
    """A proxy before a server."""
    with Proxy(endpoint) as proxy:
        thread = Thread(target=proxy.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
