"""Delivery: each report once, whoever comes at once, whatever dies, whatever the store and the warehouse do."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import S3Store

from data_platform.errors import PlatformError
from data_platform.lake import evidence
from data_platform.lake.store import LakeError, Store
from data_platform.local import postgres
from data_platform.publish import delivered
from data_platform.publish.delivered import DeliveryDamaged, Manifest, ManifestFile, NoSuchReport, ReadSource
from data_platform.publish.delivery import Delivery, ObjectInTheWay
from data_platform.publish.verification import faults_of_made, faults_of_stored
from data_platform.warehouse.connection import Warehouse, WarehouseUnavailable
from platform_tests.publish import s3_proxy
from platform_tests.publish.deliveries import MONDAY, NAME, PROCESSES, TUESDAY, MeterMaker, Stand, Unfit, emptied, fresh

FORMATS = ["csv", "parquet"]
AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


def of_stores(warehouse: Warehouse, lake: Store, reports: Store, folder: Path) -> Stand:
    stand = Stand(warehouse, lake, reports, folder / "meters.txt", AWS)
    stand.say("a,1", "b,2")
    return stand


@pytest.fixture
def warehouse(postgres_server: postgres.Server) -> Warehouse:
    """Without any report."""
    return emptied(postgres_server, "delivery")


@pytest.fixture
def stand(warehouse: Warehouse, any_lake: Store, tmp_path: Path) -> Stand:
    """Reports in a folder, and in S3; the evidence beside them."""
    return of_stores(warehouse, any_lake, Store(f"{any_lake.uri}/reports", any_lake.endpoint_url), tmp_path)


@pytest.fixture
def local(warehouse: Warehouse, lake: Store, tmp_path: Path) -> Stand:
    """Reports in a folder, where the store does not matter."""
    return of_stores(warehouse, lake, Store((tmp_path / "reports").as_uri()), tmp_path)


def steps_of(stand: Stand, day: date) -> list[str]:
    """The steps of a delivery that goes through."""
    steps: list[str] = []
    by = stand.by("whole")
    stand.watched(steps.append).deliver("", stand.maker(day, touch=steps.append), by=by)
    return steps


def one_sentence(error: BaseException) -> str:
    """What a platform's error says, proven to be one line that ends as a sentence does."""
    assert isinstance(error, PlatformError), repr(error)
    assert "\n" not in str(error)
    assert str(error).endswith(".")
    return str(error)


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
    warehouse: Warehouse, lake: Store, tmp_path: Path
) -> None:
    stand = of_stores(warehouse, lake, Store((tmp_path / "all reports é").as_uri()), tmp_path)
    stand.deliver("run")
    for row in stand.rows():
        assert row.s3_bucket is None
        assert Path(row.s3_object_key).read_bytes() == stand.content(stand.key(row))


def test_a_row_says_in_which_bucket_a_file_is(warehouse: Warehouse, s3_store: Store, tmp_path: Path) -> None:
    import boto3

    for uri in (f"{s3_store.uri}/a/b", s3_store.uri.rpartition("/")[0]):
        stand = of_stores(warehouse, s3_store, Store(uri, s3_store.endpoint_url), tmp_path)
        day = MONDAY if uri.endswith("b") else TUESDAY
        stand.deliver("run", stand.maker(day))
        client: Any = boto3.client("s3", endpoint_url=s3_store.endpoint_url)
        for row in stand.rows(day):
            found = client.get_object(Bucket=row.s3_bucket, Key=row.s3_object_key)
            assert found["Body"].read() == stand.content(stand.key(row))


# Somebody else's object


@pytest.mark.parametrize("ending", ["csv", "parquet", "manifest.json"])
def test_an_object_of_somebody_else_is_left_alone_and_nothing_is_booked(stand: Stand, ending: str) -> None:
    key = stand.maker().key(1, ending)
    stand.reports.create(key, b"mine")
    with pytest.raises(ObjectInTheWay, match="nothing was booked, move it away") as caught:
        stand.deliver("first")
    assert stand.reports.location(key) in one_sentence(caught.value)
    assert stand.rows(MONDAY) == []
    assert stand.content(key) == b"mine"
    with pytest.raises(ObjectInTheWay):
        stand.deliver("second")
    stand.reports.delete(key)
    assert stand.deliver("third").status == "resumed"
    assert stand.versions() == {1: FORMATS}
    stand.prove_clean()


