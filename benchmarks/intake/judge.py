"""What became of each record of a file, judged by the truth about it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from benchmarks.intake.samples import BLOCK, COLUMNS, Sample

MEANING = """Every record has an id that no damage touches, and one fate. "right": returned once, with the eight values
that were meant before the damage (null counts as empty text). "wrong": returned with other values or number of fields,
or more than once; and every row returned that is no record of the file. "rejected": not returned, and its id stands in
the text that the reader hands out as rejected (for ours, the bytes of its rejects). "lost": none of these, without a
word. "neighbours harmed": undamaged records that are not right."""
_SLICE = 500_000
# An id at the start of a line; no value inside quotes looks like one.
_ID = re.compile(rb'^"?(\d{1,18})"?,', re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """How many records had which fate, as `MEANING` says.

    Attributes:
        right: records.
        wrong: records, and rows that are no record.
        rejected: records.
        lost: records.
        neighbours_harmed: undamaged records that are not right.
        damaged: for each kind of damage, how many records had which fate.
    """

    right: int
    wrong: int
    rejected: int
    lost: int
    neighbours_harmed: int
    damaged: dict[str, dict[str, int]]


def judge(sample: Sample, frames: Iterable[pl.DataFrame], rejected: list[bytes]) -> Verdict:
    """Judge a reading.

    Args:
        sample: the truth.
        frames: the rows returned, as text columns in the file's order.
        rejected: the text of what was rejected, complete once the frames are taken.
    """
    rows = pl.concat([_EMPTY, *(_compared(sample, frame) for frame in _sliced(frames))])
    is_record = pl.col("id").is_between(1, sample.num_records).fill_null(value=False)
    returned = rows.filter(is_record).group_by("id").agg(right=pl.col("right").all() & (pl.len() == 1))
    right = returned.filter("right")["id"]
    wrong = returned.filter(~pl.col("right"))["id"]
    named = pl.Series("id", _ids(rejected), dtype=pl.Int64).unique()
    of_file = named.filter(named.is_between(1, sample.num_records))
    only_rejected = of_file.filter(~of_file.is_in(returned["id"].implode()))
    damaged = {
        fate: set(ids.filter(ids.is_in(list(sample.damaged))))
        for fate, ids in (("right", right), ("wrong", wrong), ("rejected", only_rejected))
    }
    num_undamaged = sample.num_records - len(sample.damaged)
    return Verdict(
        right=len(right),
        wrong=len(wrong) + rows.filter(~is_record).height,
        rejected=len(only_rejected),
        lost=sample.num_records - len(returned) - len(only_rejected),
        neighbours_harmed=num_undamaged - (len(right) - len(damaged["right"])),
        damaged=_by_kind(sample, damaged),
    )


_EMPTY = pl.DataFrame(schema={"id": pl.Int64, "right": pl.Boolean})


def _compared(sample: Sample, frame: pl.DataFrame) -> pl.DataFrame:
    """The id of each row (null if it has none) and whether its values are the ones that were meant."""
    if frame.width != len(COLUMNS):
        ids = frame.to_series(0).str.extract(r"^(\d{1,18})").cast(pl.Int64)
        return pl.DataFrame({"id": ids, "right": pl.repeat(value=False, n=frame.height, eager=True)})
    rows = frame.rename(dict(zip(frame.columns, COLUMNS, strict=True))).with_columns(pl.all().fill_null(""))
    number = pl.col("id").str.extract(r"^(\d{1,18})$").cast(pl.Int64)
    meant = sample.values.select(pl.all().gather(pl.lit(rows.select((number.fill_null(1) - 1) % BLOCK).to_series())))
    right = pl.all_horizontal(
        (pl.col("id") == number.cast(pl.String)).fill_null(value=False),
        *(pl.col(name) == pl.lit(meant[name]) for name in meant.columns),
    )
    compared = rows.select(id=number, right=right)
    is_damaged = compared["id"].is_in(list(sample.damaged)).fill_null(value=False)
    of_damaged = [row == sample.damaged[int(row[0])].values for row in rows.filter(is_damaged).iter_rows()]
    corrected = compared.filter(is_damaged).with_columns(right=pl.Series(of_damaged, dtype=pl.Boolean))
    return pl.concat([compared.filter(~is_damaged), corrected])


def _sliced(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    for frame in frames:
        if frame.width:
            yield from frame.iter_slices(_SLICE)


def _ids(rejected: Iterable[bytes]) -> list[int]:
    return [int(found) for text in rejected for found in _ID.findall(text)]


def _by_kind(sample: Sample, fates: dict[str, set[int]]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for record_id, damaged in sample.damaged.items():
        fate = next((name for name, ids in fates.items() if record_id in ids), "lost")
        found.setdefault(damaged.kind, Counter())[fate] += 1
    return {kind: dict(counted) for kind, counted in found.items()}
