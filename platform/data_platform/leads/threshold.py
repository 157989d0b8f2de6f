"""When a file holds so many bad records that nothing of it may be used: each source's `max_reject_share`.

What does not belong here: what makes a record bad (`intake/`, `leads/conform.py`).
"""

from collections.abc import Iterable, Sequence
from datetime import date

import polars as pl

from data_platform.errors import PermanentError
from data_platform.leads.sources import Source


class DeliveryHeld(PermanentError):
    """More records of a file cannot be used than its source allows; nothing of its day was published."""


def hold(name: str, day: date, source: Source, num_records: int, rejects: Iterable[pl.DataFrame]) -> None:
    """Raises if more of a file's records are rejects than its source allows.

    Args:
        name: The file, as people call it.
        day: Its delivery day.
        source: Whose layout it has.
        num_records: Records in the file.
        rejects: Columns `reason` and `line`, one row a bad record.

    Raises:
        DeliveryHeld: One sentence with the file, the share, the most frequent reason and the way out.
    """
    bad = pl.concat(frame.select("reason", "line") for frame in rejects)
    if not _is_over(bad.height, num_records, source):
        return
    by_reason = bad.group_by("reason").agg(pl.len().alias("num_rejects"), pl.col("line").min())
    reason, often, line = by_reason.sort("num_rejects", "reason", descending=[True, False]).row(0)
    raise DeliveryHeld(
        f"{name}, delivered on {day} by {source.name}: {bad.height:,} of {num_records:,} records"
        f" ({_percent(bad.height / num_records)}) cannot be used, which is more than the"
        f" {_percent(source.max_reject_share)} that `max_reject_share` of {source.name}.yaml allows, most often"
        f" ({often:,}) for {reason}, first on line {line}; nothing of {day} was published, so correct"
        f" {source.name}.yaml, have the sender put a corrected file in its place under the same name, or raise"
        " `max_reject_share`, then run `data-platform run`."
    )


def hold_files(raw: pl.DataFrame, rejects: pl.DataFrame, sources: Sequence[Source]) -> None:
    """Raises for the first file in `raw` of which more records are rejects than its source allows.

    `raw_leads` lets no such file in; it is there all the same once a later layout reads its records worse.

    Args:
        raw: Columns of `RawLeads`.
        rejects: Columns of `Rejects`, of those records.
        sources: The layouts that are known.

    Raises:
        DeliveryHeld: The sentence names the file by its evidence.
    """
    by_name = {source.name: source for source in sources}
    files = raw.group_by("evidence_id", "source").agg(pl.len().alias("num_records"), pl.col("day").min())
    bad = rejects.group_by("evidence_id").agg(pl.len().alias("num_rejects"))
    for file in files.join(bad, on="evidence_id").sort("day", "evidence_id").iter_rows(named=True):
        source = by_name[file["source"]]
        if _is_over(file["num_rejects"], file["num_records"], source):
            of_file = rejects.filter(pl.col("evidence_id") == file["evidence_id"])
            hold(f"Evidence {file['evidence_id'][:12]}", file["day"], source, file["num_records"], [of_file])


def _is_over(num_rejects: int, num_records: int, source: Source) -> bool:
    # Divided, not multiplied: 29 of 100 are exactly the 0.29 that a layout says, and 0.29 times 100 is less than 29.
    return num_rejects > 0 and num_rejects / num_records > source.max_reject_share


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"
