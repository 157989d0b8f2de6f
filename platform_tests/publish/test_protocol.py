"""Publish: all of it in one step, or nothing; a rerun changes nothing; nobody overtakes."""

import threading
from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import psycopg2
import pytest

from data_platform.contracts.outcome import Outcome, Stored
from data_platform.contracts.rejects import Rejects
from data_platform.contracts.tallies import Tallies
from data_platform.lake.store import LakeError, Store
from data_platform.publish import protocol, reading
from data_platform.publish.content_hash import content_hash
from data_platform.publish.protocol import ContractBroken, Overtaken, Provenance, publish
from data_platform.publish.shelves import LakeShelf, Shelf, WarehouseShelf
from data_platform.warehouse.connection import Warehouse, WarehouseUnavailable
from platform_tests.publish.conftest import CONTRACT, WHOLE, readings

MONDAY, TUESDAY = date(2023, 7, 3), date(2023, 7, 4)
EVIDENCE = "e" * 64


def by(warehouse: Warehouse, run: str = "run", code: str = "v1") -> Provenance:
    return Provenance(code_version=code, run_id=run, read_at=protocol.clock(warehouse))


def stored(warehouse: Warehouse) -> list[tuple[object, ...]]:
    with warehouse.transaction() as transaction:
        return sorted(transaction.query("SELECT day::text, meter, amount FROM readings").iter_rows())


def count(warehouse: Warehouse, table: str) -> int:
    with warehouse.transaction() as transaction:
        return transaction.query(f"SELECT count(*) AS n FROM ops.{table}").item()


def with_a_reject(rows: pl.DataFrame, day: date, *, num_in: int) -> Outcome:
    reject = {
        "day": day, "evidence_id": EVIDENCE, "record_no": 2, "line": 3, "byte_from": 5, "byte_to": 9, "num_records": 1,
        "reason": "unclosed_quote", "detail": "Line 3: expected a closing quote.",
    }  # fmt: skip
    tally = {
        "day": day, "evidence_id": EVIDENCE, "num_in": num_in, "num_used": rows.height, "num_rejected": 1,
        "num_duplicate": 0,
    }  # fmt: skip
    return Outcome(
        rows,
        rejects=pl.DataFrame([reject], schema=Rejects.create_empty().schema),
        tally=pl.DataFrame([tally], schema=Tallies.create_empty().schema),
    )


def test_days_are_replaced_and_others_are_left_alone(metered: Warehouse) -> None:
    both = readings(("2023-07-03", "a", 1), ("2023-07-04", "a", 2))
    publish(metered, WarehouseShelf(), CONTRACT, Outcome(both), days=[MONDAY, TUESDAY], by=by(metered))
    publish(
        metered, WarehouseShelf(), CONTRACT, Outcome(readings(("2023-07-03", "b", 9))), days=[MONDAY], by=by(metered)
    )
    assert stored(metered) == [("2023-07-03", "b", 9), ("2023-07-04", "a", 2)]


def test_a_day_without_rows_is_published_and_not_missing(metered: Warehouse, lake: Store) -> None:
    publish(metered, WarehouseShelf(), CONTRACT, Outcome(readings()), days=[MONDAY], by=by(metered))
    assert reading.read(metered, lake, CONTRACT, [MONDAY]).collect().height == 0


def test_a_rerun_changes_nothing(metered: Warehouse) -> None:
    outcome = with_a_reject(readings(("2023-07-03", "a", 1)), MONDAY, num_in=2)
    [first] = publish(metered, WarehouseShelf(), CONTRACT, outcome, days=[MONDAY], by=by(metered))
    [second] = publish(metered, WarehouseShelf(), CONTRACT, outcome, days=[MONDAY], by=by(metered, run="another"))
    assert (first.status, second.status) == ("new", "unchanged")
    assert first.content_hash == second.content_hash
    assert (count(metered, "publications"), count(metered, "rejects"), count(metered, "tallies")) == (1, 1, 1)