def test_an_object_of_somebody_else_outlives_other_code(local: Stand) -> None:
    """What is withdrawn is what a run had put there, and not what was in its way."""
    key = local.maker().key(1, "parquet")
    local.reports.create(key, b"mine")
    with pytest.raises(ObjectInTheWay):
        local.deliver("first")
    local.deliver("other", local.maker(code="c2", formats=("csv",)))
    assert key in local.lying()
    assert local.content(key) == b"mine"


# A lost lock


@contextmanager
def halted(stand: Stand, step: str, **changes: Any) -> Iterator[Future[Delivery]]:
    """A delivery in another thread that has stopped at a step, and goes on at the end."""
    reached, released = threading.Event(), threading.Event()

    def touch(name: str) -> None:
        if name == step and not reached.is_set():
            reached.set()
            assert released.wait(60)

    watched = stand.watched(touch)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(watched.deliver, "slow", stand.maker(touch=touch, **changes))
        try:
            assert reached.wait(60)
            yield slow
        finally:
            released.set()


@pytest.mark.parametrize("step", ["before the put of the csv", "before the put of the parquet", "before the booking"])
def test_who_loses_the_lock_while_putting_does_not_book_what_another_finished(stand: Stand, step: str) -> None:
    with halted(stand, step) as slow:
        assert stand.cut_off(only_lock_holder=True) == 1
        stand.say("new,1")
        assert stand.deliver("fast").status == "resumed"
    assert isinstance(slow.exception(60), WarehouseUnavailable)
    assert stand.versions() == {1: FORMATS}
    assert {row.run_id for row in stand.rows()} == {"fast"}
    stand.prove_clean()
    assert stand.deliver("next").status == "new"
    stand.prove_clean()


@pytest.mark.parametrize("step", ["after reading", "after making"])
@pytest.mark.parametrize("meanwhile", [("a,1", "b,2"), ("new,1",)], ids=["the same", "other data"])
def test_who_loses_the_lock_while_reading_does_not_get_in_the_way_of_what_another_delivered(
    local: Stand, step: str, meanwhile: tuple[str, ...]
) -> None:
    """The connection with the lock idles while sources are read: a firewall or a restart may end it."""
    with halted(local, step) as slow:
        assert local.cut_off(only_lock_holder=True) == 1
        local.say(*meanwhile)
        assert local.deliver("fast").status == "new"
    assert "move it away" not in one_sentence(slow.exception(60) or AssertionError("it was delivered twice"))
    local.prove_books()
    assert local.deliver("next").status == "unchanged"
    assert local.versions() == {1: FORMATS}
    local.prove_clean()


def test_what_was_delivered_is_not_withdrawn_by_other_code_after_a_lost_lock(local: Stand) -> None:
    with halted(local, "after making") as slow:
        local.cut_off(only_lock_holder=True)
        assert local.deliver("fast").status == "new"
    assert isinstance(slow.exception(60), PlatformError)
    with suppress(PlatformError):
        local.deliver("other", local.maker(code="c2"))
    local.prove_books()


def test_who_lost_the_lock_while_looking_at_a_note_withdraws_nothing(local: Stand) -> None:
    """The other has delivered a file of the very bytes, under the very key, that the note names."""
    local.stop(local.maker(), "before the put of the parquet")
    with halted(local, "after making", formats=("csv",)) as slow:
        local.cut_off(only_lock_holder=True)
        assert local.deliver("fast", local.maker(formats=("csv",))).status == "new"
    assert isinstance(slow.exception(60), WarehouseUnavailable)
    assert local.versions() == {1: ["csv"]}
    local.prove_books()
    local.prove_clean()


def test_who_lost_the_lock_puts_nothing_more(local: Stand) -> None:
    with halted(local, "after the put of the csv") as slow:
        local.cut_off(only_lock_holder=True)
        assert local.deliver("other", local.maker(code="c2", formats=("csv",))).status == "new"
    assert isinstance(slow.exception(60), PlatformError)
    assert local.versions() == {1: ["csv"]}
    local.prove_clean()


# The store refuses


@pytest.fixture
def proxied(warehouse: Warehouse, s3_store: Store, tmp_path: Path) -> Iterator[tuple[Stand, s3_proxy.Proxy]]:
    """Reports in S3, behind a proxy."""
    with s3_proxy.before(s3_store.endpoint_url or "") as proxy:
        yield of_stores(warehouse, s3_store, impatient(Store(f"{s3_store.uri}/reports", proxy.url)), tmp_path), proxy


