"""The fingerprint of rows: the same for any order, different for any other rows."""

from datetime import UTC, date, datetime

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from data_platform.publish.content_hash import content_hash

ROWS = st.lists(st.tuples(st.text(max_size=4) | st.none(), st.integers(0, 5) | st.none()), max_size=12)
SCHEMA = {"a": pl.String, "b": pl.Int64}


def frame(rows: list[tuple[str | None, int | None]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@given(ROWS, st.randoms())
def test_the_order_of_rows_does_not_matter(rows, random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert content_hash(frame(rows)) == content_hash(frame(shuffled))


@given(ROWS, ROWS)
def test_other_rows_have_another_hash(left, right) -> None:
    same = sorted(left, key=repr) == sorted(right, key=repr)
    assert (content_hash(frame(left)) == content_hash(frame(right))) == same


def test_null_blank_and_borders_of_columns_are_told_apart() -> None:
    pairs = [("ab", "c"), ("a", "bc"), ("abc", ""), ("abc", None), (None, "abc"), ("", "abc")]
    hashes = {
        content_hash(pl.DataFrame([pair], schema={"a": pl.String, "b": pl.String}, orient="row")) for pair in pairs
    }
    assert len(hashes) == len(pairs)


def test_a_row_that_stands_twice_counts_twice() -> None:
    once, twice = frame([("a", 1)]), frame([("a", 1), ("a", 1)])
    assert content_hash(once) != content_hash(twice)


def test_the_hash_is_the_same_on_every_machine_and_for_every_version() -> None:
    """Stored hashes are compared for years: a library whose new version changed this value would be noticed here."""
    rows = pl.DataFrame(
        {
            "text": ["a", None],
            "day": [date(2023, 7, 7), None],
            "at": pl.Series([datetime(2023, 7, 7, tzinfo=UTC), None], dtype=pl.Datetime("us", "UTC")),
            "real": [0.5, None],
            "list": [["x", "y"], []],
        }
    )
    assert content_hash(rows) == "08431b5e23bbd0f785100ff830504fa1f4d115e5e8e68233e9cbcc95c2050242"
