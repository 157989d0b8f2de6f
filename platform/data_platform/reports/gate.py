"""What a report must be like to be delivered. What does not belong here: delivering."""

from collections.abc import Mapping
from datetime import date

import polars as pl

from data_platform.errors import PermanentError
from data_platform.reports.report_type import ReportType


class GateClosed(PermanentError):
    """A report is not as its type says that it must be; nothing was delivered."""


def num_empty(rows: pl.DataFrame) -> dict[str, int]:
    """Empty cells of a frame, by column: nothing, or nothing but blanks."""
    return {
        cells.name: int((cells.is_null() | cells.str.contains(r"^\s*$")).sum())
        if cells.dtype == pl.String
        else cells.null_count()
        for cells in rows.iter_columns()
    }


def prove_fit(
    report: ReportType, day: date, num_rows: int, num_empty: Mapping[str, int], num_rows_before: int | None
) -> None:
    """Raises where a report does not pass its gate.

    Args:
        report: Has the gate.
        day: The report's day.
        num_rows: Rows of its files.
        num_empty: Empty cells, by header.
        num_rows_before: Rows of the report delivered before it; None where there is none.

    Raises:
        GateClosed: The sentence says which rule, and by how much.
    """
    gate = report.gate
    told: list[str] = []
    if num_rows < gate.min_rows:
        told.append(f"it has {num_rows:,} rows, min_rows is {gate.min_rows:,}")
    told += [
        f"{num_empty[header]:,} of {num_rows:,} rows have no {header!r}, which not_empty lists"
        for header in gate.not_empty
        if num_empty.get(header)
    ]
    if gate.max_change is not None and num_rows_before:
        change = abs(num_rows - num_rows_before) / num_rows_before
        if change > gate.max_change:
            told.append(
                f"it has {num_rows:,} rows and the one before {num_rows_before:,}, max_change is {gate.max_change:g}"
            )
    if told:
        raise GateClosed(
            f"{report.name} of {day} is not delivered: {'; '.join(told)}; look at its sources, or change the gate in"
            f" {report.name}.yaml, then run the day again."
        )
