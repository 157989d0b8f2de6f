"""Arrivals: by content, not by name or time; the same deliveries for every order of arrival."""

import itertools
import re
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from data_platform.lake.evidence import ChangedWhileRead
from data_platform.lake.store import Store
from data_platform.publish.arrivals import Arrivals
from data_platform.warehouse.connection import Warehouse

JULY_7, JULY_14 = date(2023, 7, 7), date(2023, 7, 14)


def day_in_name(name: str, _arrived: date) -> date | None:
    found = re.search(r"\d{4}-\d{2}-\d{2}", name)
    return date.fromisoformat(found[0]) if found else None


@pytest.fixture
def arrivals(warehouse: Warehouse, any_lake: Store, tmp_path: Path) -> Arrivals:
    landing = Store((tmp_path / "landing").as_uri())
    return Arrivals(warehouse, any_lake, landing, "leads", "UTC", date(2020, 1, 1), day_in_name)


def receive_all(arrivals: Arrivals) -> None:
    for landed in arrivals.unseen():
        arrivals.receive(landed)


def delivered(arrivals: Arrivals) -> list[tuple[date, bytes]]:
    return sorted((delivery.day, b"".join(delivery.chunks())) for delivery in arrivals.deliveries())


def test_a_file_is_kept_and_delivered_on_the_day_in_its_name(arrivals: Arrivals) -> None:
    arrivals.landing.create("leads/2023-07-07 a.csv", b"A")
    [delivery] = arrivals.receive_days([JULY_7])
    assert (delivery.day, delivery.name, delivery.num_bytes, b"".join(delivery.chunks())) == (
        JULY_7,
        "2023-07-07 a.csv",
        1,
        b"A",
    )
    assert arrivals.unseen() == []


def test_files_of_other_days_and_other_kinds_wait(arrivals: Arrivals) -> None:
    arrivals.landing.create("leads/2023-07-14 b.csv", b"B")
    arrivals.landing.create("mobile_events/2023-07-07 c.csv", b"C")
    assert arrivals.receive_days([JULY_7]) == []
    assert [landed.entry.key for landed in arrivals.unseen()] == ["leads/2023-07-14 b.csv"]


def test_a_file_without_a_day_is_delivered_when_it_arrives(arrivals: Arrivals) -> None:
    arrivals.landing.create("leads/a.csv", b"A")
    [landed] = arrivals.unseen()
    receive_all(arrivals)
    assert delivered(arrivals) == [(landed.arrived_on, b"A")]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::4])
def test_the_order_of_arrival_copies_and_new_names_do_not_matter(arrivals: Arrivals, order: tuple[int, ...]) -> None:
    files = [("2023-07-07 a.csv", b"A"), ("copy of a.csv", b"A"), ("2023-07-14 b.csv", b"B"), ("A renamed.csv", b"A")]
    for number in order:
        name, content = files[number]
        arrivals.landing.create(f"leads/{name}", content)
        receive_all(arrivals)
    assert delivered(arrivals) == [(JULY_7, b"A"), (JULY_14, b"B")]


def test_the_same_content_sent_again_next_week_is_a_delivery_of_that_week_too(arrivals: Arrivals) -> None:
    arrivals.landing.create("leads/2023-07-07 a.csv", b"A")
    arrivals.landing.create("leads/2023-07-14 a.csv", b"A")
    receive_all(arrivals)
    assert delivered(arrivals) == [(JULY_7, b"A"), (JULY_14, b"A")]
    assert len(arrivals.lake.list("evidence")) == 1


def test_a_touched_file_is_seen_again_and_changes_nothing(arrivals: Arrivals, tmp_path: Path) -> None:
    arrivals.landing.create("leads/2023-07-07 a.csv", b"A")
    receive_all(arrivals)
    (tmp_path / "landing" / "leads" / "2023-07-07 a.csv").touch()
    assert len(arrivals.unseen()) == 1
    receive_all(arrivals)
    assert delivered(arrivals) == [(JULY_7, b"A")]


def test_a_file_that_grows_while_it_is_read_is_not_kept(arrivals: Arrivals, tmp_path: Path, monkeypatch) -> None:
    arrivals.landing.create("leads/2023-07-07 a.csv", b"A")
    path = tmp_path / "landing" / "leads" / "2023-07-07 a.csv"
    read = Store.read

    def growing(self: Store, key: str, **options: int):
        yield from read(self, key, **options)
        with path.open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(Store, "read", growing)
    [landed] = arrivals.unseen()
    with pytest.raises(ChangedWhileRead, match="changed while it was read"):
        arrivals.receive(landed)
    monkeypatch.undo()
    assert arrivals.deliveries() == []


def test_eight_that_receive_the_same_file_at_once_keep_it_once(arrivals: Arrivals) -> None:
    arrivals.landing.create("leads/2023-07-07 a.csv", b"A" * 100_000)
    [landed] = arrivals.unseen()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            arrivals.receive(landed)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(arrivals.deliveries()) == 1


def test_a_directory_is_no_arrival(arrivals: Arrivals, tmp_path: Path) -> None:
    (tmp_path / "landing" / "leads" / "2023-07-07 a.csv").mkdir(parents=True)
    assert arrivals.unseen() == []


def test_of_an_object_that_was_written_over_only_the_last_content_counts(arrivals: Arrivals, tmp_path: Path) -> None:
    path = tmp_path / "landing" / "leads" / "2023-07-07 a.csv"
    path.parent.mkdir(parents=True)
    for content in (b"half a fi", b"half a file, and the rest", b"corrected"):
        path.write_bytes(content)
        receive_all(arrivals)
        assert delivered(arrivals) == [(JULY_7, content)]


def test_no_days_are_no_deliveries(arrivals: Arrivals) -> None:
    arrivals.landing.create("leads/2023-07-07 a.csv", b"A")
    receive_all(arrivals)
    assert arrivals.deliveries([]) == []


def test_the_same_bytes_can_be_of_two_kinds(arrivals: Arrivals) -> None:
    arrivals.landing.create("mobile_events/2023-07-14 a.csv", b"A")
    receive_all(replace(arrivals, kind="mobile_events"))
    arrivals.landing.create("leads/2023-07-07 a.csv", b"A")
    receive_all(arrivals)
    assert delivered(arrivals) == [(JULY_7, b"A")]
