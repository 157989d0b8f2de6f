"""Rows put aside come back by kind: all of them, in their order."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_platform.intake import Spool, spool

DAYS = [date(2026, 10, day) for day in (1, 2, 3)]
frames = st.lists(st.lists(st.sampled_from(DAYS), max_size=6), max_size=6)


def frame(days: list[date], begin: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"day": days, "number": range(begin, begin + len(days))}, schema={"day": pl.Date, "number": pl.Int64}
    )


@given(frames, st.integers(1, 20))
def test_all_rows_of_a_kind_come_back_in_the_order_in_which_they_came(days: list[list[date]], at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "_ROWS_AT_ONCE", at_once)
        aside, put = Spool[date]("day"), list[pl.DataFrame]()
        for some in days:
            put.append(frame(some, sum(part.height for part in put)))
            aside.put(put[-1])
    for day in DAYS:
        expected = [row for part in put for row in part.rows() if row[0] == day]
        assert [row for part in aside.take(day) for row in part.rows()] == expected
        assert aside.num_rows(day) == len(expected)


def test_of_a_kind_that_never_came_there_is_nothing() -> None:
    assert Spool[date]("day").take(DAYS[0]) == []
    assert Spool[date]("day").num_rows(DAYS[0]) == 0
