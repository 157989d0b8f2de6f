"""Frames as Parquet objects, named by their content. What does not belong here: which of them are current."""

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import IO, Any, cast

import polars as pl
import pyarrow.parquet as pq

from data_platform.lake.store import Store


def write(lake: Store, key: str, frame: pl.DataFrame, *, rows_per_group: int | None = None) -> int:
    """Stores a frame as Parquet unless the key, which names its content, exists already in the same size.

    Args:
        lake: Where to.
        key: Names the content.
        frame: The rows.
        rows_per_group: So many are read together, or passed over; Polars decides by default.

    Returns:
        Size of the object in bytes.
    """
    buffer = BytesIO()
    # Level 2 is as small as the default of 3 on what the platform stores, in two thirds of the time.
    frame.write_parquet(buffer, compression="zstd", compression_level=2, statistics=True, row_group_size=rows_per_group)
    content = buffer.getvalue()
    size = lake.size(key)
    if size != len(content):
        lake.create(key, content, replace=size is not None)
    return len(content)


def scan(lake: Store, keys: Sequence[str]) -> pl.LazyFrame:
    """The rows of several Parquet objects of the same columns, read only where they are needed."""
    locations = [lake.location(key) for key in keys]
    return pl.scan_parquet(locations, storage_options=lake.polars_options or None, glob=False, hive_partitioning=False)


def write_stream(file: IO[bytes], columns: pl.Schema, frames: Iterable[pl.DataFrame]) -> None:
    """Writes frames as one Parquet file, one after the other: never two of them in memory."""
    empty = _arrow(pl.DataFrame(schema=columns))
    with pq.ParquetWriter(file, empty.schema, compression="zstd", compression_level=1, store_schema=False) as writer:
        for frame in frames:
            writer.write_table(_arrow(frame), row_group_size=max(frame.height, 1))
    file.flush()


def read_stream(file: IO[bytes], *, rows_at_a_time: int = 2**16) -> Iterator[pl.DataFrame]:
    """The rows of such a file, in frames."""
    file.seek(0)
    batches = cast("Iterable[Any]", pq.ParquetFile(file).iter_batches(batch_size=rows_at_a_time))
    for batch in batches:
        yield cast("pl.DataFrame", pl.from_arrow(batch))


def _arrow(frame: pl.DataFrame) -> Any:  # noqa: ANN401 (pyarrow ships no types)
    return cast("Any", frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
