"""Rejects as the books have them: found by scope, counted, addressed, and their bytes proven."""

import time
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from data_platform.errors import PermanentError
from data_platform.lake import evidence
from data_platform.lake.evidence import EvidenceDamaged
from data_platform.lake.store import NoSuchObject, Store
from data_platform.publish import rejects
from data_platform.publish.rejects import Scope
from data_platform.warehouse.connection import Warehouse

A, B = "a" * 64, "ab" + "b" * 62
JULY_7, JULY_14 = date(2023, 7, 7), date(2023, 7, 14)


def book(warehouse: Warehouse, *rows: tuple[str, date | None, str, int | None, int, int, str]) -> None:
    """Rows of table, day, evidence, record, first byte, byte after, reason."""
    frame = pl.DataFrame(
        rows,
        schema={
            "table_name": pl.String, "day": pl.Date, "evidence_id": pl.String, "record_no": pl.Int64,
            "byte_from": pl.Int64, "byte_to": pl.Int64, "reason": pl.String,
        },
        orient="row",
    ).with_columns(
        line=pl.col("record_no") + 1, num_records=pl.lit(1, pl.Int64), detail=pl.lit("It is bad."), publication_id=1,
        rule_version=pl.lit("v"),
    ).with_columns(pl.col("publication_id").cast(pl.Int64))  # fmt: skip
    with warehouse.transaction() as transaction:
        transaction.run(
            "INSERT INTO ops.publications (table_name, num_rows, num_rejected, content_hash, account_hash,"
            " code_version, run_id, confirmed_at) VALUES ('x.y', 0, 0, 'x', 'x', 'v', 'r', now())"
        )
        transaction.copy_in("ops", "rejects", frame)


def deliver(warehouse: Warehouse, evidence_id: str, *names: str) -> None:
    with warehouse.transaction() as transaction:
        transaction.run(
            "INSERT INTO ops.evidence (evidence_id, kind, place, num_bytes) VALUES ($1, 'leads', 'p', 1)", evidence_id
        )
        for name in names:
            transaction.run(
                "INSERT INTO ops.arrivals"
                " (landing_key, landing_version, evidence_id, arrived_at, arrived_on, named_day)"
                " VALUES ($1, '1', $2, now(), '2023-07-14', to_date($1, '\"leads/\"YYYY-MM-DD'))",
                f"leads/{name}",
                evidence_id,
            )


def found(warehouse: Warehouse, scope: Scope) -> list[str]:
    return [reject.address for reject in rejects.find(warehouse, scope, limit=100)]


def test_rejects_are_found_by_asset_day_reason_and_evidence(warehouse: Warehouse) -> None:
    deliver(warehouse, A, "2023-07-07 a.csv")
    deliver(warehouse, B, "2023-07-14 b.csv")
    book(
        warehouse,
        ("leads.raw_leads", JULY_7, A, None, 0, 9, "unknown_layout"),
        ("leads.raw_leads", JULY_14, B, 3, 20, 30, "unclosed_quote"),
        ("leads.leads", None, B, 2, 10, 20, "phone_unreadable"),
    )
    whole, cut, phone = "aaaaaaaaaaaa@0", "abbbbbbbbbbb:3", "abbbbbbbbbbb:2"
    assert found(warehouse, Scope()) == [phone, whole, cut]
    assert found(warehouse, rejects.scope_of(["raw_leads"], None)) == [whole, cut]
    assert found(warehouse, Scope(days=(JULY_14, JULY_14))) == [phone, cut]
    assert found(warehouse, Scope(days=(JULY_7, JULY_14))) == [phone, whole, cut]
    assert found(warehouse, Scope(reason="unclosed_quote")) == [cut]
    assert found(warehouse, Scope(evidence="aa")) == [whole]
    assert rejects.find(warehouse, Scope(reason="phone_unreadable"), limit=1)[0].file_name == "2023-07-14 b.csv"
    assert rejects.partition_days(warehouse, Scope(days=(JULY_14, JULY_14))) == {
        "leads.raw_leads": {JULY_14},
        "leads.leads": {None},
    }
    with pytest.raises(PermanentError, match="There is no asset 'lead'; there are daily_logins, delivered_events, "):
        rejects.scope_of(["lead"], None)


