"""The canary: marked values go through all of an embedded stack, and no store, log or error holds any of them."""

import base64
import io
import json
import logging
import re
import secrets
import tempfile
import traceback
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import dagster as dg
import psycopg2
import pytest

from data_platform import cli, stack
from data_platform import settings as settings_module
from data_platform.console import home
from data_platform.definitions import defs
from data_platform.defs.logins import draining
from data_platform.errors import PlatformError
from data_platform.lake import evidence
from data_platform.local import postgres, queue_server
from data_platform.logins import event_types, events
from data_platform.privacy.sealing import unseal
from data_platform.publish.draining import Limits
from data_platform.queues.batches import Received, decode, encode
from data_platform.queues.sqs import Message
from data_platform.stack import Stack
from platform_tests.defs.app_queue import AppQueue, app_queue, login
from platform_tests.defs.conftest import Platform

TABLES = ("user_logins", "user_logouts")


def forms(mark: str) -> list[bytes]:
    """A mark as it is, in other cases and encodings: all that begins with it is found by it."""
    found: list[bytes] = []
    for text in (mark, mark.lower(), mark.upper()):
        raw = text.encode()
        found += [raw, text.encode("utf-16-le"), raw.hex().encode(), raw.hex().upper().encode()]
        # The letters of base64 that the mark alone decides, wherever in three bytes it begins.
        for shift, skipped in ((0, 0), (1, 2), (2, 3)):
            encoded = base64.b64encode(bytes(shift) + raw).rstrip(b"=")[skipped:]
            found.append(encoded[: len(encoded) - (1 if (shift + len(raw)) % 3 else 0)])
        for case in (str.lower, str.upper):
            # The second is JSON inside of JSON, and a table's text copied out.
            for mark_of_escape in ("\\u", "\\\\u"):
                found.append("".join(mark_of_escape + case(f"{ord(letter):04x}") for letter in text).encode())
            found.append("".join(f"%{case(f'{ord(letter):02x}')}" for letter in text).encode())
    return list(dict.fromkeys(found))


class Mark:
    """A random beginning that all canaries of a test share, and its canaries by what they are."""

    def __init__(self) -> None:
        self.text = "Canary" + secrets.token_hex(8)
        self.forms = forms(self.text)

    def of(self, what: str) -> str:
        return f"{self.text}.{what}"

    def hits(self, contents: Iterable[tuple[str, bytes]]) -> list[str]:
        """Where any form of it stands, with what stands around it."""
        return [
            f"{place}: {content[max(at - 80, 0) : at + 120]!r}"
            for place, content in contents
            for form in self.forms
            if (at := content.find(form)) >= 0
        ]


def bodies(mark: Mark) -> list[str]:
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in mark.of("escaped"))
    return [
        login(ip=mark.of("ip"), device_id=mark.of("device")),
        login(ip=mark.of("ip"), device_id="042-47-0029"),
        login(ip=base64.b64encode(mark.of("base64").encode()).decode(), device_id=f"at {mark.of('inside')}"),
        login(device_id="escaped").replace('"escaped"', f'"{escaped}"'),
        login(ip=mark.of("oversized") * 40),
        login(ip=mark.of("ip of a wrong message"), device_type=7),
        login(more={"deep": [{mark.of("key"): mark.of("nested")}]}, device_type=None),
        login(more="x" * 200_000 + mark.of("end of a large body")),
        json.dumps({"user_id": {"number": mark.of("wrong type")}}),
        json.dumps({"event_type": mark.of("type"), "user_id": mark.of("user of no type")}),
        json.dumps({"event_type": "logout", "user_id": "u1", "device_id": "d", "cause": mark.of("cause") * 9}),
        json.dumps({mark.of("only key"): 1}),
        json.dumps([mark.of("array")]),
        json.dumps(mark.of("text")),
        login(user_id=f"{mark.of('lone half')}\ud800"),
        login(app_version=f"\u0663.{mark.of('version')}", device_type=""),
        '{"ip": "' + mark.of("malformed"),
        mark.of("not json"),
        '{"ip": ' + "[" * 2_000 + mark.of("poison"),
    ]


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Stack, Platform, AppQueue]]:
    """All of the embedded stack in a folder, with Dagster's own home and database."""
    for name in ("DAGSTER_HOME", "DAGSTER_POSTGRES_URL"):
        monkeypatch.setenv(name, "")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(draining, "Limits", partial(Limits, wait_seconds=0, linger_seconds=0.2))
    local = settings_module.load().local_dir
    try:
        home.prepare(settings_module.load())
        opened = stack.open_stack(settings_module.load())
        app = app_queue(queue_server.ensure(local / "queue"), [queue_server.LOGIN_EVENTS, queue_server.DEAD_LETTERS])
        with dg.DagsterInstance.get() as instance:
            yield opened, Platform(defs(), instance, opened.warehouse, opened.lake, opened.landing), app
    finally:
        queue_server.release(local / "queue")
        queue_server.stop(local / "queue")
        postgres.stop(local / "postgres")


