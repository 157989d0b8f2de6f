"""Contract of `logins.daily_logins`."""

import dataframely as dy
import polars as pl

from data_platform.contracts.contract import Contract

STATUSES = ("exact", "bounded", "imputed", "baseline")
REASONS = (
    "late_read", "missing_snapshot", "history", "no_earlier_snapshot", "clock", "correction", "reset", "row_returned",
    "row_was_rejected",
)  # fmt: skip


class DailyLogins(dy.Schema):
    """How often a user logged in with a device on a day, and how sure that is: one row a counter and day, zeros too."""

    day = dy.Date(primary_key=True, description="The day, in BUSINESS_TIMEZONE.")
    user_id = dy.Int64(primary_key=True, description="User, as the app numbers them.")
    device = dy.String(primary_key=True, description="Device, as the app names it.")
    user_type = dy.String(description="Kind of user, as the app names it.")
    num_logins = dy.Int64(min=0, description="Logins of the day: the number itself, or the best estimate.")
    low = dy.Int64(min=0, description="The true number is not lower.")
    high = dy.Int64(nullable=True, min=0, description="The true number is not higher; null after a reset: unknown.")
    status = dy.String(
        regex=f"^({'|'.join(STATUSES)})$",
        description=(
            "exact: low = high; bounded: between two snapshots; baseline: between the month's start and the first"
            " snapshot; imputed: the estimate is from the older job's days."
        ),
    )
    reason = dy.String(
        nullable=True,
        regex=f"^({'|'.join(REASONS)})$",
        description="Why it is not exact, or why the counter fell; null where there is nothing to say.",
    )
    correction = dy.Int64(
        description="What the counter moved beside the logins, as after a correction, a reset or a row that came back."
    )
    num_later = dy.Int64(description="Of the later snapshot's counter, what came after the day.")
    from_snapshot = dy.Date(nullable=True, description="Day of the earlier snapshot; null for the month's start.")
    to_snapshot = dy.Date(description="Day of the later snapshot: the day itself, or the next that was taken.")

    @dy.rule()
    def number_is_within_its_bounds(cls) -> pl.Expr:
        """The number lies in [low, high]."""
        return (pl.col("low") <= pl.col("num_logins")) & (pl.col("num_logins") <= pl.col("high")).fill_null(value=True)

    @dy.rule()
    def exact_is_exact(cls) -> pl.Expr:
        """A number is called exact where its bounds meet, and only there."""
        return (pl.col("status") == "exact") == (pl.col("low") == pl.col("high")).fill_null(value=False)

    @dy.rule()
    def doubt_has_a_reason(cls) -> pl.Expr:
        """What is not exact says why."""
        return (pl.col("status") == "exact") | pl.col("reason").is_not_null()


CONTRACT = Contract(table="logins.daily_logins", rows=DailyLogins, kept_in="warehouse", day="day")
