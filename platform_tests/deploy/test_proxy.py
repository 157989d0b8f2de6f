"""The proxy, as a real Caddy reads its file: nothing passes without a login, and a viewer reaches one side alone."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from platform_tests.deploy import proxy as proxies
from platform_tests.deploy.compose import services
from platform_tests.deploy.proxy import HOST, UPGRADE, Answer

METHODS = ("GET", "POST", "OPTIONS", "PROPFIND")
PATHS = ("/", "/graphql", "/server_info", "/runs", "/logs/a/b", "/download_debug/x", "/notebook", "/viewers",
         "/viewers/", "/viewers/graphql", "/viewers/server_info", "/healthz", "//graphql", "/viewers/../graphql",
         "/%67raphql", "/VIEWERS/graphql", "/viewersx")  # fmt: skip


@dataclass
class Upstream:
    """A webserver that notes what reaches it, and accepts every websocket."""

    server: ThreadingHTTPServer
    reached: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.server.server_address[1]


def upstream() -> Upstream:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.reached.append((self.path, dict(self.headers)))
            if self.headers.get("Upgrade") == "websocket":
                self.send_response(101)
                self.send_header("Connection", "Upgrade")
                self.send_header("Upgrade", "websocket")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 (the base class asks for this name)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (as the base class has it)
            pass

    found = Upstream(ThreadingHTTPServer((HOST, 0), Handler))
    threading.Thread(target=found.server.serve_forever, daemon=True).start()
    return found


@dataclass
class Guarded:
    """A proxy with what stands behind it."""

    proxy: proxies.Proxy
    webserver: Upstream
    viewers: Upstream

    def ask(self, path: str, user: str = "", method: str = "GET", password: str = "", **headers: str) -> int:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.answer(path, user, method, password, told).status

    def answer(
        self, path: str, user: str, method: str = "GET", password: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        self.webserver.reached.clear()
        self.viewers.reached.clear()
        return self.proxy.ask(path, user, method, password, headers)

    @property
    def reached(self) -> tuple[int, int]:
        return len(self.webserver.reached), len(self.viewers.reached)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    webserver, viewers = upstream(), upstream()
    with proxies.running(tmp_path_factory.mktemp("proxy"), webserver.port, viewers.port) as started:
        yield Guarded(started, webserver, viewers)
    for behind in (webserver, viewers):
        behind.server.shutdown()
        behind.server.server_close()


@pytest.mark.parametrize("headers", [{}, UPGRADE], ids=["a request", "a websocket"])
@pytest.mark.parametrize("path", PATHS)
def test_nothing_passes_without_a_login(proxy: Guarded, path: str, headers: dict[str, str]) -> None:
    for method in METHODS:
        assert proxy.answer(path, "", method, headers=headers).status == 401
        assert proxy.reached == (0, 0)


@pytest.mark.parametrize(("user", "password"), [("ann", "wrong"), ("nobody", "a viewer's password"), ("vic", "x")])
def test_a_wrong_name_or_password_opens_nothing(proxy: Guarded, user: str, password: str) -> None:
    for path in ("/graphql", "/viewers/graphql"):  # comparing hashes is slow on purpose
        assert proxy.ask(path, user, password=password) == 401
    assert proxy.reached == (0, 0)


@pytest.mark.parametrize("headers", [{}, UPGRADE], ids=["a request", "a websocket"])
@pytest.mark.parametrize("path", PATHS)
def test_a_viewer_reaches_the_read_only_webserver_alone(proxy: Guarded, path: str, headers: dict[str, str]) -> None:
    status = proxy.answer(path, "vic", headers=headers).status
    assert proxy.reached[0] == 0
    assert (status in {200, 101}) == bool(proxy.reached[1])


def test_a_viewers_websocket_and_page_are_those_of_the_read_only_webserver(proxy: Guarded) -> None:
    assert proxy.answer("/viewers/graphql", "vic", headers=UPGRADE).status == 101
    assert proxy.reached == (0, 1)
    assert proxy.ask("/viewers/runs", "vic") == 200
    assert proxy.reached == (0, 1)


def test_an_editor_reaches_both_sides_websockets_included(proxy: Guarded) -> None:
    assert proxy.answer("/graphql", "ann", headers=UPGRADE).status == 101
    assert proxy.reached == (1, 0)
    assert proxy.answer("/viewers/graphql", "ann", headers=UPGRADE).status == 101
    assert proxy.reached == (0, 1)
    assert proxy.ask("/graphql", "ann", "POST") == 200
    assert proxy.reached == (1, 0)


def test_the_password_goes_no_further_than_the_proxy(proxy: Guarded) -> None:
    assert proxy.ask("/graphql", "ann") == 200
    assert "authorization" not in {name.lower() for _, headers in proxy.webserver.reached for name in headers}


@pytest.mark.parametrize("path", ["/graphql", "/viewers/graphql", "/graphql?query=mutation"])
def test_the_page_of_somebody_else_cannot_use_a_login(proxy: Guarded, path: str) -> None:
    assert proxy.ask(path, "ann", Sec_Fetch_Site="cross-site") == 403
    assert proxy.ask(path, "ann", "POST", Sec_Fetch_Site="cross-site") == 403
    assert proxy.reached == (0, 0)
    assert proxy.ask(path, "ann", Sec_Fetch_Site="same-origin") == 200


def test_an_answer_may_not_be_shown_inside_another_page(proxy: Guarded) -> None:
    headers = proxy.answer("/", "ann").headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_a_host_that_is_not_ours_gets_nothing(proxy: Guarded) -> None:
    assert proxy.answer("/graphql", "ann", headers={"Host": "somewhere.example"}).body == b""
    assert proxy.reached == (0, 0)


def test_the_proxys_own_health_is_all_that_needs_no_login_and_it_is_not_published(proxy: Guarded) -> None:
    for path, status in (("/healthz", 200), ("/", 404), ("/graphql", 404)):
        assert proxies.ask(proxy.proxy.health, path, "GET", {}).status == status
    assert proxy.reached == (0, 0)
    assert not any(str(port).endswith(":8081") for port in services()["proxy"].keys["ports"])
