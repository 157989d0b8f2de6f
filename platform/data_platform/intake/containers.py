"""Records with named fields, whatever they came in: delimited text, JSON lines or Parquet, each also in gzip.

What does not belong here: how delimited text is read (`reader.py`), and what a field means (the products).
"""

import codecs
import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

import polars as pl

from data_platform.intake.batches import REJECTS, field_names
from data_platform.intake.gzipped import Content, Lost
from data_platform.intake.opening import NotDelimitedText
from data_platform.intake.reader import read

PLACE = ("record_no", "line", "byte_from", "byte_to")
_PARQUET, _BLOCK_BYTES, _ROWS_AT_ONCE = b"PAR1", 4 * 2**20, 500_000


class UnknownLayout(ValueError):
    """A file does not have the columns that are read.

    Attributes:
        num_records: How many records it holds.
    """

    reason = "unknown_layout"

    def __init__(self, message: str, num_records: int) -> None:
        super().__init__(message)
        self.num_records = num_records


@dataclass(frozen=True)
class NamedBatch:
    """Neighbouring records and rejects of a file.

    Attributes:
        records: Columns of `PLACE`, and one for each name: text, null where the record does not say. Spans are of the
            file, or of its content where it came in gzip; a record of a Parquet file has no line, and the whole file
            as its span.
        rejects: Columns of `batches.REJECTS`.
    """

    records: pl.DataFrame
    rejects: pl.DataFrame