def impatient(store: Store) -> Store:
    """The same store, which asks a server only twice."""
    parts = urlsplit(store.uri)
    objects = S3Store(
        parts.netloc, prefix=parts.path.strip("/"), config=store._s3_config(),  # pyright: ignore[reportArgumentType]
        retry_config={
            "max_retries": 1, "retry_timeout": timedelta(seconds=9),
            "backoff": {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=9), "base": 2},
        },
    )  # fmt: skip
    store.__dict__["_objects"] = objects
    return store


@pytest.mark.parametrize("fault", [403, 409, 412, 500, "cut"])
def test_a_store_that_refuses_is_one_sentence_and_the_next_run_delivers(
    proxied: tuple[Stand, s3_proxy.Proxy], fault: s3_proxy.Fault
) -> None:
    """Also one that says that there is an object where there is none."""
    stand, proxy = proxied
    for number, ending in enumerate(("csv", "parquet", "manifest.json")):
        day = MONDAY + timedelta(days=number)
        proxy.fail(fault, ending=ending)
        with pytest.raises(PlatformError) as caught:
            stand.deliver("first", stand.maker(day))
        assert "/reports/" in one_sentence(caught.value)
        assert stand.rows(day) == []
        proxy.heal()
        stand.say("new,1")
        assert stand.deliver("next", stand.maker(day)).status == "resumed"
        assert stand.versions(day) == {1: FORMATS}
        stand.prove_clean(day)


@pytest.mark.parametrize("fault", [500, 503, "cut", "lost", "slow"])
def test_a_store_that_stumbles_is_asked_again(proxied: tuple[Stand, s3_proxy.Proxy], fault: s3_proxy.Fault) -> None:
    """`lost`: the object is there, only the answer did not arrive, so that the second try finds it."""
    stand, proxy = proxied
    proxy.fail(fault, times=1)
    assert stand.deliver("run").status == "new"
    assert stand.versions() == {1: FORMATS}
    stand.prove_clean()


def test_an_object_that_cannot_be_read_back_after_a_crash_is_one_sentence(
    proxied: tuple[Stand, s3_proxy.Proxy],
) -> None:
    stand, proxy = proxied
    proxy.fail(403, ending="parquet")
    with pytest.raises(LakeError):
        stand.deliver("first")
    proxy.fail(500, method="GET", ending="csv")
    with pytest.raises(LakeError) as caught:
        stand.deliver("second")
    one_sentence(caught.value)
    assert stand.rows(MONDAY) == []
    proxy.heal()
    assert stand.deliver("third").status == "resumed"
    stand.prove_clean()


def test_a_bucket_that_is_missing_is_one_sentence_and_the_next_run_delivers(
    warehouse: Warehouse, s3_store: Store, tmp_path: Path
) -> None:
    missing = of_stores(warehouse, s3_store, Store("s3://no-such-bucket/reports", s3_store.endpoint_url), tmp_path)
    with pytest.raises(PlatformError) as caught:
        missing.deliver("first")
    assert missing.rows(MONDAY) == []
    stand = replace(missing, reports=Store(f"{s3_store.uri}/reports", s3_store.endpoint_url))
    assert stand.deliver("next").status == "resumed"
    stand.prove_clean()
    assert "There is no object" not in one_sentence(caught.value), "it is the bucket that is missing"


def test_a_store_that_cannot_be_reached_is_one_sentence_and_the_next_run_delivers(
    warehouse: Warehouse, s3_store: Store, tmp_path: Path
) -> None:
    gone = impatient(Store(f"{s3_store.uri}/reports", "http://127.0.0.1:9"))
    stand = of_stores(warehouse, s3_store, gone, tmp_path)
    with pytest.raises(LakeError, match="Could not write") as caught:
        stand.deliver("first")
    one_sentence(caught.value)
    assert stand.rows(MONDAY) == []
    stand = replace(stand, reports=Store(f"{s3_store.uri}/reports", s3_store.endpoint_url))
    assert stand.deliver("next").status == "resumed"
    stand.prove_clean()


def test_a_full_disk_is_one_sentence_and_nothing_is_booked(warehouse: Warehouse, lake: Store, small_disk: Path) -> None:
    stand = of_stores(warehouse, lake, Store((small_disk / "reports").as_uri()), small_disk.parent)
    stand.say(*(f"{number},{'x' * 1000}" for number in range(50)))
    with pytest.raises(LakeError, match="No space left on device|File too large") as caught:
        stand.deliver("first", stand.maker(times=100))
    one_sentence(caught.value)
    assert stand.rows(MONDAY) == []
    assert stand.lying() == set()
    assert stand.deliver("next", stand.maker(times=2)).status == "new"
    assert stand.versions() == {1: FORMATS}
    stand.prove_clean()


