"""Delivery: each report once, whoever comes at once and whatever dies; versions."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from data_platform.lake.store import Store
from data_platform.publish.delivery import ObjectInTheWay
from data_platform.warehouse.connection import Warehouse
from platform_tests.publish.deliveries import MONDAY, NAME, PROCESSES, TUESDAY, MeterMaker, Stand, Unfit, fresh
from platform_tests.publish.stands import FORMATS, halted, of_stores, steps_of

# At once


def test_fifty_schedulers_at_once_deliver_one_version(stand: Stand) -> None:
    begun = [stand.by(f"run {number}") for number in range(50)]
    statuses: list[str] = []

    def work(number: int) -> None:
        own = replace(stand, reports=fresh(stand.reports))
        statuses.append(own.deliver("", by=begun[number]).status)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == ["new"] + 49 * ["unchanged"]
    assert stand.versions() == {1: FORMATS}
    assert stand.reads() == 1
    stand.prove_clean()
    assert len(stand.lying()) == 3


def test_eight_processes_at_once_deliver_one_version(stand: Stand) -> None:
    barrier = PROCESSES.Barrier(8)
    jobs = [stand.job(f"run {number}") for number in range(8)]
    processes = [PROCESSES.Process(target=job.run, args=(barrier,)) for job in jobs]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == 8 * [0]
    told = stand.source.with_suffix(".told").read_text().split()
    assert sorted(told) == ["new"] + 7 * ["unchanged"]
    assert stand.versions() == {1: FORMATS}
    assert stand.reads() == 1
    stand.prove_clean()


def test_many_runs_that_find_a_delivery_begun_finish_it_once(stand: Stand) -> None:
    stand.stop(stand.maker(), "before the put of the parquet")
    stand.say("new,1")
    begun = [stand.by(f"run {number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        done = [*pool.map(lambda by: stand.deliver("", by=by), begun)]
    assert sorted(delivery.status for delivery in done) == ["resumed"] + 7 * ["unchanged"]
    assert stand.versions() == {1: FORMATS}
    assert b"a,1" in stand.content(stand.key(stand.rows(MONDAY)[0]))
    stand.prove_clean()


def test_days_do_not_wait_for_one_another(local: Stand) -> None:
    with halted(local, "before the put of the csv") as slow:
        assert local.deliver("next", local.maker(TUESDAY)).status == "new"
    assert slow.result(60).status == "new"
    local.prove_clean()


# Killed


def test_a_run_killed_at_any_step_is_finished_by_the_next_with_what_it_had_read(stand: Stand) -> None:
    """What the source says meanwhile is not looked at before the delivery that was begun has ended."""
    steps = steps_of(stand, MONDAY)
    noted, last = steps.index("after a commit"), len(steps) - 1
    assert last > 25
    for number, step in enumerate(steps):
        day = MONDAY + timedelta(days=number + 1)
        stand.say("old,1", f"old,{number}")
        stand.die(stand.maker(day), number)
        stand.prove_books(day)
        assert bool(stand.rows(day)) == (number == last), step
        stand.say("new,1")
        delivery = stand.deliver("next", stand.maker(day))
        assert delivery.status == ("resumed" if noted <= number < last else "new"), step
        assert stand.versions(day) == ({1: FORMATS, 2: FORMATS} if number == last else {1: FORMATS}), step
        first = stand.rows(day)[0]
        assert (b"old" in stand.content(stand.key(first))) == (number >= noted), step
        assert first.num_rows == (2 if number >= noted else 1)
        stand.prove_clean(day)


def test_a_run_killed_while_it_finishes_what_another_had_begun_is_finished_by_a_third(local: Stand) -> None:
    steps: list[str] = []
    local.stop(local.maker(), "before the put of the parquet")
    by = local.by("whole")
    assert local.watched(steps.append).deliver("", local.maker(touch=steps.append), by=by).status == "resumed"
    for number, step in enumerate(steps):
        day = MONDAY + timedelta(days=number + 1)
        local.stop(local.maker(day), "before the put of the parquet")
        local.die(local.maker(day), number)
        local.prove_books(day)
        delivery = local.deliver("next", local.maker(day))
        assert delivery.status == ("resumed" if number < len(steps) - 1 else "unchanged"), step
        assert local.versions(day) == {1: FORMATS}
        local.prove_clean(day)


def test_a_crash_and_then_other_code_leave_only_what_that_code_makes(stand: Stand) -> None:
    steps = steps_of(stand, MONDAY)
    begun = [*dict.fromkeys(steps[steps.index("before the put of the csv") : -1])]
    for number, step in enumerate(begun):
        day = MONDAY + timedelta(days=number + 1)
        if step in {"before a commit", "read of the csv", "read of the parquet"}:
            continue  # there are such steps before anything was begun
        stand.stop(stand.maker(day), step)
        other = stand.maker(day, code="c2", formats=("csv",))
        assert stand.deliver("other", other).status == "new", step
        assert stand.versions(day) == {1: ["csv"]}
        assert b"by c2" in stand.content(stand.key(stand.rows(day)[0]))
        assert stand.rows(day)[0].code_version == "c2"
        stand.prove_clean(day)


def test_a_run_killed_while_it_withdraws_is_finished_by_the_next(local: Stand) -> None:
    steps: list[str] = []
    local.stop(local.maker(), "before the booking")
    by = local.by("whole")
    local.watched(steps.append).deliver("", local.maker(code="c2", touch=steps.append), by=by)
    assert "after the removal of the manifest.json" in steps
    for number in range(steps.index("before reading") + 1):
        day, code = MONDAY + timedelta(days=number + 1), ("c1", "c2")[number % 2]
        local.stop(local.maker(day), "before the booking")
        local.die(local.maker(day, "c2"), number)
        local.deliver("next", local.maker(day, code))
        assert local.versions(day) == {1: FORMATS}
        assert f"by {code}".encode() in local.content(local.key(local.rows(day)[0]))
        local.prove_clean(day)


def test_code_that_can_make_nothing_of_what_was_begun_begins_anew(local: Stand) -> None:
    """Whoever changed the report's definition so that the old one means nothing must not have to mend the books."""
    local.stop(local.maker(), "before the put of the parquet")
    other = local.maker(code="c2", title="Meters", refuses=local.maker().title)
    assert local.deliver("other", other).status == "new"
    assert local.versions() == {1: FORMATS}
    local.prove_clean()


