"""The report of active users by hand: what the queries make of raw rows, and the files as a reader finds them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from io import BytesIO
from typing import Any

import polars as pl

from data_platform.reports import report_type
from data_platform.reports.derive import Part, derive
from data_platform.reports.files import Files
from data_platform.reports.report_type import ReportType
from platform_tests.oracles.reports import Completion, Days, Row, User

SHIPPED = report_type.load(report_type.FOLDER / "active_user_report.yaml")
HEADER = [column.header for column in SHIPPED.columns]
TODAY = date(2026, 11, 26)


def changed(report: ReportType = SHIPPED, **changes: Any) -> ReportType:
    """A report type with other fields."""
    return ReportType.model_validate(report.model_dump() | changes)


def active_users(days: Days = "every", window_days: int = 30) -> ReportType:
    """The customer's report in all formats."""
    rows = SHIPPED.rows.model_dump() | {"days": days}
    return changed(rows=rows, window_days=window_days, formats=("csv", "xlsx", "parquet"))


def queried(
    users: Sequence[User], completions: Iterable[Completion], window: tuple[date, date] = (date.min, date.max)
) -> dict[str, list[tuple[Any, ...]]]:
    """What the two queries give, in plain Python; without a window, of all days."""
    lessons: dict[tuple[int, date], set[int]] = {}
    for user_id, lesson_id, day in completions:
        if window[0] <= day <= window[1]:
            lessons.setdefault((user_id, day), set()).add(lesson_id)
    return {
        "users": sorted((user_id, name) for user_id, name, status in users if status.lower() == "active"),
        "lessons": sorted((user_id, day, len(of_day)) for (user_id, day), of_day in lessons.items()),
    }


def whole(report: ReportType, sources: Mapping[str, Sequence[tuple[Any, ...]]]) -> dict[str, list[pl.DataFrame]]:
    """Rows of each source as one frame."""
    return {name: [pl.DataFrame(rows, report.sources[name].types, orient="row")] for name, rows in sources.items()}


def made(report: ReportType, day: date, sources: Mapping[str, Sequence[tuple[Any, ...]]]) -> Iterator[Part]:
    return derive(report, day, whole(report, sources))


def shown(parts: Iterable[Part]) -> list[Any]:
    return [row for part in parts for row in part.rows.rows()]


def report_of(
    users: Sequence[User], completions: Iterable[Completion], day: date = TODAY, days: Days = "every"
) -> list[Row]:
    """The customer's rows."""
    report = active_users(days)
    return shown(made(report, day, queried(users, completions, report.window(day))))


def files_of(report: ReportType, parts: Iterable[pl.DataFrame]) -> dict[str, bytes]:
    """The files' content, by format."""
    files, found = Files(report), dict[str, bytes]()
    try:
        for rows in parts:
            files.add(rows)
    finally:
        for file in files.finish():  # those that were refused want closing too
            with file.content as content:
                content.seek(0)
                found[file.format] = content.read()
    return found


def table(rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    """The customer's rows as the product makes them."""
    return pl.DataFrame(rows, {HEADER[0]: pl.String, HEADER[1]: pl.Int64, HEADER[2]: pl.Date}, orient="row")


def files_of_rows(*rows: tuple[Any, ...]) -> dict[str, bytes]:
    return files_of(active_users(), [table(rows)])


def rows_of_parquet(content: bytes) -> list[Any]:
    return pl.read_parquet(BytesIO(content)).rows()
