"""Contract of `logins.monthly_snapshots`."""

import dataframely as dy
import polars as pl

from data_platform.contracts.contract import Contract


class MonthlySnapshots(dy.Schema):
    """A counter of logins in a month, by user and device, as the app's database held it when a day had ended."""

    day = dy.Date(primary_key=True, description="The day that had ended, in BUSINESS_TIMEZONE.")
    month = dy.Date(primary_key=True, description="First day of the month that the counter counts.")
    user_id = dy.Int64(primary_key=True, description="User, as the app numbers them.")
    device = dy.String(primary_key=True, description="Device, as the app names it.")
    user_type = dy.String(description="Kind of user, as the app names it.")
    num_logins = dy.Int64(min=0, description="Logins counted in the month until it was read.")
    last_login_at = dy.Datetime(
        time_unit="us",
        time_zone="UTC",
        nullable=True,
        description="When the app last counted a login, by its clock, in whole seconds; null when it says no time.",
    )
    read_at = dy.Datetime(time_unit="us", time_zone="UTC", description="When it was read, by the database's clock.")

    @dy.rule()
    def month_is_named_by_its_first_day(cls) -> pl.Expr:
        """`month` is the first day of a month."""
        return pl.col("month").dt.day() == 1

    @dy.rule()
    def read_after_the_day(cls) -> pl.Expr:
        """Nothing is read before the day has ended, at the earliest zone's midnight."""
        return pl.col("read_at") > pl.col("day").cast(pl.Datetime("us", "UTC")) + pl.duration(hours=9)


CONTRACT = Contract(table="logins.monthly_snapshots", rows=MonthlySnapshots, kept_in="lake", day="day")