def read_named(chunks: Iterable[bytes], names: Sequence[str]) -> Iterator[NamedBatch]:
    """Reads the records of a file, in whichever of the known forms it is, by the names of their fields.

    Fields beside those named are passed over. Records that cannot be read are rejects, with the reasons of
    `intake.read`, and `not_json` and `broken_gzip`.

    Args:
        chunks: The file's bytes.
        names: Of the fields.

    Raises:
        NotDelimitedText: The file is empty, or nothing that can be read.
        UnknownLayout: A field is not among its columns.
    """
    content = Content(chunks)
    stream = iter(content)
    head = b""
    while not head.strip() and (chunk := next(stream, b"")):
        head += chunk
    whole = itertools.chain([head], stream)
    if head.startswith(_PARQUET):
        yield from _parquet(b"".join(whole), names)
    elif head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{"):
        yield from _json_lines(whole, names)
    elif head or not content.lost:
        yield from _delimited(whole, names)
    if content.lost:
        yield NamedBatch(_no_records(names), _cut_off(content.lost))


def further_tables(structure: pl.DataFrame) -> pl.DataFrame:
    """A reject for each further table below the records of a file: nobody has said what it holds.

    Args:
        structure: Columns of `batches.STRUCTURE`.
    """
    detail = "expected records or the end of the file, found a further table; load it as a file of its own"
    return structure.filter(pl.col("kind") == "table").select(
        pl.lit(None, pl.Int64).alias("record_no"),
        "line",
        "byte_from",
        "byte_to",
        pl.col("num_lines").alias("num_records"),
        pl.lit("further_table").alias("reason"),
        pl.lit(detail).alias("detail"),
    )


def _no_records(names: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(PLACE, pl.Int64) | dict.fromkeys(names, pl.String))


def _cut_off(lost: Lost) -> pl.DataFrame:
    detail = "the compressed file ends or breaks here; have it sent again"
    return pl.DataFrame([(None, *lost, 1, "broken_gzip", detail)], schema=REJECTS, orient="row")


def _delimited(chunks: Iterable[bytes], names: Sequence[str]) -> Iterator[NamedBatch]:
    reading = read(chunks, names=names)
    header = [name.strip() for name in reading.header.names] if reading.header else []
    wrong = [name for name in names if header.count(name) != 1]
    if wrong or len(header) != reading.width:
        num_records = sum(batch.records.height + batch.rejects.height for batch in reading)
        if not header:
            raise UnknownLayout("no line of it reads like a header; see that the file has its header line", num_records)
        if len(header) != reading.width:
            raise UnknownLayout(f"its header has {len(header)} names, its records {reading.width} fields", num_records)
        raise UnknownLayout(
            f"its header does not have {', '.join(wrong)}, or more than once, among {len(header)} names", num_records
        )
    fields = field_names(reading.width)
    wanted = {fields[header.index(name)]: name for name in names}
    for batch in reading:
        records = batch.records.select(*PLACE, *wanted).rename(wanted)
        yield NamedBatch(records, pl.concat([batch.rejects, further_tables(batch.structure)]))


def _json_lines(chunks: Iterable[bytes], names: Sequence[str]) -> Iterator[NamedBatch]:
    schema = dict.fromkeys(PLACE, pl.Int64) | dict.fromkeys(names, pl.String)
    line_no, begin, record_no = 0, 0, 0
    for block in _blocks(chunks):
        good: list[tuple[object, ...]] = []
        bad: list[tuple[object, ...]] = []
        # Line by line: read together, a broken line can lend its brackets to its neighbours.
        for line in _lines(block):
            line_no, end = line_no + 1, begin + len(line)
            if line.strip():
                record_no += 1
                values = _values(line if begin else line.removeprefix(codecs.BOM_UTF8), names)
                place = (record_no, line_no, begin, end)
                if values is None:
                    bad.append((*place, 1, "not_json", "expected a JSON object of plain values on one line"))
                else:
                    good.append((*place, *values))
            begin = end
        found = _without_nul(pl.DataFrame(good, schema=schema, orient="row"), names)
        rejects = pl.DataFrame(bad, schema=REJECTS, orient="row")
        yield NamedBatch(found.records, pl.concat([rejects, found.rejects]))


def _lines(block: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in block.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _values(line: bytes, names: Sequence[str]) -> list[str | None] | None:
    """The values of an object's fields as text, numbers as they are written; None where it is no such object."""
    try:
        found = json.loads(line.decode(), parse_int=str, parse_float=str)
        values = [found.get(name) for name in names]
        texts = [str(value).lower() if isinstance(value, bool) else value for value in values]
        "".join(text or "" for text in texts).encode()  # an escaped half of a surrogate pair is no text
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None
    return texts


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks of whole lines."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= _BLOCK_BYTES and (end := chunk.rfind(b"\n") + 1):
            yield b"".join([*parts[:-1], chunk[:end]])
            parts, size = [chunk[end:]], len(chunk) - end
    if size:
        yield b"".join(parts)


def _parquet(content: bytes, names: Sequence[str]) -> Iterator[NamedBatch]:
    _prove_readable(content)
    table = pl.scan_parquet(BytesIO(content))
    schema = table.collect_schema()
    num_records: int = table.select(pl.len()).collect().item()
    if missing := [name for name in names if name not in schema]:
        raise UnknownLayout(f"it has no column {', '.join(missing)}", num_records)
    texts = [_as_text(name, schema[name]) for name in names]
    for begin in range(0, max(num_records, 1), _ROWS_AT_ONCE):
        records = table.slice(begin, _ROWS_AT_ONCE).select(texts).with_row_index("record_no", begin + 1)
        located = records.with_columns(line=None, byte_from=0, byte_to=len(content)).select(*PLACE, *names)
        yield _without_nul(located.cast(dict.fromkeys(PLACE, pl.Int64)).collect(), names)


def _prove_readable(content: bytes) -> None:
    """Lets another process read a file first: a damaged one can panic, or abort the process that reads it."""
    trial = "import io, sys, polars; polars.read_parquet(io.BytesIO(sys.stdin.buffer.read()))"
    command = [sys.executable, "-c", trial]
    done = subprocess.run(command, input=content, capture_output=True, check=False)  # noqa: S603 (our own words)
    if done.returncode == -signal.SIGKILL:
        raise MemoryError("the process that reads a Parquet file first was killed; have more memory, and run it again")
    if done.returncode:
        raise NotDelimitedText("not_text", "expected a Parquet file, found a damaged one; have it sent again")


def _without_nul(records: pl.DataFrame, names: Sequence[str]) -> NamedBatch:
    """A NUL is no text that a database takes."""
    has_nul = pl.any_horizontal(pl.col(name).str.contains("\0", literal=True) for name in names).fill_null(value=False)
    detail = "expected text, found a NUL in it; ask the sender"
    account = {"num_records": pl.lit(1, pl.Int64), "reason": pl.lit("nul_byte"), "detail": pl.lit(detail)}
    return NamedBatch(records.filter(~has_nul), records.filter(has_nul).select(*PLACE, **account))


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        zoned = column.dt.convert_time_zone("UTC") if dtype.time_zone else column
        return zoned.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f" + ("Z" if dtype.time_zone else ""))
    return column.cast(pl.String)