# The warehouse goes away


def test_a_warehouse_that_goes_away_at_any_step_has_nothing_booked_and_the_next_run_delivers(local: Stand) -> None:
    steps = steps_of(local, MONDAY)
    for number, step in enumerate(steps[:-1]):
        day = MONDAY + timedelta(days=number + 1)
        local.say("a,1", "b,2")
        passed: list[str] = []

        def touch(name: str, passed: list[str] = passed, number: int = number) -> None:
            passed.append(name)
            if len(passed) == number + 1:
                assert local.cut_off()

        by = local.by("first")
        with pytest.raises(WarehouseUnavailable, match="start it and run again") as caught:
            local.watched(touch).deliver("", local.maker(day, touch=touch), by=by)
        one_sentence(caught.value)
        assert passed[number] == step
        assert local.rows(day) == []
        local.say("new,1")
        local.deliver("next", local.maker(day))
        assert local.versions(day) == {1: FORMATS}, step
        local.prove_clean(day)


def test_a_warehouse_that_is_not_there_is_one_sentence(local: Stand) -> None:
    by = local.by("run")
    address = urlsplit(local.warehouse.url.get_secret_value())
    away = address._replace(netloc=f"user:hunter2@127.0.0.1:{9}").geturl()
    gone = replace(local, warehouse=Warehouse(type(local.warehouse.url)(away)))
    with pytest.raises(WarehouseUnavailable) as caught:
        gone.deliver("", by=by)
    assert "hunter2" not in one_sentence(caught.value)
    assert local.reads() == 0


# Manifests


_names = st.text(min_size=1, max_size=8)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_counts = st.integers(0, 10**12)
_manifests = st.builds(
    Manifest, _names, st.dates(), st.integers(1, 9), _names,
    st.lists(
        st.builds(ManifestFile, _names, _names, _names, _names, _counts, _counts, st.none() | _names), max_size=3
    ).map(tuple),
    st.lists(_names, max_size=3).map(tuple),
    st.lists(
        st.builds(ReadSource, _names, _names, _counts, st.datetimes(timezones=st.just(UTC)), _counts, _counts),
        max_size=2,
    ).map(tuple),
    st.floats(0, 1e6), st.dictionaries(st.text(max_size=5), _json, max_size=3),
    st.dictionaries(_names, _names, max_size=3), _names, _names,
)  # fmt: skip


@given(_manifests)
def test_a_manifest_is_what_its_text_says(manifest: Manifest) -> None:
    text = manifest.text()
    assert Manifest.of(text) == manifest
    assert Manifest.of(text).text() == text


def test_the_manifest_that_lies_in_the_store_says_what_was_delivered(stand: Stand) -> None:
    [file, _] = stand.deliver("run").files
    manifest = delivered.manifest_of(stand.reports, file)
    assert manifest.text().encode() == stand.content(file.manifest_key)
    assert (manifest.run_id, manifest.code_version, manifest.skew_seconds) == ("run", "c1", 0.25)
    assert manifest.definition == stand.maker().definition
    [source] = manifest.sources
    assert b"".join(evidence.read(stand.lake, source.evidence_id)) == stand.source.read_bytes()
    assert (source.num_rows, source.num_used, manifest.columns) == (2, 2, ("meter", "amount"))


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{}", b"\xff", b'{"day": 5}'])
def test_a_manifest_that_is_none_any_more_is_one_sentence(local: Stand, text: bytes) -> None:
    [file, _] = local.deliver("run").files
    local.reports.create(file.manifest_key, text, replace=True)
    with pytest.raises(DeliveryDamaged) as caught:
        delivered.manifest_of(local.reports, file)
    assert file.manifest_key in one_sentence(caught.value)


# Verification


def faults(stand: Stand) -> list[str]:
    return faults_of_stored(stand.reports, stand.rows(MONDAY))


def test_what_lies_as_it_was_delivered_has_no_faults(stand: Stand) -> None:
    stand.deliver("first")
    stand.say("a,1")
    stand.deliver("second")
    assert faults(stand) == []
    for row in stand.rows():
        assert faults_of_made(delivered.manifest_of(stand.reports, row), stand.maker()) == []


