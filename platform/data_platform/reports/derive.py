"""The rows of a report out of what was read for it, part by part: never all of them in memory.

Not here: what a report is (`report_type.py`), and how its files are written (`files.py`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from data_platform.reports.report_type import DAY, Addition, ReportType, ReportTypeError

ROWS_AT_A_TIME = 20_000
"""Rows of the source that says who is in the report; the rows of a part hang on it, so it stays as it is."""

_WHOSE = "whose row of the part"  # no query can give a column of that name


@dataclass(frozen=True)
class Part:
    """Some rows of a report, and the account of what they were made of.

    Attributes:
        rows: The file's columns, under their headers.
        num_read: Rows of each source, by name, that were looked at.
        num_used: Those of them that are in `rows`; the others belong to nobody in the report, or lie outside its
            window.
    """

    rows: pl.DataFrame
    num_read: dict[str, int]
    num_used: dict[str, int]


def derive(report: ReportType, day: date, sources: Mapping[str, Iterable[pl.DataFrame]]) -> Iterator[Part]:
    """Makes a report's rows.

    Args:
        report: What it is made of, and how.
        day: The report's day, the last of its window.
        sources: For each source its rows with the declared columns, in ascending order of the key, in frames of any
            size.

    Yields:
        Parts in the order of the key; within one key in the order of days.

    Raises:
        ReportTypeError: Rows do not come in that order, or stand twice.
    """
    key = report.rows.key
    spine = _Ascending(report, report.rows.of, sources[report.rows.of], is_unique=True)
    added = [_Ascending(report, addition.of, sources[addition.of]) for addition in report.rows.add]
    while True:
        who = spine.take(ROWS_AT_A_TIME)
        is_last = who.height < ROWS_AT_A_TIME
        rows, used = who, {spine.name: who.height}
        if report.rows.days == "every":
            rows = who.join(_days(report, day), how="cross", maintain_order="left_right")
        for addition, source in zip(report.rows.add, added, strict=True):
            fitting = _fitting(report, day, source.take_through(None if is_last else who[key][-1]), who)
            used[addition.of] = fitting.height
            rows = _joined(report, day, addition, rows, fitting)
        shown = rows.select(pl.col(column.of).alias(column.header) for column in report.columns)
        yield Part(shown, {source.name: source.num_read() for source in (spine, *added)}, used)
        if is_last:
            return


def _days(report: ReportType, day: date) -> pl.DataFrame:
    return pl.select(pl.date_range(*report.window(day)).alias(DAY))


def _fitting(report: ReportType, day: date, frame: pl.DataFrame, who: pl.DataFrame) -> pl.DataFrame:
    """The rows of an addition that belong to somebody in the report and to its window, with whose they are."""
    if report.rows.days != "none":
        frame = frame.filter(pl.col(DAY).is_between(*report.window(day)))
    whose = who.select(report.rows.key).with_row_index(_WHOSE)
    return frame.join(whose, on=report.rows.key, how="inner", maintain_order="left")


def _joined(
    report: ReportType, day: date, addition: Addition, rows: pl.DataFrame, fitting: pl.DataFrame
) -> pl.DataFrame:
    if report.rows.days == "any":
        # Each row of the addition is a row of the report, beside one for who has none.
        _prove_once(report, addition, fitting.select(_WHOSE, DAY).n_unique(), fitting)
        own = fitting.sort(_WHOSE, DAY).drop(_WHOSE)
        rows = rows.join(own, on=report.rows.key, how="left", maintain_order="left_right")
        rows = rows.with_columns(pl.col(DAY).fill_null(pl.lit(day)))
    else:
        # Where a row goes is known, so nothing needs to be looked for: ten times as fast as a join.
        place = pl.col(_WHOSE).cast(pl.Int64)
        if report.rows.days == "every":
            place = place * report.window_days + (pl.col(DAY) - report.window(day)[0]).dt.total_days()
        places = fitting.select(place).to_series()
        which = pl.repeat(None, rows.height, dtype=pl.UInt32, eager=True)
        which = which.scatter(places, pl.int_range(fitting.height, dtype=pl.UInt32, eager=True))
        _prove_once(report, addition, which.count(), fitting)
        new = fitting.drop(_WHOSE, report.rows.key, *([DAY] if report.rows.days == "every" else []))
        rows = rows.hstack(new.select(pl.all().gather(which)))
    return rows.with_columns(pl.col(name).fill_null(value) for name, value in addition.fill.items())


def _prove_once(report: ReportType, addition: Addition, num_places: int, fitting: pl.DataFrame) -> None:
    if num_twice := fitting.height - num_places:
        query = report.sources[addition.of].query
        on = report.rows.key if report.rows.days == "none" else f"{report.rows.key} and {DAY}"
        raise ReportTypeError(
            f"{query}: {num_twice} rows have the {on} of another; nothing was delivered, group by them in the query."
        )


class _Ascending:
    """The rows of a source, of which always the next are taken."""

    def __init__(
        self, report: ReportType, name: str, frames: Iterable[pl.DataFrame], *, is_unique: bool = False
    ) -> None:
        self.name = name
        self._query, self._key, self._is_unique = report.sources[name].query, report.rows.key, is_unique
        self._frames = iter(frames)
        self._at_hand = pl.DataFrame(schema=report.sources[name].types)
        self._last: object = None
        self._num_read = 0

    def num_read(self) -> int:
        """How many rows were read since this was asked last."""
        num, self._num_read = self._num_read, 0
        return num

    def take(self, num_rows: int) -> pl.DataFrame:
        """So many rows; fewer at the end alone."""
        while self._at_hand.height < num_rows and self._read():
            pass
        taken, self._at_hand = self._at_hand.head(num_rows), self._at_hand.slice(num_rows)
        return taken

    def take_through(self, key: object) -> pl.DataFrame:
        """All rows up to a key; all that are left for None."""
        while (self._last is None or key is None or self._last <= key) and self._read():  # pyright: ignore[reportOperatorIssue]
            pass
        if key is None:
            taken, self._at_hand = self._at_hand, self._at_hand.clear()
            return taken
        is_in = self._at_hand[self._key] <= key
        taken, self._at_hand = self._at_hand.filter(is_in), self._at_hand.filter(~is_in)
        return taken

    def _read(self) -> bool:
        frame = next(self._frames, None)
        if frame is None:
            return False
        self._num_read += frame.height
        keys = frame[self._key]
        if self._is_unique and keys.null_count():
            raise ReportTypeError(
                f"{self._query}: a row has no {self._key}; nothing was delivered, leave it out there."
            )
        frame = frame.filter(pl.col(self._key).is_not_null())  # a row of nobody
        if frame.height:
            self._prove_order(frame[self._key])
            self._at_hand = pl.concat([self._at_hand, frame], rechunk=False)
        return True

    def _prove_order(self, keys: pl.Series) -> None:
        before = pl.Series([self._last], dtype=keys.dtype).append(keys.head(keys.len() - 1))
        if (keys < before).any():
            raise ReportTypeError(
                f"{self._query}: rows do not come in ascending order of {self._key}; nothing was delivered, end it with"
                f' ORDER BY {self._key} (of text: by its bytes, as COLLATE "C" does).'
            )
        if self._is_unique and (keys == before).any():
            raise ReportTypeError(f"{self._query}: a {self._key} stands twice; nothing was delivered, mend the query.")
        self._last = keys[-1]
