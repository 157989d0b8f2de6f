"""Login events against the oracle: good and odd messages, again and again, in batches cut anywhere."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from data_platform import contracts
from data_platform.lake.store import Store
from data_platform.logins import event_types, events
from data_platform.privacy.keyring import KeyRing, ensure_ring, read_ring
from data_platform.publish import messages as ledger
from data_platform.publish.draining import Judgement, Limits, Office
from data_platform.queues import batches
from data_platform.warehouse.connection import Warehouse
from platform_tests.oracles import login_events as oracle
from platform_tests.oracles.login_events import Received

NOON = datetime(2026, 10, 25, 12, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Australia/Lord_Howe"]
GOOD = {
    "user_id": "u1", "app_version": "2.3.0", "device_type": "android", "ip": "192.0.2.1", "locale": "RU",
    "device_id": "042-47-0028",
}  # fmt: skip
OUT = {"event_type": "logout", "user_id": "u1", "device_id": "042-47-0028", "cause": "timeout"}
EVENTS = {table: contracts.of_table(table) for table in ("logins.user_logins", "logins.user_logouts")}


def raw(**fields: str) -> str:
    """A good login in which some values are put as they are, JSON or not."""
    kept = [f"{json.dumps(name)}:{json.dumps(value)}" for name, value in GOOD.items() if name not in fields]
    return "{" + ",".join([*kept, *(f"{json.dumps(name)}:{value}" for name, value in fields.items())]) + "}"


def nested(levels: int) -> str:
    return raw(more="[" * (levels - 1) + "]" * (levels - 1))


ODD_BODIES = [
    "", " ", "{", "null", "true", "7", "NaN", '"text"', "[]", "[{}]", "{}", "\ufeff{}", "not json at all",
    "{'a': 1}", "[1,]",
    '{"foo": "oops_wrong_msg_type", "bar": "123"}', json.dumps(GOOD) + "x", json.dumps(GOOD) + "\n",
    json.dumps([GOOD]),
    '{"user_id": ' + "[" * 2_000, "[" * 2_000 + "]" * 2_000, nested(100), nested(101), nested(900), nested(990),
    raw(more='"' + "[" * 300 + '"'), raw(more=json.dumps('\\"[' * 150)), '"' + '\\"' * 300 + "[" * 300,
    raw(more="1" * 4_300), raw(more="1" * 4_301), raw(more="-1e999"), raw(more="NaN"), raw(more="-Infinity"),
    raw(more="01"), raw(more="1."), raw(more="1.5e"), raw(more="-"), raw(more="\u0664"), raw(ip="1" * 5_000),
    raw(ip="7"),
    raw(ip='"a","ip":"b"'), raw(ip='7,"ip":"b"'), raw(ip='"b","ip":null'),
    raw(ip='"\\ud800"'), raw(ip='"\\ud83d\\ude00"'), raw(ip='"\\udc00\\ud800"'),
    raw(ip='"\\ud8"'),
    raw(user_id='"\\u0000"'), raw(user_id='"\0"'), raw(user_id='"\ud800"'), raw(user_id='"\\x41"'),
    raw(user_id='"\\u0041"'),
    raw(user_id='"tab\there"'), raw(user_id='"\\/\\b\\f\\n\\r\\t\\"\\\\"'), raw(user_id='"\x7f\u2028\ufffe"'),
    raw(more=json.dumps("x" * 256 * 1024)), raw(user_id=json.dumps("x" * 256 * 1024)), " " * 256 * 1024 + "{}",
    json.dumps({json.dumps(GOOD): 1}), json.dumps({"192.0.2.1": "042-47-0028"} | GOOD), json.dumps({"more": GOOD}),
    json.dumps(GOOD | {"event_type": None}), json.dumps(GOOD | {"event_type": ""}),
    json.dumps(GOOD | {"event_type": "logout"}),
    *(json.dumps(GOOD | {"event_type": kind}) for kind in (0, 1.5, True, [], {}, ["logout"], {"logout": 1}, "Logout")),
    json.dumps({"event_type": "logout"}), json.dumps(OUT | {"cause": None}), json.dumps(OUT | {"cause": ""}),
    json.dumps(OUT), json.dumps(OUT | {"ip": 7}), json.dumps(OUT | {"cause": "x" * 33}),
    json.dumps(OUT | {"device_id": 7}),
]  # fmt: skip

odd_values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.just([]), st.just({"a": ["b"]}), st.just(""),
    st.just(" "),
    st.sampled_from([31, 32, 33, 127, 128, 129, 255, 256, 257, 300]).flatmap(
        lambda length: st.sampled_from(["x", "é", "\u20ac", "\U0001f600"]).map(lambda letter: letter * length)
    ),
    st.text(max_size=40),
    st.text(st.characters(categories=("Cs", "Cc", "Nd", "Zs")), min_size=1, max_size=5),
)  # fmt: skip
versions = st.one_of(
    st.from_regex(r"\A\s*v?\d{0,20}(\.\d{0,20}){0,4}[a-z. -]?\d?\Z").filter(bool),
    st.sampled_from(["2.3", "2.3.0", "v2", "\u0663.1", "2.\u0663", "9" * 18, "9" * 19, "1." + "9" * 19, "-1"]),
)  # fmt: skip
changed = st.dictionaries(st.sampled_from([*GOOD, "event_type", "cause", "more", "\ud800", ""]), odd_values, max_size=3)
bodies = st.one_of(
    st.sampled_from([json.dumps(GOOD), json.dumps(OUT), json.dumps(GOOD | {"user_id": "u2"})]),
    st.sampled_from(ODD_BODIES),
    st.builds(lambda fields: json.dumps(GOOD | fields), changed),
    st.builds(lambda fields: json.dumps(GOOD | fields, ensure_ascii=False), changed),
    st.builds(lambda fields: json.dumps(OUT | fields), changed),
    st.builds(lambda version: json.dumps(GOOD | {"app_version": version}), versions),
    st.sets(st.sampled_from([*GOOD])).map(lambda gone: json.dumps({k: v for k, v in GOOD.items() if k not in gone})),
    st.text(max_size=30),
    st.tuples(st.integers(0, 120), st.text(max_size=2)).map(
        lambda put: json.dumps(GOOD)[: put[0]] + put[1] + json.dumps(GOOD)[put[0] :]
    ),
)  # fmt: skip

# Midnights and changed clocks of the zones, with their neighbours.
INSTANTS = [
    datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 10, 24, 22, tzinfo=UTC),
    datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2025, 11, 2, 6, tzinfo=UTC),
    datetime(2026, 10, 23, 18, 15, tzinfo=UTC),
    datetime(2026, 10, 24, 10, tzinfo=UTC), datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC),
    datetime(2020, 1, 2, tzinfo=UTC), datetime(2024, 2, 29, tzinfo=UTC), NOON, NOON + timedelta(hours=1),
    NOON + timedelta(days=1),
    datetime(2073, 5, 5, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC), datetime(2262, 5, 1, tzinfo=UTC),
]  # fmt: skip
millis = st.builds(
    lambda at, off: str(int(at.timestamp()) * 1000 + off), st.sampled_from(INSTANTS), st.sampled_from([-1, 0, 1, 999])
)
sents = st.one_of(
    millis,
    st.just(str(int(NOON.timestamp()) * 1000)),
    st.sampled_from(INSTANTS).map(lambda at: str(int(at.timestamp()))),
    st.sampled_from([
        None, "", "0", "-1", "-1764070000000", "1e12", "1764070000000.5", " 1764070000000", "+1764070000000",
        "\u0661764070000000",
        "x", "9" * 15, "9" * 16, "9" * 5_000, "99999999999", "100000000000", "000001764070000", "1_764_070_000_000",
        "\ud800", "\0",
    ]),
    st.integers(0, 10**16).map(str),
)  # fmt: skip
ids = st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "ä", "\0", "x" * 80])
received = st.builds(Received, ids, bodies, sents, st.sampled_from([NOON, NOON + timedelta(hours=11, minutes=59)]))


@st.composite
def deliveries(draw: st.DrawFn, num: int) -> list[list[Received]]:
    """Messages in batches: among them the same again, an id with another body, a content under another id."""
    found = draw(st.lists(received, min_size=1, max_size=num))
    for _ in range(draw(st.integers(0, 6))):
        old, other = draw(st.sampled_from(found)), draw(received)
        kind = draw(st.integers(0, 4))
        new = [
            old,
            Received(old.message_id, old.body, other.sent, other.received_at),
            Received(old.message_id, other.body, old.sent, old.received_at),
            Received(other.message_id, old.body, old.sent, other.received_at),
            Received(other.message_id, old.body, other.sent, old.received_at),
        ][kind]
        found.insert(draw(st.integers(0, len(found))), new)
    cuts = sorted(draw(st.sets(st.integers(1, max(len(found) - 1, 1)), max_size=4)))
    parts = [found[first:last] for first, last in zip([0, *cuts], [*cuts, len(found)], strict=True)]
    return [part for part in parts if part]


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    ensure_ring(file)
    return read_ring(SecretStr(file.as_uri()))


def told(message: Received) -> events.Message:
    return events.Message(message.body, message.sent, message.received_at)


class Tokens:
    """Which value a token stands for: the same for the same value of a field, another for any other."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], str] = {}
        self._back: dict[str, tuple[str, str]] = {}

    def agree(self, name: str, value: str | None, token: str) -> bool:
        assert value is not None
        of = (name, value)
        return self._of.setdefault(of, token) == token and self._back.setdefault(token, of) == of


