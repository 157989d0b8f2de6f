"""`prepare` refuses what would lose data later: a store that overwrites, and settings that are not there."""

import http.client
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from platform_tests.deploy import stack as production
from platform_tests.deploy.stack import ProductionStack, StackError
from platform_tests.mysql_server import MySqlServer


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, mysql_server: MySqlServer) -> Iterator[ProductionStack]:
    with production.unstarted(tmp_path_factory.mktemp("unprepared"), mysql_server) as started:
        yield started


@contextmanager
def forgetful(port: int, method: str) -> Iterator[int]:
    """A store at another port that ignores If-None-Match in requests of a method, as older servers do."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            dropped = {"if-none-match"} if self.command == method else set[str]()
            headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
            with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", answer.getheader("Content-Length") or str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_PUT = do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815 (the base class asks for these names)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (as the base class has it)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize("method", ["PUT", "POST"], ids=["in one piece", "in parts"])
def test_a_store_that_overwrites_in_spite_of_the_condition_is_refused(stack: ProductionStack, method: str) -> None:
    port = stack.ports["object-store"]
    with forgetful(port, method) as other:
        stack.ports["object-store"] = other
        try:
            with pytest.raises(StackError, match=r"the store of s3://lake ignores If-None-Match"):
                stack.start("prepare")
        finally:
            stack.ports["object-store"] = port


@pytest.mark.parametrize("name", ["WAREHOUSE_URL", "PRIVACY_KEYS", "LOGIN_QUEUE_URL", "LAKE_URI"])
def test_a_setting_that_is_missing_is_named_and_nothing_embedded_takes_its_place(
    stack: ProductionStack, name: str, tmp_path: Path
) -> None:
    service = stack.services["prepare"]
    environment = stack.environment(service) | {"LOCAL_DIR": str(tmp_path / "local")}
    for left_out in (name, f"{name}_FILE"):
        environment.pop(left_out, None)
    done = subprocess.run(
        [stack.image_path("/opt/platform/entrypoint"), *stack.here(service, service.command)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.strip()) == (
        1, f"prepare: {name} must be set: in production nothing is embedded.",
    )  # fmt: skip
    assert not (tmp_path / "local").exists()


def test_a_stack_that_was_prepared_is_prepared_again_without_a_change(stack: ProductionStack) -> None:
    stack.start("prepare")
    before = [bucket["Name"] for bucket in stack.client("s3").list_buckets()["Buckets"]]
    stack.start("prepare")
    assert [bucket["Name"] for bucket in stack.client("s3").list_buckets()["Buckets"]] == before
    assert sorted(before) == ["lake", "landing", "reports"]
    assert "Contents" not in stack.client("s3").list_objects_v2(Bucket="lake")
