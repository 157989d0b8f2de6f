"""The counter table of the app, as copied at a day's end, into rows of `MonthlySnapshots`."""

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl

from data_platform.contracts.login_history import LoginHistory
from data_platform.contracts.monthly_snapshots import MonthlySnapshots
from data_platform.contracts.outcome import Outcome
from data_platform.contracts.rejects import Rejects
from data_platform.contracts.tallies import Tallies
from data_platform.errors import PermanentError
from data_platform.logins import copied
from data_platform.logins.days import DAY, start_of

COUNTERS = "monthly_login_aggregates"
COUNTER_COLUMNS = ("user_type", "user_id", "year", "month", "num_logins", "device", "d_last_accessed")
HISTORY = "daily_login_aggregates"
HISTORY_COLUMNS = ("date", "user_type", "user_id", "num_logins", "device")

# The seconds of the years 1970 to 9999: what lies outside is no time of a login.
_NO_TIME_BEFORE, _NO_TIME_AFTER = 0, 253_402_300_799


class ColumnsMissing(PermanentError):
    """A table of the app is not there, or has lost a column."""


def prove_columns(table: str, there: Sequence[str], wanted: Sequence[str]) -> None:
    """Raises unless a table of the app has the columns that are read.

    Raises:
        ColumnsMissing: One sentence with those missing and those there.
    """
    if not there:
        raise ColumnsMissing(
            f"The app's database has no table {table}, or its user may not see it; nothing was read, check"
            " APP_DATABASE_URL and the user's rights."
        )
    if missing := [name for name in wanted if name not in there]:
        raise ColumnsMissing(
            f"The app's table {table} has no column {', '.join(missing)}, it has {', '.join(there)}; nothing was read,"
            " so have the column back, or give it its old name in a view."
        )


def conform(content: bytes, *, day: date, read_at: datetime, evidence_id: str, zone: str) -> Outcome:
    """The counters in a snapshot.

    Args:
        content: CSV with a header and the columns of `COUNTER_COLUMNS`.
        day: The day that had ended.
        read_at: When it was read (UTC).
        evidence_id: SHA-256 of the content.
        zone: IANA name of the zone that decides the day.

    Returns:
        Columns of `MonthlySnapshots`, and how many minutes after the day's end it was read. Rejects are
        `not_a_number`, `not_a_month`, `negative_counter` and `duplicate_key`: a month such as `6` is June, but where
        `06` is there as well nobody knows which counts.
    """
    text = copied.read(content)
    spellings = text["month"].unique()  # few, so that a million rows need no regular expression each
    meant = spellings.str.extract(r"^\s*(0?[1-9]|1[0-2])\s*$", 1).cast(pl.Int8)
    month_number = pl.col("month").replace_strict(spellings, meant, return_dtype=pl.Int8)
    typed = text.select(
        copied.RECORD_NO,
        "device",
        "user_type",
        pl.col("user_id", "num_logins", "year", "d_last_accessed").cast(pl.Int64, strict=False),
        month_number=month_number,
    ).with_columns(month=pl.date(pl.col("year"), pl.col("month_number"), 1))
    is_twice = pl.struct("user_id", "month", "device").is_duplicated()
    judged = typed.with_columns(
        reason=pl.when(pl.any_horizontal(pl.col("user_id", "num_logins", "year", "d_last_accessed").is_null()))
        .then(pl.lit("not_a_number"))
        .when(pl.col("month").is_null())
        .then(pl.lit("not_a_month"))
        .when(pl.col("num_logins") < 0)
        .then(pl.lit("negative_counter"))
        .when(is_twice)
        .then(pl.lit("duplicate_key"))
    )
    seconds = pl.col("d_last_accessed")
    is_time = seconds.is_between(_NO_TIME_BEFORE, _NO_TIME_AFTER)
    rows = judged.filter(pl.col("reason").is_null()).select(
        pl.lit(day).alias("day"),
        "month",
        "user_id",
        "device",
        "user_type",
        "num_logins",
        pl.when(is_time)
        .then(pl.from_epoch(seconds, time_unit="s"))
        .cast(pl.Datetime("us", "UTC"))
        .alias("last_login_at"),
        pl.lit(read_at).cast(pl.Datetime("us", "UTC")).alias("read_at"),
    )
    rejects = _rejects(judged.filter(pl.col("reason").is_not_null()), content, day, evidence_id, _WHY)
    late = (read_at - start_of(day + DAY, zone)).total_seconds() / 60
    return Outcome(
        rows.select(MonthlySnapshots.column_names()),
        rejects,
        _tally(day, evidence_id, text, rows, rejects),
        facts={"minutes_late": round(late, 2)},
    )


def conform_history(content: bytes, *, evidence_id: str) -> Outcome:
    """The older job's days, from a copy with the columns of `HISTORY_COLUMNS`; rejects as in `conform`."""
    if not content:  # the app has no such table
        return Outcome(LoginHistory.create_empty())
    text = copied.read(content)
    typed = text.select(
        copied.RECORD_NO,
        "device",
        "user_type",
        pl.col("user_id", "num_logins").cast(pl.Int64, strict=False),
        pl.col("date").str.to_date(strict=False).alias("day"),
    )
    judged = typed.with_columns(
        reason=pl.when(pl.any_horizontal(pl.col("user_id", "num_logins", "day").is_null()))
        .then(pl.lit("not_a_number"))
        .when(pl.col("num_logins") < 0)
        .then(pl.lit("negative_counter"))
        .when(pl.struct("day", "user_id", "device").is_duplicated())
        .then(pl.lit("duplicate_key"))
    )
    rows = judged.filter(pl.col("reason").is_null()).select(LoginHistory.column_names())
    rejects = _rejects(judged.filter(pl.col("reason").is_not_null()), content, None, evidence_id, _WHY)
    return Outcome(rows, rejects, _tally(None, evidence_id, text, rows, rejects))


_WHY = {
    "not_a_number": "A number, or a date, was expected in each of its columns but the names; correct it in the app.",
    "not_a_month": "A month from 01 to 12 was expected; correct it in the app.",
    "negative_counter": "A counter of 0 or more was expected; correct it in the app.",
    "duplicate_key": "Another row counts the same user, device and time, so nobody knows which is right; delete one.",
}


def _rejects(
    bad: pl.DataFrame, content: bytes, day: date | None, evidence_id: str, why: dict[str, str]
) -> pl.DataFrame:
    if bad.is_empty():
        return Rejects.create_empty()
    return (
        bad.join(copied.places(content), on=copied.RECORD_NO)
        .sort(copied.RECORD_NO)
        .select(
            pl.lit(day, dtype=pl.Date).alias("day"),
            pl.lit(evidence_id).alias("evidence_id"),
            copied.RECORD_NO,
            "line",
            "byte_from",
            "byte_to",
            pl.lit(1, dtype=pl.Int64).alias("num_records"),
            "reason",
            pl.col("reason").replace_strict(why, return_dtype=pl.String).alias("detail"),
        )
    )


def _tally(
    day: date | None, evidence_id: str, records: pl.DataFrame, rows: pl.DataFrame, rejects: pl.DataFrame
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "day": [day],
            "evidence_id": [evidence_id],
            "num_in": [records.height],
            "num_used": [rows.height],
            "num_rejected": [rejects.height],
            "num_duplicate": [0],
        },
        schema=Tallies.create_empty().schema,
    )