def test_a_changed_byte_and_a_missing_file_are_named(stand: Stand) -> None:
    csv, parquet = stand.deliver("run").files
    content = stand.content(stand.key(csv))
    stand.reports.create(stand.key(csv), content.replace(b"a", b"b"), replace=True)
    stand.reports.delete(stand.key(parquet))
    changed, missing = faults(stand)
    assert stand.key(csv) in changed
    assert stand.key(parquet) in missing
    stand.reports.delete(csv.manifest_key)
    assert [csv.manifest_key in fault for fault in faults(stand)] == [True, True]


EDITS = {
    '"sha256": "': '"sha256": "0',
    '"num_rows": 2': '"num_rows": 3',
    '"num_bytes": ': '"num_bytes": 9',
    '_v1.csv"': '_v2.csv"',
    '"supersedes": null': '"supersedes": "7d8d3c0e-5f0a-5c63-9a54-2f1f6f0c7d11"',
    '"version": 1': '"version": 2',
    '"day": "2023-07-03"': '"day": "2023-07-04"',
    '"skew_seconds": 0.25': '"skew_seconds": 0.5',
    '"code_version": "c1"': '"code_version": "c2"',
    '"num_used": 2': '"num_used": 1',
    '"polars": "2.1.0"': '"polars": "2.1.1"',
    '"title": "': '"title": "Z',
    "{": "[",
}


def test_an_edited_manifest_is_named_whatever_was_edited(local: Stand) -> None:
    [file, _] = local.deliver("run").files
    text = local.content(file.manifest_key).decode()
    unnoticed: list[str] = []
    for was, edited in EDITS.items():
        assert was in text
        local.reports.create(file.manifest_key, text.replace(was, edited, 1).encode(), replace=True)
        found = faults(local)
        unnoticed += [] if found else [edited]
        assert all("_v1" in fault or "_v2" in fault for fault in found)
    assert not unnoticed, ", ".join(unnoticed)


def test_a_manifest_that_names_a_file_twice_is_named(local: Stand) -> None:
    [file, _] = local.deliver("run").files
    manifest = delivered.manifest_of(local.reports, file)
    twice = replace(manifest, files=(*manifest.files, manifest.files[0]))
    local.reports.create(file.manifest_key, twice.text().encode(), replace=True)
    assert faults(local)


def test_a_row_edited_in_the_books_is_named_whatever_was_edited(local: Stand) -> None:
    [file, _] = local.deliver("run").files
    edits: dict[str, Any] = {
        "sha256": "0" * 64, "num_rows": 3, "num_bytes": 3, "s3_object_key": "/elsewhere.csv", "s3_bucket": "elsewhere",
        "download_link": "file:///elsewhere.csv", "manifest_key": "elsewhere.json", "version": 2, "code_version": "c2",
        "skew_seconds": 0.5, "file_format": "xlsx", "supersedes": file.report_id, "report_date": TUESDAY,
    }  # fmt: skip
    found = {name: faults_of_stored(local.reports, [replace(file, **{name: value})]) for name, value in edits.items()}
    unnoticed = [name for name, named in found.items() if not named]
    assert not unnoticed, ", ".join(unnoticed)


def test_evidence_of_which_something_else_comes_out_is_named(local: Stand) -> None:
    [file, _] = local.deliver("run").files
    manifest = delivered.manifest_of(local.reports, file)
    csv, parquet = faults_of_made(manifest, local.maker(code="c2"))
    assert local.key(file) in csv
    assert ".parquet comes out otherwise" in parquet
    other = replace(manifest, made_with={"polars": "1.0.0"})
    assert faults_of_made(other, local.maker()) == []
    assert "polars 2.1.0 instead of 1.0.0" in faults_of_made(other, local.maker(code="c2"))[0]
    [source] = manifest.sources
    miscounted = replace(manifest, sources=(replace(source, num_used=1),))
    assert faults_of_made(miscounted, local.maker()) == ["the evidence does not hold the rows that were counted"]
    local.say("other,1")
    elsewhere = local.maker().read().sources
    assert len(faults_of_made(replace(manifest, sources=tuple(elsewhere)), local.maker())) == 3


@pytest.mark.parametrize("what", ["damaged", "gone"])
def test_evidence_that_is_damaged_or_gone_is_named(local: Stand, what: str) -> None:
    [file, _] = local.deliver("run").files
    manifest = delivered.manifest_of(local.reports, file)
    key = evidence.key_of(manifest.sources[0].evidence_id)
    if what == "gone":
        local.lake.delete(key)
    else:
        local.lake.create(key, b"a,1\nb,3\n", replace=True)
    [fault] = faults_of_made(manifest, local.maker())
    assert key in fault