def prove_row(row: dict[str, Any], line: oracle.Line, position: int, tokens: Tokens, version: str) -> None:
    values = line.values
    assert (row["create_date"], row["position"], row["transform_version"]) == (line.day, position, version)
    for name in ("ip", "device_id"):
        if name in values:
            assert tokens.agree(name, values[name], row.pop(f"masked_{name}"))
    if line.table == "logins.user_logins":
        parts = oracle.numbers(str(values["app_version"]))
        assert (row["app_major"], row["app_minor"], row["app_patch"]) == parts, values["app_version"]
        assert row["logged_in_at"] == line.sent_at
        kept = ("user_id", "device_type", "locale", "app_version")
    else:
        assert row["logged_out_at"] == line.sent_at
        kept = ("user_id", "cause")
    assert {name: row[name] for name in kept} == {name: values[name] for name in kept}


def judged_and_decided(parts: Sequence[Sequence[Received]], zone: str, ring: KeyRing) -> Iterator[dict[str, Any]]:
    """What the product's pure functions say of each message, with the row of each that is stored."""
    types = event_types.load()
    schema = {
        "message_id": pl.String,
        "fingerprint": pl.Binary,
        "sent_at": pl.Datetime("us", "UTC"),
        "outcome": pl.String,
    }
    before = pl.DataFrame(schema=schema)
    for part in parts:
        judged = events.judge([told(message) for message in part], types, zone, ring.token_key)
        known = judged.messages.with_columns(
            message_id=pl.Series([message.message_id for message in part]),
            fingerprint=pl.Series([message.body.encode("utf-16", "surrogatepass") for message in part]),
        )
        contents = before.filter(pl.col("outcome").is_in(["stored", "rejected"]))
        outcome = ledger.outcomes(known, before, contents)
        settled = known.with_columns(outcome=outcome)
        before = pl.concat([before, settled.select(*schema)])
        rows = {table: {row["position"]: row for row in found.to_dicts()} for table, found in judged.rows.items()}
        for line in settled.to_dicts():
            yield line | {"row": rows.get(line["table_name"], {}).get(line["position"])}


