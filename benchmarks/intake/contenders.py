"""The readers: each reads a whole file as text and hands out what it makes of it, piece by piece where it can.

Every contender is told that there is a header and that all columns are text, and is otherwise left to its defaults,
or to those settings under which it stops least. Libraries are imported where they are used, so that the memory of a
process has nothing of another contender.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from data_platform import intake

Piece = TypeVar("Piece")
Arrow = Any  # pyarrow tells no types
_CHUNK_BYTES = 2**20
_ROWS = 100_000


@dataclass(frozen=True)
class Reading(Generic[Piece]):
    """A file being read.

    Attributes:
        pieces: what the reader hands out; to iterate over them is what is timed.
        frames: turns the pieces into frames of text columns, in the file's order of columns; for the judge only.
        rejected: the text of what the reader said it did not take, complete once the pieces are taken.
    """

    pieces: Iterable[Piece]
    frames: Callable[[Iterable[Piece]], "Iterable[pl.DataFrame]"]
    rejected: list[bytes] = field(default_factory=list[bytes])


def ours(path: Path) -> "Reading[intake.Batch]":
    """data_platform.intake.read in chunks of 1 MiB, batch by batch, with the place of every record."""
    from data_platform import intake

    def batches() -> "Iterator[intake.Batch]":
        with path.open("rb") as file:
            yield from intake.read(iter(partial(file.read, _CHUNK_BYTES), b""))

    def frames(taken: "Iterable[intake.Batch]") -> "Iterator[pl.DataFrame]":
        import polars as pl

        with path.open("rb") as file:
            for batch in taken:
                for start, end in batch.rejects.select("byte_from", "byte_to").rows():
                    file.seek(start)
                    rejected.append(file.read(end - start))
                yield batch.records.select(pl.col("^field_[0-9]+$"))

    rejected: list[bytes] = []
    return Reading(batches(), frames, rejected)


def polars(path: Path) -> "Reading[pl.DataFrame]":
    """pl.read_csv(infer_schema=False)."""
    import polars as pl

    return Reading(_whole(lambda: pl.read_csv(path, infer_schema=False)), iter)


def polars_lenient(path: Path) -> "Reading[pl.DataFrame]":
    """pl.read_csv(infer_schema=False, truncate_ragged_lines=True, ignore_errors=True, encoding="utf8-lossy")."""
    import polars as pl

    def read() -> pl.DataFrame:
        return pl.read_csv(
            path, infer_schema=False, truncate_ragged_lines=True, ignore_errors=True, encoding="utf8-lossy"
        )

    return Reading(_whole(read), iter)


def duckdb(path: Path) -> Reading[Arrow]:
    """DuckDB's read_csv(all_varchar=true, header=true), as Arrow, batch by batch."""
    return _duckdb(path, store_rejects=False)


def duckdb_rejects(path: Path) -> Reading[Arrow]:
    """DuckDB's read_csv(all_varchar=true, header=true, store_rejects=true), as Arrow, batch by batch."""
    return _duckdb(path, store_rejects=True)


def duckdb_told(path: Path) -> Reading[Arrow]:
    """The same as duckdb-rejects, but told delimiter, quote and escape: it guesses what others take for granted."""
    return _duckdb(path, store_rejects=True, is_told=True)


def _duckdb(path: Path, *, store_rejects: bool, is_told: bool = False) -> Reading[Arrow]:
    import duckdb

    connection = duckdb.connect()

    def batches() -> Iterator[Arrow]:
        relation = connection.read_csv(
            str(path),
            header=True,
            all_varchar=True,
            store_rejects=store_rejects,
            delimiter="," if is_told else None,
            quotechar='"' if is_told else None,
            escapechar='"' if is_told else None,
        )
        yield from relation.to_arrow_reader(_ROWS)
        if store_rejects:
            lines = connection.execute("SELECT DISTINCT line, csv_line FROM reject_errors").fetchall()
            rejected.extend(str(line).encode() for _, line in lines)

    rejected: list[bytes] = []
    return Reading(batches(), _frames_of_arrow, rejected)


def pyarrow(path: Path) -> Reading[Arrow]:
    """pyarrow.csv.read_csv, every column a string."""
    return _pyarrow(path, skips=False)


