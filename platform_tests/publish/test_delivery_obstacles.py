"""Delivery where something is in the way: a stranger's object, a lost lock, a store or a warehouse that refuses."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from obstore.store import S3Store

from data_platform.errors import PlatformError
from data_platform.lake.store import LakeError, Store
from data_platform.publish.delivery import ObjectInTheWay
from data_platform.warehouse.connection import Warehouse, WarehouseUnavailable
from platform_tests.publish import s3_proxy
from platform_tests.publish.deliveries import MONDAY, Stand
from platform_tests.publish.stands import FORMATS, halted, of_stores, one_sentence, steps_of

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
def proxied(books: Warehouse, s3_store: Store, tmp_path: Path) -> Iterator[tuple[Stand, s3_proxy.Proxy]]:
    """Reports in S3, behind a proxy."""
    with s3_proxy.before(s3_store.endpoint_url or "") as proxy:
        yield of_stores(books, s3_store, impatient(Store(f"{s3_store.uri}/reports", proxy.url)), tmp_path), proxy


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
    books: Warehouse, s3_store: Store, tmp_path: Path
) -> None:
    missing = of_stores(books, s3_store, Store("s3://no-such-bucket/reports", s3_store.endpoint_url), tmp_path)
    with pytest.raises(PlatformError) as caught:
        missing.deliver("first")
    assert missing.rows(MONDAY) == []
    stand = replace(missing, reports=Store(f"{s3_store.uri}/reports", s3_store.endpoint_url))
    assert stand.deliver("next").status == "resumed"
    stand.prove_clean()
    assert "There is no object" not in one_sentence(caught.value), "it is the bucket that is missing"


def test_a_store_that_cannot_be_reached_is_one_sentence_and_the_next_run_delivers(
    books: Warehouse, s3_store: Store, tmp_path: Path
) -> None:
    gone = impatient(Store(f"{s3_store.uri}/reports", "http://127.0.0.1:9"))
    stand = of_stores(books, s3_store, gone, tmp_path)
    with pytest.raises(LakeError, match="Could not write") as caught:
        stand.deliver("first")
    one_sentence(caught.value)
    assert stand.rows(MONDAY) == []
    stand = replace(stand, reports=Store(f"{s3_store.uri}/reports", s3_store.endpoint_url))
    assert stand.deliver("next").status == "resumed"
    stand.prove_clean()


def test_a_full_disk_is_one_sentence_and_nothing_is_booked(books: Warehouse, lake: Store, small_disk: Path) -> None:
    stand = of_stores(books, lake, Store((small_disk / "reports").as_uri()), small_disk.parent)
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