def test_content_that_was_delivered_twice_is_listed_once_for_each_day(warehouse: Warehouse) -> None:
    deliver(warehouse, A, "2023-07-07 a.csv", "2023-07-07 copy.csv", "2023-07-14 a.csv")
    for day in (JULY_7, JULY_14):
        book(warehouse, ("leads.raw_leads", day, A, 1, 5, 9, "unclosed_quote"))
    assert [(one.day, one.file_name) for one in rejects.find(warehouse, Scope(), limit=9)] == [
        (JULY_7, "2023-07-07 a.csv"),
        (JULY_14, "2023-07-14 a.csv"),
    ]
    assert rejects.at(warehouse, "aaaa").partition_day == JULY_7


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("; DROP TABLE", ["no address of a reject"]),
        ("abc", ["no address of a reject"]),
        ("aaaa:7", ["There is no reject aaaa:7"]),
        ("ffff", ["There is no reject ffff"]),
        ("aaaa", ["more than one", "aaaaaaaaaaaa:1, aaaaaaaaaaaa:2"]),
    ],
)
def test_an_address_that_names_no_single_reject_says_what_there_is(
    warehouse: Warehouse, address: str, words: list[str]
) -> None:
    for record in (1, 2):
        book(warehouse, ("leads.raw_leads", JULY_7, A, record, 5 * record, 5 * record + 5, "unclosed_quote"))
    with pytest.raises(PermanentError) as caught:
        rejects.at(warehouse, address)
    for word in words:
        assert word in str(caught.value)
    assert rejects.at(warehouse, "AAAA:2").byte_from == rejects.at(warehouse, f"{A}@10").byte_from == 10


def test_a_delivery_of_which_nothing_is_published_waits(warehouse: Warehouse) -> None:
    deliver(warehouse, A, "2023-07-07 a.csv")
    [one] = rejects.waiting(warehouse, Scope())
    assert (one.day, one.file_name, one.kind) == (JULY_7, "2023-07-07 a.csv", "leads")
    assert rejects.waiting(warehouse, Scope(days=(JULY_14, JULY_14))) == []
    book(warehouse)
    with warehouse.transaction() as transaction:
        transaction.run("INSERT INTO ops.tallies SELECT 1, 'leads.raw_leads', '2023-07-07', $1, 0, 0, 0, 0", A)
    assert rejects.waiting(warehouse, Scope()) == []


def test_the_span_of_a_reject_is_its_bytes_and_damage_is_an_error(warehouse: Warehouse, lake: Store) -> None:
    content = bytes(range(256)) * 80_000  # more than two chunks
    evidence_id, num_bytes = evidence.fingerprint([content])
    evidence.keep(lake, evidence_id, [content], num_bytes=num_bytes, called="it")
    start, end = 8 * 2**20 - 3, 16 * 2**20 + 5
    book(warehouse, ("leads.raw_leads", JULY_7, evidence_id, 1, start, end, "unclosed_quote"))
    reject = rejects.at(warehouse, evidence_id)
    assert b"".join(reject.span(lake)) == content[start:end]
    path = Path(lake.location(evidence.key_of(evidence_id)))
    path.write_bytes(content[:-1] + b"!")
    with pytest.raises(EvidenceDamaged, match="is not the content that arrived"):
        list(reject.span(lake))
    path.unlink()
    with pytest.raises(NoSuchObject):
        list(reject.span(lake))


def test_a_hundred_thousand_rejects_are_counted_and_listed_at_once(warehouse: Warehouse) -> None:
    deliver(warehouse, A, "2023-07-07 a.csv")
    book(
        warehouse,
        *(
            ("leads.raw_leads", JULY_7, A, n, 9 * n, 9 * n + 9, f"reason_{n % 7}") for n in range(1, 100_001)
        ),
    )  # fmt: skip
    began = time.monotonic()
    counts = rejects.count(warehouse, Scope())
    assert len(rejects.find(warehouse, Scope(), limit=50)) == 50
    assert rejects.at(warehouse, "aaaa:77777").byte_from == 699_993
    assert time.monotonic() - began < 10  # about one second; ten on a busy machine
    assert (counts.height, counts["num_rejects"].sum()) == (7, 100_000)
    assert counts["num_records"].is_sorted(descending=True)