@given(deliveries(num=14), st.sampled_from(ZONES))
@example([[Received(str(n), body, "1764070000000", NOON) for n, body in enumerate(ODD_BODIES)]], "UTC")
@example([[Received("a", raw(ip='"\ud83d\\ude00"'), "1764070000000", NOON)]], "UTC")
@settings(max_examples=100)
def test_every_message_becomes_what_the_oracle_says(ring: KeyRing, parts: list[list[Received]], zone: str) -> None:
    lines = oracle.book([message for part in parts for message in part], zone)
    tokens, version = Tokens(), event_types.load().version
    for line, found in zip(lines, judged_and_decided(parts, zone, ring), strict=True):
        facts = (found["outcome"], found["table_name"], found["day"], found["sent_at"], found["reason"])
        assert facts == (line.outcome, line.table, line.day, line.sent_at, line.reason)
        assert (found["row"] is None) == (line.reason is not None)
        assert (found["detail"] is None) == (line.reason is None)
        if found["row"]:
            prove_row(found["row"], line, found["position"], tokens, version)


@given(deliveries(num=14), st.sampled_from(ZONES))
@settings(max_examples=40)
def test_what_can_be_used_keeps_the_contract_and_a_detail_never_quotes(
    ring: KeyRing, parts: list[list[Received]], zone: str
) -> None:
    """A row that broke its contract would hold back its day, and with it all the others of it."""
    for part in parts:
        judged = events.judge([told(message) for message in part], event_types.load(), zone, ring.token_key)
        for table, rows in judged.rows.items():
            assert EVENTS[table].rows.filter(rows.with_columns(evidence_id=pl.lit("0" * 64)))[1].counts() == {}
        details = set(judged.messages["detail"].drop_nulls())
        assert all(detail.endswith(".") and "\n" not in detail and detail.isascii() for detail in details)


