"""The files of a report, written part by part: the same bytes for the same rows, on every machine and at any time.

A text that a spreadsheet would run as a formula gets an apostrophe before it in CSV. In workbooks it is a text cell,
which no spreadsheet runs, and Parquet is read by programs: both have it as it is.
What does not belong here: which rows (`derive.py`), and where the files go (`publish/delivery.py`).
"""

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO, Any, Protocol, cast

import polars as pl
import pyarrow.parquet as pq
import xlsxwriter

from data_platform.errors import PermanentError
from data_platform.reports.gate import num_empty
from data_platform.reports.report_type import TYPES, Format, ReportType

WORKBOOK_ROWS = 2**20 - 1
"""Rows that a sheet has below its header."""

_RUN_AS_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"  # noqa: RUF001 (spreadsheets run the wide ones too)
_FIXED = datetime(2000, 1, 1)  # noqa: DTZ001 (a workbook's times have no zone)
_COLUMN_WIDTH = 24


class CannotBeWritten(PermanentError):
    """The rows do not fit into a file of that format."""


@dataclass(frozen=True)
class File:
    """A finished file, in a place without a name that vanishes with the process."""

    format: Format
    content: IO[bytes]


class Writer(Protocol):
    """Writes one file."""

    def add(self, rows: pl.DataFrame) -> None:
        """Appends rows."""
        ...

    def finish(self) -> None:
        """Writes what is left."""
        ...


class Files:
    """The files of a report while they are written.

    Args:
        report: Says which formats and columns.

    Attributes:
        num_rows: Rows so far.
        num_empty: Empty cells so far, by header.
    """

    def __init__(self, report: ReportType) -> None:
        self.num_rows = 0
        self.num_empty = dict.fromkeys((column.header for column in report.columns), 0)
        self._made = [File(name, TemporaryFile()) for name in report.formats]  # noqa: SIM115 (whoever gets it closes it)
        self._writers = [_WRITERS[file.format](file.content, report) for file in self._made]

    def add(self, rows: pl.DataFrame) -> None:
        """Appends rows, with the report's columns under their headers."""
        self.num_rows += rows.height
        for header, num in num_empty(rows).items():
            self.num_empty[header] += num
        for writer in self._writers:
            writer.add(rows)

    def close(self) -> None:
        """Lets go of the files, for when they will not be finished."""
        for file in self._made:
            file.content.close()

    def finish(self) -> Sequence[File]:
        """The files, whole."""
        for writer in self._writers:
            writer.finish()
        return self._made


class _Csv:
    """UTF-8 without a mark, commas, quotes where they are needed, lines that end as RFC 4180 has it."""

    def __init__(self, file: IO[bytes], report: ReportType) -> None:
        self._file = file
        self._write(_no_rows(report), header=True)

    def add(self, rows: pl.DataFrame) -> None:
        text = pl.col(pl.String).str
        # To look is five times as fast as to replace, and there is hardly ever anything to replace.
        if any(found.any() for found in rows.select(text.contains(_RUN_AS_FORMULA)).iter_columns()):
            rows = rows.with_columns(text.replace(_RUN_AS_FORMULA, "'$0"))
        self._write(rows, header=False)

    def _write(self, rows: pl.DataFrame, *, header: bool) -> None:
        rows.write_csv(self._file, include_header=header, line_terminator="\r\n")

    def finish(self) -> None:
        self._file.flush()


class _Parquet:
    """One row group a part, compressed."""

    def __init__(self, file: IO[bytes], report: ReportType) -> None:
        self._file = file
        self._writer = pq.ParquetWriter(file, _arrow(_no_rows(report)).schema, compression="zstd", store_schema=False)

    def add(self, rows: pl.DataFrame) -> None:
        if rows.height:
            self._writer.write_table(_arrow(rows), row_group_size=rows.height)

    def finish(self) -> None:
        self._writer.close()
        self._file.flush()


class _Workbook:
    """One sheet; texts are texts whatever they begin with, and no time of making is in it."""

    def __init__(self, file: IO[bytes], report: ReportType) -> None:
        self._file, self._raw, self._next = file, BytesIO(), 1
        # Row by row and without files of its own: what is in it may be personal.
        self._book = xlsxwriter.Workbook(self._raw, {"constant_memory": True, "in_memory": True})
        self._book.set_properties({"title": report.title, "created": _FIXED})
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, len(report.columns) - 1, _COLUMN_WIDTH)
        bold = self._book.add_format({"bold": True})
        for place, column in enumerate(report.columns):
            self._sheet.write_string(0, place, column.header, bold)
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})

    def add(self, rows: pl.DataFrame) -> None:
        if self._next + rows.height > WORKBOOK_ROWS + 1:
            raise CannotBeWritten(
                f"A workbook holds {WORKBOOK_ROWS:,} rows and the report has more; nothing was delivered, take xlsx out"
                " of its formats."
            )
        for row in rows.iter_rows():  # the library takes one cell at a time
            for place, value in enumerate(row):
                if value is not None and self._write(place, value):
                    raise CannotBeWritten(
                        f"Row {self._next} of column {rows.columns[place]!r} is longer than a cell of a workbook may"
                        " be; nothing was delivered, shorten it in the query or take xlsx out of the formats."
                    )
            self._next += 1

    def _write(self, place: int, value: str | int | date) -> int:
        if isinstance(value, str):
            return self._sheet.write_string(self._next, place, value)
        if isinstance(value, date):
            midnight = datetime(value.year, value.month, value.day)  # noqa: DTZ001 (a day has no zone)
            return self._sheet.write_datetime(self._next, place, midnight, self._day)
        return self._sheet.write_number(self._next, place, value)

    def finish(self) -> None:
        self._book.close()
        # Packed without compression: two machines' libraries compress the same bytes into different ones.
        with zipfile.ZipFile(self._raw) as packed, zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED) as plain:
            for name in packed.namelist():
                with packed.open(name) as part, plain.open(zipfile.ZipInfo(name, _FIXED.timetuple()[:6]), "w") as to:
                    while chunk := part.read(2**20):
                        to.write(chunk)
        self._file.flush()


_WRITERS: dict[Format, Callable[[IO[bytes], ReportType], Writer]] = {
    "csv": _Csv, "parquet": _Parquet, "xlsx": _Workbook
}  # fmt: skip


def _arrow(rows: pl.DataFrame) -> Any:  # noqa: ANN401 (pyarrow ships no types)
    return cast("Any", rows.to_arrow(compat_level=pl.CompatLevel.oldest()))


def _no_rows(report: ReportType) -> pl.DataFrame:
    kinds = report.kinds
    return pl.DataFrame(schema={column.header: TYPES[kinds[column.of]] for column in report.columns})
