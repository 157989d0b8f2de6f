"""CSV as Postgres copies it out: into text columns, and back to the place of a record in the bytes."""

import io
from collections.abc import Iterator

import polars as pl

RECORD_NO = "record_no"
_PLACES = {RECORD_NO: pl.Int64, "line": pl.Int64, "byte_from": pl.Int64, "byte_to": pl.Int64}


def read(content: bytes) -> pl.DataFrame:
    """The records of a copy, every value as text, with `record_no` from 1; no value is null."""
    frame = pl.read_csv(content, infer_schema=False, empty_string_is_null=False)
    return frame.with_row_index(RECORD_NO, offset=1).with_columns(pl.col(RECORD_NO).cast(pl.Int64))


def places(content: bytes) -> pl.DataFrame:
    """Where each record of a copy lies: columns `record_no`, `line`, `byte_from` and `byte_to`.

    Slow, and meant for the rare copy with records that cannot be used.
    """
    _header, *records = _spans(content)
    return pl.DataFrame([(number, *span) for number, span in enumerate(records, start=1)], schema=_PLACES, orient="row")


def _spans(content: bytes) -> Iterator[tuple[int, int, int]]:
    # A record goes on while the number of its quotes is odd: Postgres doubles those inside a value.
    line, start, end, is_open = 1, 0, 0, False
    for number, text in enumerate(io.BytesIO(content), start=1):
        end += len(text)
        is_open ^= text.count(b'"') % 2 == 1
        if not is_open:
            yield line, start, end
            line, start = number + 1, end