@given(deliveries(num=14))
@settings(max_examples=30)
def test_where_batches_are_cut_changes_nothing(ring: KeyRing, parts: list[list[Received]]) -> None:
    def facts(of: Sequence[Sequence[Received]]) -> list[tuple[object, ...]]:
        keys = ("outcome", "table_name", "day", "sent_at", "reason")
        return [tuple(line[key] for key in keys) for line in judged_and_decided(of, "UTC", ring)]

    together = [message for part in parts for message in part]
    assert facts(parts) == facts([together]) == facts([[message] for message in together])


def deep_in_the_stack(levels: int, judge: Any) -> Any:
    return judge() if not levels else deep_in_the_stack(levels - 1, judge)


@pytest.mark.parametrize("levels", [98, 100, 101, 500, 900, 990])
def test_how_deep_a_message_nests_is_judged_the_same_whoever_asks(ring: KeyRing, levels: int) -> None:
    def judge() -> list[str | None]:
        message = events.Message(nested(levels), str(int(NOON.timestamp()) * 1000), NOON)
        return events.judge([message], event_types.load(), "UTC", ring.token_key).messages["reason"].to_list()

    assert judge() == deep_in_the_stack(400, judge) == [None if levels <= 100 else "not_json"]


def office(warehouse: Warehouse, lake: Store, ring: KeyRing, zone: str) -> Office:
    types = event_types.load()

    def judge(found: Sequence[batches.Received]) -> Judgement:
        judged = events.judge(
            [events.Message(m.body, m.sent, m.received_at) for m in found], types, zone, ring.token_key
        )
        return Judgement(judged.messages, judged.rows, types.version)

    return Office(warehouse, lake, ring, judge, "a run")


def settle(office: Office, parts: Sequence[Sequence[Received]]) -> None:
    for part in parts:
        as_received = [batches.Received(m.message_id, m.body, m.sent, 1, m.received_at) for m in part]
        office.put_aside("queue", as_received)
        office.drain([], Limits())


def query(warehouse: Warehouse, sql: str) -> list[dict[str, Any]]:
    with warehouse.transaction() as transaction:
        return transaction.query(sql).to_dicts()