def test_other_code_or_other_rejects_are_a_new_publication_of_the_same_rows(metered: Warehouse) -> None:
    rows = readings(("2023-07-03", "a", 1))
    publish(metered, WarehouseShelf(), CONTRACT, Outcome(rows), days=[MONDAY], by=by(metered))
    [other_code] = publish(metered, WarehouseShelf(), CONTRACT, Outcome(rows), days=[MONDAY], by=by(metered, code="v2"))
    [rejects] = publish(
        metered,
        WarehouseShelf(),
        CONTRACT,
        with_a_reject(rows, MONDAY, num_in=2),
        days=[MONDAY],
        by=by(metered, code="v2"),
    )
    assert (other_code.status, rejects.status) == ("new", "new")
    assert other_code.content_hash == rejects.content_hash
    assert (count(metered, "publications"), count(metered, "rejects")) == (3, 1)


def test_rejects_and_tallies_of_a_day_are_those_of_its_current_version(metered: Warehouse) -> None:
    bad = with_a_reject(readings(("2023-07-03", "a", 1)), MONDAY, num_in=2)
    publish(metered, WarehouseShelf(), CONTRACT, bad, days=[MONDAY], by=by(metered))
    publish(
        metered, WarehouseShelf(), CONTRACT, Outcome(readings(("2023-07-03", "a", 1))), days=[MONDAY], by=by(metered)
    )
    assert (count(metered, "rejects"), count(metered, "tallies")) == (0, 0)


def test_rows_that_break_the_contract_are_refused_and_the_old_version_stays(metered: Warehouse) -> None:
    publish(
        metered, WarehouseShelf(), CONTRACT, Outcome(readings(("2023-07-03", "a", 1))), days=[MONDAY], by=by(metered)
    )
    bad = readings(("2023-07-03", "a", -1), ("2023-07-03", "b", 2))
    with pytest.raises(
        ContractBroken, match=r"public\.readings breaks its contract.*amount\|min in 1 of 2 rows"
    ) as caught:
        publish(metered, WarehouseShelf(), CONTRACT, Outcome(bad), days=[MONDAY], by=by(metered))
    assert "\n" not in str(caught.value)
    assert stored(metered) == [("2023-07-03", "a", 1)]


@pytest.mark.parametrize("bad", [
    readings(("2023-07-03", "a", 1)).drop("amount"),
    readings(("2023-07-03", "a", 1)).cast({"amount": pl.Float64}),
    readings(("2023-07-04", "a", 1)),
    readings(("2023-07-03", "a", 1), ("2023-07-03", "a", 1)),
], ids=["a column is missing", "a type is wrong", "another day", "a key stands twice"])  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_sentence(metered: Warehouse, bad: pl.DataFrame) -> None:
    with pytest.raises(ContractBroken, match="nothing was published") as caught:
        publish(metered, WarehouseShelf(), CONTRACT, Outcome(bad), days=[MONDAY], by=by(metered))
    assert "\n" not in str(caught.value)
    assert stored(metered) == []
    assert count(metered, "publications") == 0


def test_an_account_that_does_not_add_up_is_refused(metered: Warehouse) -> None:
    outcome = with_a_reject(readings(("2023-07-03", "a", 1)), MONDAY, num_in=3)
    with pytest.raises(ContractBroken, match="nothing_is_lost"):
        publish(metered, WarehouseShelf(), CONTRACT, outcome, days=[MONDAY], by=by(metered))


def test_a_whole_table_is_replaced_whole(metered: Warehouse) -> None:
    publish(metered, WarehouseShelf(), WHOLE, Outcome(readings(("2023-07-03", "a", 1))), days=None, by=by(metered))
    publish(metered, WarehouseShelf(), WHOLE, Outcome(readings(("2023-07-04", "b", 2))), days=None, by=by(metered))
    with metered.transaction() as transaction:
        assert transaction.query("SELECT meter FROM meters")["meter"].to_list() == ["b"]