def tables(urls: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Every table of some databases, as text."""
    for url in urls:
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("CHECKPOINT")
            cursor.execute(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname <> 'information_schema'"
                " AND tablename NOT LIKE 'pg_%'"
            )
            for [table] in cursor.fetchall():
                content = io.BytesIO()
                cursor.copy_expert(f"COPY {table} TO STDOUT", content)
                yield f"table {table}", content.getvalue()


def files(*folders: Path) -> Iterator[tuple[str, bytes]]:
    for folder in folders:
        for file in folder.rglob("*"):
            if file.is_file() and not file.is_symlink():
                yield str(file), file.read_bytes()


def databases(opened: Stack) -> list[str]:
    server = postgres.ensure(opened.settings.local_dir / "postgres", ["warehouse"])
    return [server.url("warehouse"), server.url("dagster")]


def in_text(error: BaseException) -> str:
    """All that is told of an error, with what it was raised from and what it was raised in."""
    told = traceback.TracebackException.from_exception(error, capture_locals=False)
    return "".join(told.format()) + repr(error) + repr(error.args)


def refused(opened: Stack, undo: list[Callable[[], object]]) -> None:
    with opened.warehouse.transaction() as transaction:
        transaction.run("ALTER TABLE logins.user_logins ADD CONSTRAINT full_up CHECK (device_type = '') NOT VALID")

    def mend() -> None:
        with opened.warehouse.transaction() as transaction:
            transaction.run("ALTER TABLE logins.user_logins DROP CONSTRAINT full_up")

    undo.append(mend)


def full(opened: Stack, undo: list[Callable[[], object]]) -> None:
    kept = opened.settings.local_dir / "lake" / "evidence"
    aside = kept.rename(kept.with_name("evidence aside"))
    kept.write_text("no folder")
    undo.append(lambda: (kept.unlink(), aside.rename(kept)))


def broken(opened: Stack, undo: list[Callable[[], object]]) -> None:
    ring = opened.settings.local_dir / "keys" / "keys.json"
    content = ring.read_bytes()
    ring.write_text('{"keys": []}')
    undo.append(lambda: ring.write_bytes(content))


def errors(app: AppQueue, mark: Mark) -> Iterator[str]:
    """What is told where the warehouse, the lake or a key fails in the middle of a batch."""
    for fail in (full, refused, broken):
        app.send(login(ip=mark.of(fail.__name__), device_id=mark.of(fail.__name__)), '{"' + mark.of(fail.__name__))
        undo: list[Callable[[], object]] = []
        opened = stack.open_stack(settings_module.load())
        fail(opened, undo)
        try:
            draining.drain(opened, "a run that fails")
        except PlatformError as error:
            yield in_text(error)
        else:
            raise AssertionError(f"{fail.__name__}: nothing failed")
        finally:
            for mend in undo:
                mend()


def reprs(opened: Stack, mark: Mark) -> Iterator[str]:
    """Whatever somebody may print while looking for a fault."""
    office = draining.office_of(opened, "a run")
    now = datetime.now(UTC)
    sent = str(int(now.timestamp()) * 1000)
    body = login(ip=mark.of("repr"), device_id=mark.of("repr"))
    received = [Received("id", body, sent, 1, now)]
    told = events.Message(body, sent, now)
    judged = events.judge([told], event_types.load(), "UTC", opened.key_ring.token_key)
    batch = office.derived(evidence_ids(opened)[0])
    lines = decode(encode(received))
    receipt = Message("id", body, sent, 1, mark.of("receipt"))
    things = (opened, office, received, told, judged, judged.rows, office.judge(received), lines, receipt, batch)
    yield from map(repr, things)
    yield from map(str, things)


def evidence_ids(opened: Stack) -> list[str]:
    with opened.warehouse.transaction() as transaction:
        return transaction.query(
            "SELECT evidence_id FROM ops.message_batches WHERE settled_at IS NOT NULL ORDER BY batch_id"
        )["evidence_id"].to_list()


def commands(capfd: pytest.CaptureFixture[str]) -> str:
    """What is listed and shown of rejects."""
    cli.main(["rejects", "list"])
    cli.main(["rejects", "list", "--json"])
    told = "".join(capfd.readouterr())
    addresses = set(re.findall(r"^([0-9a-f]{12}:[0-9]+) ", told, re.MULTILINE))
    assert len(addresses) > 10
    for address in addresses:
        assert cli.main(["rejects", "show", address]) == 1
        assert cli.main(["rejects", "show", "--raw", address]) == 1
        assert cli.main(["reveal", address, "--reason", "short"]) == 1
    return told + "".join(capfd.readouterr())


def test_no_store_no_log_and_no_error_holds_what_is_personal(
    embedded: tuple[Stack, Platform, AppQueue], tmp_path: Path, capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    opened, platform, app = embedded
    mark = Mark()
    caplog.set_level(logging.INFO)
    sent = bodies(mark)
    for body in sent:
        app.send(body)
    app.send(login(ip=mark.of("dead ip"), device_id=mark.of("dead device")), dead=True)
    app.send('{"' + mark.of("dead and malformed"), dead=True)
    assert platform.run(assets=("login_messages",)).success
    told = [*errors(app, mark)]
    ran = platform.run(assets=("login_messages",))
    assert ran.success
    days: list[date] = [row[0] for row in platform.query("SELECT DISTINCT day FROM ops.message_ledger")]  # pyright: ignore[reportAssignmentType]
    assert platform.run(min(days), max(days), assets=TABLES).success
    [(num_stored,)] = platform.query("SELECT count(*) FROM ops.message_ledger WHERE outcome = 'stored'")
    assert num_stored == 8
    told += [*reprs(opened, mark), commands(capfd), caplog.text, *map(str, caplog.records)]
    told += [in_text(error) for record in caplog.records if record.exc_info and (error := record.exc_info[1])]

    assert mark.hits((f"told {n}", text.encode("utf-8", "surrogatepass")) for n, text in enumerate(told)) == []
    assert mark.hits(tables(databases(opened))) == []
    kept = [*files(tmp_path)]
    assert mark.hits(kept) == []
    folders = {Path(name).relative_to(tmp_path / "local").parts[0] for name, _ in kept if "/local/" in name}
    assert folders >= {"dagster", "keys", "lake", "postgres", "queue"}

    # The same search finds each of them where nothing is sealed, in a table, in its file, and in a log.
    unsealed = [
        (evidence_id, unseal(b"".join(evidence.read(opened.lake, evidence_id)), opened.key_ring))
        for evidence_id in evidence_ids(opened)
    ]
    lines = [(f"{n}", line) for _, content in unsealed for n, line in enumerate(content.splitlines())]
    found = [n for n, line in lines if mark.hits([(n, line)])]
    assert len(found) == len(lines) == len(sent) + 2 + 4
    with platform.warehouse.transaction() as transaction:
        transaction.run("CREATE TABLE public.leak AS SELECT $1::text AS ip", mark.of("leak").upper())
    (tmp_path / "local" / "a log").write_text(f"GET /?ip={base64.b64encode(mark.of('leak').encode()).decode()}")
    places = {hit.split(": ")[0] for hit in mark.hits(tables(databases(opened)))}
    assert places == {"table public.leak"}
    assert {Path(hit.split(": ")[0]).parts[len(tmp_path.parts) + 1] for hit in mark.hits(files(tmp_path))} == {
        "postgres", "a log",
    }  # fmt: skip


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize(
    "encode",
    [
        str.encode,
        lambda text: text.lower().encode(),
        lambda text: text.upper().encode(),
        lambda text: base64.b64encode(text.encode()),
        lambda text: base64.urlsafe_b64encode(text.encode()),
        lambda text: text.encode().hex().encode(),
        lambda text: text.encode("utf-16"),
        lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text).encode(),
        lambda text: "".join(f"%{ord(letter):02X}" for letter in text).encode(),
        lambda text: json.dumps(json.dumps(text)).encode(),
        lambda text: urllib.parse.quote(text).encode(),
    ],
)
def test_the_search_knows_the_forms_that_a_leak_may_have(before: str, encode: Callable[[str], bytes]) -> None:
    mark, other = Mark(), Mark()
    content = b"\x00\xff" + encode(before + mark.of("ip")) + b"\x00"
    assert mark.hits([("here", content)])
    assert not other.hits([("here", content)])