LEDGER = (
    "SELECT l.*, b.evidence_id, r.reason FROM ops.message_ledger l JOIN ops.message_batches b USING (batch_id)"
    " LEFT JOIN ops.rejects r ON (r.evidence_id, r.record_no, r.table_name, r.day) ="
    " (b.evidence_id, l.position, l.table_name, l.day) ORDER BY l.batch_id, l.position"
)


@given(deliveries(num=10), st.sampled_from(ZONES))
@example([[Received(str(n), body, "1764070000000", NOON) for n, body in enumerate(ODD_BODIES)]], "UTC")
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_the_books_of_the_real_warehouse_say_the_same(
    warehouse: Warehouse, tmp_path: Path, ring: KeyRing, parts: list[list[Received]], zone: str
) -> None:
    with warehouse.transaction() as transaction:
        transaction.run(
            "TRUNCATE ops.message_ledger, ops.message_batches, ops.rejects, ops.appended_days, ops.evidence,"
            " logins.user_logins, logins.user_logouts CASCADE"
        )
    at = office(warehouse, Store((tmp_path / "lake").as_uri()), ring, zone)
    settle(at, parts)
    lines = oracle.book([message for part in parts for message in part], zone)
    booked = query(warehouse, LEDGER)
    tokens, version = Tokens(), event_types.load().version
    rows = {
        table: {(row["evidence_id"], row["position"]): row for row in query(warehouse, f"SELECT * FROM {table}")}
        for table in EVENTS
    }
    for line, found in zip(lines, booked, strict=True):
        facts = (found["outcome"], found["table_name"], found["day"], found["sent_at"])
        assert facts == (line.outcome, line.table, line.day, line.sent_at)
        of_reject = {"rejected": line.reason, "conflicting": "conflicting_id"}
        assert found["reason"] == of_reject.get(line.outcome)
        row = rows[line.table].pop((found["evidence_id"], found["position"]), None)
        assert (row is not None) == (line.outcome == "stored")
        if row:
            prove_row(row, line, found["position"], tokens, version)
    assert not any(rows.values())
    came = pl.DataFrame(booked).group_by("table_name", "day").len("num_records")
    assert {tuple(row.values()) for row in query(warehouse, "SELECT * FROM ops.appended_days")} == set(came.iter_rows())
    assert not ledger.unsettled(warehouse)


def test_one_bad_message_among_thousands_delays_none(warehouse: Warehouse, lake: Store, ring: KeyRing) -> None:
    sent = int(NOON.timestamp()) * 1000
    good = [Received(f"m{n}", json.dumps(GOOD | {"user_id": f"u{n}"}), str(sent - n), NOON) for n in range(2_000)]
    mixed = list(good)
    for n, body in enumerate(ODD_BODIES):
        mixed.insert(n * 17, Received(f"odd{n}", body, str(sent), NOON))
    settle(office(warehouse, lake, ring, "UTC"), [mixed])
    users = {row["user_id"] for row in query(warehouse, "SELECT user_id FROM logins.user_logins")}
    assert users >= {f"u{n}" for n in range(2_000)}
    [account] = ledger.account(warehouse).to_dicts()
    assert account["num_received"] == len(mixed)
    assert account["num_in_flight"] == 0


def test_days_of_messages_have_partitions_also_where_a_clock_runs_ahead(ring: KeyRing) -> None:
    """A message of the day after tomorrow would have a row of a day that nobody can publish."""
    for ahead, reason in (
        (timedelta(minutes=59), None),
        (timedelta(hours=2), "bad_sent_time"),
        (timedelta(days=9), "bad_sent_time"),
    ):
        sent = str(int((NOON + ahead).timestamp()))
        judged = events.judge([events.Message(json.dumps(GOOD), sent, NOON)], event_types.load(), "UTC", ring.token_key)
        assert judged.messages.row(0, named=True)["reason"] == reason
        assert judged.messages["day"].to_list() == [date(2026, 10, 25)]