def pyarrow_skip(path: Path) -> Reading[Arrow]:
    """pyarrow.csv.read_csv, with an invalid_row_handler that keeps the text and skips, and check_utf8=False."""
    return _pyarrow(path, skips=True)


def _pyarrow(path: Path, *, skips: bool) -> Reading[Arrow]:
    import pyarrow as pa
    from pyarrow import csv

    def skip(row: Arrow) -> str:
        rejected.append(str(row.text).encode(errors="surrogateescape"))
        return "skip"

    with path.open(encoding="utf-8") as file:
        columns = file.readline().rstrip().split(",")
    parse = csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip if skips else None)
    types = dict.fromkeys(columns, pa.string())
    convert = csv.ConvertOptions(column_types=types, strings_can_be_null=False, check_utf8=not skips)

    def read() -> Arrow:
        return csv.read_csv(path, parse_options=parse, convert_options=convert)

    rejected: list[bytes] = []
    return Reading(_whole(read), _frames_of_arrow, rejected)


def pandas(path: Path) -> "Reading[pd.DataFrame]":
    """pandas.read_csv(dtype=str, keep_default_na=False)."""
    import pandas as pd

    return Reading(_whole(lambda: pd.read_csv(path, dtype=str, keep_default_na=False)), _frames_of_pandas)


def pandas_skip(path: Path) -> "Reading[pd.DataFrame]":
    """pandas.read_csv(dtype=str, keep_default_na=False, on_bad_lines="skip", encoding_errors="replace")."""
    import pandas as pd

    def read() -> pd.DataFrame:
        return pd.read_csv(path, dtype=str, keep_default_na=False, on_bad_lines="skip", encoding_errors="replace")

    return Reading(_whole(read), _frames_of_pandas)


def csv(path: Path) -> Reading[list[str]]:
    """csv.reader, row by row."""
    return _csv(path, errors="strict")


def csv_replace(path: Path) -> Reading[list[str]]:
    """csv.reader, row by row, of a file opened with errors="replace"."""
    return _csv(path, errors="replace")


def _csv(path: Path, *, errors: str) -> Reading[list[str]]:
    from csv import reader

    def frames(rows: Iterable[list[str]]) -> "Iterator[pl.DataFrame]":
        import polars as pl

        left = iter(rows)
        while some := list(islice(left, _ROWS)):
            for width in {len(row) for row in some} - {0}:
                schema = {f"column_{number}": pl.String for number in range(width)}
                yield pl.DataFrame([row for row in some if len(row) == width], schema=schema, orient="row")

    rows = reader(path.open(encoding="utf-8", errors=errors, newline=""))
    next(rows)
    return Reading(rows, frames)


def _whole(read: Callable[[], Piece]) -> Iterator[Piece]:
    """One piece, read when it is asked for."""
    yield read()


def _frames_of_pandas(taken: "Iterable[pd.DataFrame]") -> "Iterator[pl.DataFrame]":
    import polars as pl

    yield from (pl.from_pandas(frame) for frame in taken)


def _frames_of_arrow(taken: Iterable[Arrow]) -> "Iterator[pl.DataFrame]":
    import polars as pl
    import pyarrow as pa

    def checked(chunk: Arrow) -> Arrow:
        """Text that was never checked to be UTF-8 would stop Polars, and is wrong in any case."""
        try:
            chunk.validate(full=True)
        except pa.ArrowInvalid:
            values = [value.decode(errors="replace") for value in chunk.cast(pa.binary()).to_pylist()]
            return pa.array(values, chunk.type)
        return chunk

    for piece in taken:
        table = piece if isinstance(piece, pa.Table) else pa.Table.from_batches([piece])
        columns = {
            name: pa.chunked_array([checked(chunk) for chunk in column.chunks], column.type)
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
        yield pl.DataFrame(columns)


CONTENDERS: Mapping[str, Callable[[Path], Reading[Any]]] = {
    "ours": ours,
    "polars": polars,
    "polars-lenient": polars_lenient,
    "duckdb": duckdb,
    "duckdb-rejects": duckdb_rejects,
    "duckdb-told": duckdb_told,
    "pyarrow": pyarrow,
    "pyarrow-skip": pyarrow_skip,
    "pandas": pandas,
    "pandas-skip": pandas_skip,
    "csv": csv,
    "csv-replace": csv_replace,
}