def test_the_loser_of_a_race_does_not_overtake(metered: Warehouse) -> None:
    slow = by(metered, run="slow")  # has begun to read
    publish(
        metered,
        WarehouseShelf(),
        CONTRACT,
        Outcome(readings(("2023-07-03", "a", 2))),
        days=[MONDAY],
        by=by(metered, run="fast"),
    )
    with pytest.raises(Overtaken, match="was published by run fast while this run was reading"):
        publish(metered, WarehouseShelf(), CONTRACT, Outcome(readings(("2023-07-03", "a", 1))), days=[MONDAY], by=slow)
    assert stored(metered) == [("2023-07-03", "a", 2)]


def test_the_loser_of_a_race_that_came_to_the_same_rows_is_content(metered: Warehouse) -> None:
    slow = by(metered, run="slow")
    rows = Outcome(readings(("2023-07-03", "a", 2)))
    publish(metered, WarehouseShelf(), CONTRACT, rows, days=[MONDAY], by=by(metered, run="fast"))
    [result] = publish(metered, WarehouseShelf(), CONTRACT, rows, days=[MONDAY], by=slow)
    assert result.status == "unchanged"


def test_many_publishers_of_overlapping_days_leave_one_whole_version_of_each(metered: Warehouse) -> None:
    """Each writes its own number into every row of a day: a mixture of two would show."""
    days = [MONDAY + timedelta(days=n) for n in range(4)]
    failures: list[Exception] = []

    def work(number: int) -> None:
        chosen = days[number % 3 : number % 3 + 2]
        rows = pl.concat([readings(*((d.isoformat(), f"m{m}", number) for m in range(50))) for d in chosen])
        for _ in range(5):
            try:
                publish(
                    metered, WarehouseShelf(), CONTRACT, Outcome(rows), days=chosen, by=by(metered, run=str(number))
                )
            except Overtaken:
                continue
            except Exception as error:  # noqa: BLE001
                failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    versions = {version.day: version for version in reading.publications(metered, CONTRACT)}
    for day in days:
        of_day = [row for row in stored(metered) if row[0] == day.isoformat()]
        assert len(of_day) == versions[day].num_rows == 50
        assert len({amount for _, _, amount in of_day}) == 1


def test_the_warehouse_going_away_in_the_middle_leaves_the_old_version(metered: Warehouse) -> None:
    publish(
        metered, WarehouseShelf(), CONTRACT, Outcome(readings(("2023-07-03", "a", 1))), days=[MONDAY], by=by(metered)
    )

    class CutShelf(WarehouseShelf):
        def swap(self, transaction, contract, days, rows) -> None:
            super().swap(transaction, contract, days, rows)
            connection = psycopg2.connect(metered.url.get_secret_value())
            connection.cursor().execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
            connection.close()

    with pytest.raises(WarehouseUnavailable, match="nothing was changed") as caught:
        publish(metered, CutShelf(), CONTRACT, Outcome(readings(("2023-07-03", "b", 2))), days=[MONDAY], by=by(metered))
    assert "\n" not in str(caught.value)
    assert stored(metered) == [("2023-07-03", "a", 1)]
    assert count(metered, "publications") == 1


LAKE_CONTRACT = replace(CONTRACT, kept_in="lake")


def test_the_lake_shows_the_current_version_and_keeps_the_old_object(metered: Warehouse, any_lake: Store) -> None:
    shelf: Shelf = LakeShelf(any_lake)
    for amount in (1, 2):
        rows = Outcome(readings(("2023-07-03", "a", amount)))
        [done] = publish(metered, shelf, LAKE_CONTRACT, rows, days=[MONDAY], by=by(metered))
        assert done.object_key
        assert reading.read(metered, any_lake, LAKE_CONTRACT, [MONDAY]).collect()["amount"].to_list() == [amount]
    assert len(any_lake.list("tables")) == 2