def test_a_run_killed_in_the_middle_of_a_large_file_leaves_nothing_behind(stand: Stand) -> None:
    """Nor what no listing of the store shows: a folder of reports is looked at by people, and reports name people."""
    stand.say(*(f"{number},{'x' * 1000}" for number in range(1_000)))

    def maker(day: date) -> MeterMaker:
        return stand.maker(day, formats=("csv",), times=40)

    steps: list[str] = []
    by = stand.by("whole")
    stand.watched(steps.append).deliver("", replace(maker(TUESDAY), touch=steps.append), by=by)
    end = steps.index("after the put of the csv")
    assert steps[end - 6 : end] == 6 * ["read of the csv"]
    stand.die(maker(MONDAY), end - 1)
    assert stand.deliver("next", maker(MONDAY)).status == "resumed"
    stand.prove_clean(MONDAY)


# Versions


def test_the_same_bytes_are_no_new_version(stand: Stand) -> None:
    first = stand.deliver("first")
    second = stand.deliver("second", stand.maker(code="c1"))
    assert (first.status, second.status) == ("new", "unchanged")
    assert second.files == first.files
    assert stand.reads() == 2
    stand.prove_clean()


def test_a_late_correction_is_a_version_of_its_own_and_the_old_one_stays(stand: Stand) -> None:
    stand.deliver("first")
    old = {stand.key(row): stand.content(stand.key(row)) for row in stand.rows()}
    stand.say("a,1", "b,3")
    second = stand.deliver("second")
    stand.say("a,1", "b,2")
    third = stand.deliver("third")
    assert (second.status, third.status) == ("new", "new")
    assert stand.versions() == {1: FORMATS, 2: FORMATS, 3: FORMATS}
    rows = {(row.version, row.file_format): row for row in stand.rows()}
    for (version, name), row in rows.items():
        before = rows.get((version - 1, name))
        assert row.supersedes == (before.report_id if before else None)
    assert {key: stand.content(key) for key in old} == old
    assert rows[3, "csv"].sha256 == rows[1, "csv"].sha256
    stand.prove_clean()


