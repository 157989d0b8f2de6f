"""Items that another thread takes are the same items, in the same order, with the same errors."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from data_platform.ahead import read_ahead


def test_items_and_their_order_stay_and_an_end_is_an_end() -> None:
    assert list(read_ahead(range(100))) == [*range(100)]
    assert list(read_ahead([])) == []
    assert list(read_ahead([None, None], at_most=5)) == [None, None]


def test_they_are_taken_by_another_thread_and_no_more_than_asked_for_before_they_are_used() -> None:
    taken: list[str] = []

    def items() -> Iterator[int]:
        for number in range(10):
            taken.append(threading.current_thread().name)
            yield number

    ahead = read_ahead(items(), at_most=3)
    for number, _ in enumerate(ahead):
        assert len(taken) <= number + 1 + 3
    assert threading.current_thread().name not in taken
    assert len(set(taken)) == 1


def test_an_error_comes_in_its_place_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    ahead = read_ahead(items(), at_most=3)
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)


def test_nobody_goes_on_taking_once_the_caller_has_stopped() -> None:
    before = threading.active_count()
    ahead = read_ahead(iter(int, 1), at_most=2)
    assert [next(ahead), next(ahead)] == [0, 0]
    ahead.close()
    assert threading.active_count() == before


def test_a_caller_that_stops_waits_for_the_item_under_way_and_for_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, is_told = threading.Event(), threading.Event()
    taken: list[int] = []
    shutdown = ThreadPoolExecutor.shutdown

    def tell(pool: ThreadPoolExecutor, wait: bool = True, *, cancel_futures: bool = False) -> None:
        shutdown(pool, wait=False, cancel_futures=cancel_futures)
        is_told.set()
        shutdown(pool, wait=wait)

    def items() -> Iterator[int]:
        for number in range(10):
            if number == 1:
                begun.set()
                is_told.wait(60)
            taken.append(number)
            yield number

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", tell)
    ahead = read_ahead(items(), at_most=4)
    assert next(ahead) == 0
    assert begun.wait(60)
    ahead.close()
    assert taken == [0, 1]
