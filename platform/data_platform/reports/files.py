"""The files of a report, written part by part: the same bytes for the same rows, on every machine and at any time.

A text that a spreadsheet would run as a formula gets an apostrophe before it in CSV. In workbooks it is a text cell,
which no spreadsheet runs, and Parquet is read by programs: both have it as it is.
What does not belong here: which rows (`derive.py`), and where the files go (`publish/delivery.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any, Protocol, cast

import polars as pl
import pyarrow.parquet as pq

from data_platform.reports.gate import num_empty
from data_platform.reports.report_type import TYPES, Format, ReportType
from data_platform.reports.workbook import Workbook

_RUN_AS_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"  # noqa: RUF001 (spreadsheets run the wide ones too)


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

    def close(self) -> None:
        """Lets go of what it holds beside the file."""
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
        for writer, file in zip(self._writers, self._made, strict=True):
            writer.close()
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

    def close(self) -> None:
        pass


class _Parquet:
    """One row group a part, compressed."""

    def __init__(self, file: IO[bytes], report: ReportType) -> None:
        self._file = file
        self._writer = pq.ParquetWriter(file, _arrow(_no_rows(report)).schema, compression="zstd", store_schema=False)

    def add(self, rows: pl.DataFrame) -> None:
        if rows.height:
            self._writer.write_table(_arrow(rows), row_group_size=rows.height)

    def finish(self) -> None:
        self.close()
        self._file.flush()

    def close(self) -> None:
        self._writer.close()


_WRITERS: dict[Format, Callable[[IO[bytes], ReportType], Writer]] = {
    "csv": _Csv, "parquet": _Parquet, "xlsx": Workbook
}  # fmt: skip


def _arrow(rows: pl.DataFrame) -> Any:  # noqa: ANN401 (pyarrow ships no types)
    return cast("Any", rows.to_arrow(compat_level=pl.CompatLevel.oldest()))


def _no_rows(report: ReportType) -> pl.DataFrame:
    kinds = report.kinds
    return pl.DataFrame(schema={column.header: TYPES[kinds[column.of]] for column in report.columns})