def test_a_format_more_or_less_is_a_version_of_its_own(local: Stand) -> None:
    local.deliver("first", local.maker(formats=("csv",)))
    local.deliver("second", local.maker(formats=("csv", "xlsx"), title="Zähler, Tag für Tag"))
    local.deliver("third", local.maker(formats=("xlsx",)))
    assert local.versions() == {1: ["csv"], 2: ["csv", "xlsx"], 3: ["xlsx"]}
    [csv_1, csv_2, xlsx_2, xlsx_3] = local.rows(MONDAY)
    assert [row.supersedes for row in (csv_1, csv_2, xlsx_2, xlsx_3)] == [
        None, csv_1.report_id, None, xlsx_2.report_id
    ]  # fmt: skip
    local.prove_clean()


def test_a_step_that_is_tried_again_by_the_same_run_delivers_nothing_more(stand: Stand) -> None:
    first = stand.deliver("run")
    stand.say("a,9")
    again = stand.deliver("run")
    assert (again.status, again.files) == ("unchanged", first.files)
    assert stand.reads() == 1
    stand.prove_clean()


def test_who_waited_for_another_run_is_content_with_what_that_delivered(local: Stand) -> None:
    waited = local.by("waited")
    first = local.deliver("first")
    local.say("a,9")
    again = local.deliver("", by=waited)
    assert (again.status, again.files) == ("unchanged", first.files)
    assert local.reads() == 1


def test_what_does_not_pass_its_gate_is_not_delivered(stand: Stand) -> None:
    stand.say()
    with pytest.raises(Unfit):
        stand.deliver("empty")
    assert stand.rows(MONDAY) == []
    stand.prove_clean()
    stand.say("a,1")
    assert stand.deliver("next").status == "new"
    stand.prove_clean()


def test_a_note_that_no_code_can_read_is_forgotten(local: Stand) -> None:
    with local.warehouse.transaction() as transaction:
        transaction.run(
            "INSERT INTO reports.attempts (report_type, report_date, manifest, run_id) VALUES ($1, $2, $3, 'old')",
            NAME, MONDAY, '{"another": "form"}',
        )  # fmt: skip
    assert local.deliver("next").status == "new"
    local.prove_clean()


def test_the_gate_is_told_of_the_report_before_of_the_same_day_or_else_of_an_earlier_one(local: Stand) -> None:
    told: list[int | None] = []
    for run, day, readings in (
        ("later", TUESDAY, ["a,1"]),
        ("earlier", MONDAY, ["a,1", "b,2"]),
        ("again", TUESDAY, ["a,1", "b,2", "c,3"]),
        ("third", TUESDAY, ["a,1"]),
    ):
        local.say(*readings)
        maker = local.maker(day)
        local.deliver(run, maker)
        told += maker.rows_before
    assert told == [None, None, 1, 3]


def test_files_are_let_go_of_whatever_becomes_of_them(local: Stand) -> None:
    maker = local.maker()
    local.stop(maker, "before the put of the parquet")
    assert [local.deliver(run, maker).status for run in ("second", "third")] == ["resumed", "unchanged"]
    local.say()
    with pytest.raises(Unfit):
        local.deliver("fourth", maker)
    local.say("new,1")
    local.reports.create(maker.key(2, "parquet"), b"mine")
    with pytest.raises(ObjectInTheWay):
        local.deliver("fifth", maker)
    assert len(maker.made) == 10
    assert all(file.closed for file in maker.made)


def test_a_row_says_where_the_file_is_also_in_a_folder_whose_name_has_a_space(
    books: Warehouse, lake: Store, tmp_path: Path
) -> None:
    stand = of_stores(books, lake, Store((tmp_path / "all reports é").as_uri()), tmp_path)
    stand.deliver("run")
    for row in stand.rows():
        assert row.s3_bucket is None
        assert Path(row.s3_object_key).read_bytes() == stand.content(stand.key(row))


def test_a_row_says_in_which_bucket_a_file_is(books: Warehouse, s3_store: Store, tmp_path: Path) -> None:
    import boto3

    for uri in (f"{s3_store.uri}/a/b", s3_store.uri.rpartition("/")[0]):
        stand = of_stores(books, s3_store, Store(uri, s3_store.endpoint_url), tmp_path)
        day = MONDAY if uri.endswith("b") else TUESDAY
        stand.deliver("run", stand.maker(day))
        client: Any = boto3.client("s3", endpoint_url=s3_store.endpoint_url)
        for row in stand.rows(day):
            found = client.get_object(Bucket=row.s3_bucket, Key=row.s3_object_key)
            assert found["Body"].read() == stand.content(stand.key(row))
