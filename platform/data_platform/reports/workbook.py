"""A workbook of one sheet, row after row, with none of them in memory: XLSX, the same bytes for the same rows.

The library makes the package with its header, formats and column widths; the rows are put into its sheet. It would
itself hold them all, or write them into files that have a name, and it takes some texts for markup.
What does not belong here: the other formats (`files.py`).
"""

import re
import shutil
import zipfile
from datetime import date, datetime
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO

import polars as pl
import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from data_platform.errors import PermanentError
from data_platform.reports.report_type import ReportType

MOST_ROWS = 2**20 - 1
"""Rows that a sheet has below its header."""

MOST_CHARACTERS = 32_767
"""Of a cell, counted as UTF-16 does."""

_SHEET = "xl/worksheets/sheet1.xml"
_FIXED = datetime(2000, 1, 1)  # noqa: DTZ001 (a workbook's times have no zone)
_WIDTH = 24
_MOST_EXACT = 2**53 - 1  # numbers are floats there
_FIRST_DAY, _MARCH_1900 = date(1900, 1, 1), date(1900, 3, 1)  # between them lies a 29 February that never was
_NO_XML = [*range(9), 11, 12, 13, *range(14, 32), 0xFFFE, 0xFFFF]  # a CR would be read as a line end
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {chr(code): f"_x{code:04X}_" for code in _NO_XML}


class CannotBeWritten(PermanentError):
    """The rows do not fit into a file of that format."""


class Workbook:
    """One sheet; texts are texts whatever they begin with, and no time of making is in it."""

    def __init__(self, file: IO[bytes], report: ReportType) -> None:
        self._file, self._rows = file, TemporaryFile()  # noqa: SIM115 (closed when finished or given up)
        self._num_rows, self._num_columns = 0, len(report.columns)
        self._package = _package(report)
        styles = re.findall(rb'<col min="(\d+)"[^>]* style="(\d+)"', self._package.read(_SHEET))
        self._style_of = {int(column) - 1: style.decode() for column, style in styles}

    def add(self, rows: pl.DataFrame) -> None:
        """Appends rows.

        Raises:
            CannotBeWritten: A sheet does not hold them.
        """
        if self._num_rows + rows.height > MOST_ROWS:
            raise _refused(f"A workbook holds {MOST_ROWS:,} rows and the report has more")
        number = pl.int_range(self._num_rows + 2, self._num_rows + 2 + rows.height).cast(pl.String)
        cells = [self._cells(place, column, number) for place, column in enumerate(rows.iter_columns())]
        lines = rows.select(
            pl.concat_str(pl.lit('<row r="'), number, pl.lit('">'), *cells, pl.lit("</row>")).alias("line")
        )
        self._rows.write("".join(lines["line"]).encode())
        self._num_rows += rows.height

    def _cells(self, place: int, cells: pl.Series, number: pl.Expr) -> pl.Expr:
        value = pl.col(cells.name)
        where = _between(f'<c r="{xl_col_to_name(place)}', number, '"')
        if cells.dtype == pl.String:
            _prove_lengths(cells)
            text = value.str.replace_all("_(x[0-9A-Fa-f]{4}_)", "_x005F_$1").str.replace_many(_ESCAPED)
            cell = _between(' t="inlineStr"><is><t xml:space="preserve">', text, "</t></is></c>")
        elif cells.dtype == pl.Date:
            if (cells < _FIRST_DAY).any():
                raise _refused(f"A day of column {cells.name!r} lies before 1900, the first year of a workbook")
            serial = (value - date(1899, 12, 31)).dt.total_days() + (value >= _MARCH_1900).cast(pl.Int64)
            cell = _between(f' s="{self._style_of[place]}"><v>', serial.cast(pl.String), "</v></c>")
        else:
            if (~cells.is_between(-_MOST_EXACT, _MOST_EXACT)).any():
                raise _refused(
                    f"A number of column {cells.name!r} is beyond 2^53, up to where a workbook holds whole numbers"
                )
            cell = _between("><v>", value.cast(pl.String), "</v></c>")
        return pl.concat_str(where, pl.when(value.is_null()).then(pl.lit("/>")).otherwise(cell))

    def finish(self) -> None:
        """Packs it, without compression: two machines' libraries compress the same bytes into different ones."""
        before, after = self._package.read(_SHEET).split(b"</sheetData>")
        last = xl_col_to_name(self._num_columns - 1).encode()
        before = re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:%b%d"' % (last, self._num_rows + 1), before)
        self._rows.seek(0)
        with zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED) as packed:
            for name in self._package.namelist():
                part = zipfile.ZipInfo(name, _FIXED.timetuple()[:6])
                with packed.open(part, "w", force_zip64=name == _SHEET) as to:
                    if name == _SHEET:
                        to.write(before)
                        shutil.copyfileobj(self._rows, to, 2**20)
                        to.write(b"</sheetData>" + after)
                    else:
                        to.write(self._package.read(name))
        self._file.flush()
        self.close()

    def close(self) -> None:
        """Lets go of what was not packed."""
        self._rows.close()


def _package(report: ReportType) -> zipfile.ZipFile:
    """A workbook of the header alone."""
    raw = BytesIO()
    book = xlsxwriter.Workbook(raw, {"in_memory": True})
    book.set_properties({"title": report.title, "created": _FIXED})
    bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(report.columns):
        sheet.set_column(place, place, _WIDTH, day if report.kinds[column.of] == "date" else None)
        sheet.write_string(0, place, column.header, bold)
    book.close()
    return zipfile.ZipFile(raw)


def _between(before: str, value: pl.Expr, after: str) -> pl.Expr:
    return pl.concat_str(pl.lit(before), value, pl.lit(after))


def _prove_lengths(cells: pl.Series) -> None:
    for text in cells.filter(cells.str.len_bytes() > MOST_CHARACTERS):
        if len(text.encode("utf-16-le")) // 2 > MOST_CHARACTERS:
            raise _refused(
                f"A text of column {cells.name!r} has more than the {MOST_CHARACTERS:,} characters of a cell"
            )


def _refused(fact: str) -> CannotBeWritten:
    return CannotBeWritten(f"{fact}; nothing was delivered, change the query or take xlsx out of the report's formats.")
