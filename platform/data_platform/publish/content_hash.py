"""A fingerprint of a frame's rows that does not depend on their order."""

import hashlib

import polars as pl
import polars_hash as plh

_LANES = 8
_HEX_PER_LANE = 8
_ROWS_PER_PART = 50_000


def content_hash(frame: pl.DataFrame) -> str:
    """SHA-256 over the lane-wise sum of the SHA-256 of each row, and the number of rows.

    Sums commute, so the order of rows does not matter; a row that stands twice counts twice. This is the additive
    multiset hash of Bellare and Micciancio ("A new paradigm for collision-free hashing", 1997) in eight 32-bit lanes.

    Args:
        frame: Rows with their columns in a fixed order; names and types enter the hash.

    Returns:
        64 hexadecimal digits, the same on every machine and for every version of the libraries.
    """
    row = plh.hash_rows(pl.all()).chash.sha2_256().alias("row")
    lanes = [
        pl.col("row").str.slice(lane * _HEX_PER_LANE, _HEX_PER_LANE).str.to_integer(base=16, dtype=pl.UInt64).sum()
        for lane in range(_LANES)
    ]
    # A row is hashed by one thread, so each thread gets a part of the rows; the sum of their sums is that of all.
    rows_per_part = max(frame.height // pl.thread_pool_size() + 1, _ROWS_PER_PART)
    parts = [*frame.iter_slices(rows_per_part)] or [frame]
    sums_of_parts = pl.collect_all(
        part.lazy().select(row).select(sum_.alias(str(lane)) for lane, sum_ in enumerate(lanes)) for part in parts
    )
    sums = pl.concat(sums_of_parts).sum().row(0)
    columns = [(name, str(dtype)) for name, dtype in frame.schema.items()]
    return hashlib.sha256(repr((columns, frame.height, sums)).encode()).hexdigest()