# What has been delivered


def test_a_file_is_found_by_as_much_of_its_id_as_makes_it_the_only_one(local: Stand) -> None:
    days = [MONDAY + timedelta(days=number) for number in range(9)]
    files = [file for day in days for file in local.deliver("run", local.maker(day)).files]
    for file in files:
        assert delivered.find(local.warehouse, file.report_id) == file
        assert delivered.find(local.warehouse, file.report_id.upper()) == file
        assert delivered.find(local.warehouse, file.report_id[:18]) == file
    firsts = [file.report_id[0] for file in files]
    twice = next(first for first in firsts if firsts.count(first) > 1)
    for beginning in (twice, ""):
        with pytest.raises(NoSuchReport, match="Several reports have ids that begin with") as caught:
            delivered.find(local.warehouse, beginning)
        one_sentence(caught.value)
    for beginning in ("zz", "%", "_", f"{files[0].report_id}0", "'"):
        with pytest.raises(NoSuchReport, match="No report has an id that begins with") as caught:
            delivered.find(local.warehouse, beginning)
        one_sentence(caught.value)


def test_ids_are_the_same_on_every_machine(local: Stand) -> None:
    [csv, parquet] = local.deliver("run").files
    assert csv.report_id == "e7106a20-4bd2-516f-a074-ec4a2b5cd303"
    assert parquet.report_id == "6e85ba79-b546-5a85-a153-e2bb0365c3bf"


def test_a_file_that_was_delivered_into_another_store_is_not_looked_for_in_this_one(local: Stand) -> None:
    [file, *_] = local.deliver("first").files
    assert delivered.key_in(local.reports, file) == f"{NAME}/{MONDAY}/{NAME}_{MONDAY}_v1.csv"
    with pytest.raises(NoSuchReport, match="set that back to reach it") as caught:
        delivered.key_in(local.lake, file)
    one_sentence(caught.value)


def test_the_books_are_read_with_the_columns_of_their_contract() -> None:
    assert tuple(delivered.DeliveredFile.__dataclass_fields__) == delivered.CONTRACT.columns


def test_what_was_delivered_last_comes_first(local: Stand) -> None:
    local.deliver("first", local.maker(TUESDAY))
    local.deliver("second", local.maker(MONDAY))
    local.say("new,1")
    local.deliver("third", local.maker(TUESDAY))
    found = delivered.latest(local.warehouse, NAME, limit=10)
    assert [(row.run_id, row.version) for row in found] == 2 * [("third", 2)] + 2 * [("second", 1)] + 2 * [("first", 1)]
    assert found == delivered.latest(local.warehouse, None, limit=10)
    assert delivered.latest(local.warehouse, None, limit=3) == found[:3]
    assert delivered.latest(local.warehouse, "another", limit=10) == []


def test_of_each_day_the_last_version_is_the_current_one(local: Stand) -> None:
    for day in (TUESDAY, MONDAY):
        local.deliver("first", local.maker(day))
    local.say("new,1")
    local.deliver("second", local.maker(TUESDAY, formats=("csv",)))
    local.deliver("second", local.maker(TUESDAY + timedelta(days=1)))

    def current(*days: date) -> list[tuple[int, int, str]]:
        found = delivered.current(local.warehouse, NAME, (days[0], days[1]) if days else None)
        return [((row.report_date - MONDAY).days, row.version, row.file_format) for row in found]

    everything = [(0, 1, "csv"), (0, 1, "parquet"), (1, 2, "csv"), (2, 1, "csv"), (2, 1, "parquet")]
    assert current() == everything
    assert current(MONDAY, TUESDAY) == everything[:3]
    assert current(TUESDAY, TUESDAY) == everything[2:3]
    assert current(MONDAY - timedelta(days=9), MONDAY - timedelta(days=1)) == []
    assert delivered.current(local.warehouse, "another") == []


def test_a_delivery_that_has_not_ended_is_known(local: Stand) -> None:
    assert delivered.open_attempts(local.warehouse, NAME, [MONDAY, TUESDAY]) == set()
    with halted(local, "before the put of the csv"):
        assert delivered.open_attempts(local.warehouse, NAME, [MONDAY, TUESDAY]) == {MONDAY}
        assert delivered.open_attempts(local.warehouse, NAME, [TUESDAY]) == set()
        assert delivered.open_attempts(local.warehouse, "another", [MONDAY]) == set()
    assert delivered.open_attempts(local.warehouse, NAME, [MONDAY]) == set()