def test_a_day_that_is_stored_already_is_booked_by_its_hash_and_not_written_again(
    metered: Warehouse, any_lake: Store
) -> None:
    rows = readings(("2023-07-03", "a", 1))
    place = Stored(content_hash(rows), "elsewhere.parquet", 7)
    outcome = replace(with_a_reject(rows, MONDAY, num_in=2), stored={MONDAY: place})
    [done] = publish(metered, LakeShelf(any_lake), LAKE_CONTRACT, outcome, days=[MONDAY], by=by(metered))
    assert (done.status, done.num_rows, done.num_rejected) == ("new", 1, 1)
    assert any_lake.list() == []
    [version] = reading.publications(metered, LAKE_CONTRACT)
    assert version.stored == place


def test_a_range_of_lake_days_is_one_frame(metered: Warehouse, any_lake: Store) -> None:
    days = [MONDAY + timedelta(days=n) for n in range(5)]
    rows = readings(*((day.isoformat(), "a", n) for n, day in enumerate(days) if n != 2))
    publish(metered, LakeShelf(any_lake), LAKE_CONTRACT, Outcome(rows), days=days, by=by(metered))
    assert reading.read(metered, any_lake, LAKE_CONTRACT, days).collect().sort("day").equals(rows)
    assert reading.read(metered, any_lake, LAKE_CONTRACT, [days[2]]).collect().height == 0


def test_a_full_disk_leaves_the_old_version_of_a_lake_table(metered: Warehouse, small_disk) -> None:
    lake = Store((small_disk / "lake").as_uri())
    publish(
        metered,
        LakeShelf(lake),
        LAKE_CONTRACT,
        Outcome(readings(("2023-07-03", "a", 1))),
        days=[MONDAY],
        by=by(metered),
    )
    noise = pl.select(
        day=pl.lit(MONDAY),
        meter=pl.int_range(200_000).hash(seed=1).cast(pl.String),
        amount=pl.int_range(200_000).hash(seed=2) % 2**62,
    ).cast({"amount": pl.Int64})
    with pytest.raises(LakeError, match="No space left on device|File too large"):
        publish(metered, LakeShelf(lake), LAKE_CONTRACT, Outcome(noise), days=[MONDAY], by=by(metered))
    assert reading.read(metered, lake, LAKE_CONTRACT, [MONDAY]).collect()["amount"].to_list() == [1]


def test_a_missing_day_is_named_with_the_command_that_fills_it(metered: Warehouse, lake: Store) -> None:
    publish(metered, WarehouseShelf(), CONTRACT, Outcome(readings()), days=[MONDAY], by=by(metered))
    with pytest.raises(reading.DayNotPublished) as caught:
        reading.read(metered, lake, CONTRACT, [MONDAY, TUESDAY])
    assert str(caught.value) == (
        "readings has not been published for 2023-07-04; fill it with"
        " `data-platform run --assets readings --days 2023-07-04..2023-07-04`, then run this again."
    )


def test_a_column_with_another_name_is_another_content() -> None:
    rows = readings(("2023-07-03", "a", 1))
    assert content_hash(rows) != content_hash(rows.rename({"amount": "price"}))
    assert content_hash(rows) != content_hash(rows.cast({"amount": pl.Int32}))


def test_no_days_asked_for_are_no_rows_and_none_to_publish(metered: Warehouse, lake: Store) -> None:
    rows = Outcome(readings(("2023-07-03", "a", 1)))
    publish(metered, WarehouseShelf(), CONTRACT, rows, days=[MONDAY], by=by(metered))
    assert reading.read(metered, lake, CONTRACT, []).collect().height == 0
    assert publish(metered, WarehouseShelf(), CONTRACT, Outcome(readings()), days=[], by=by(metered)) == []
    assert len(stored(metered)) == 1
