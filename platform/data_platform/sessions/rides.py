"""Rides out of the events that start, end and rate them, wherever gaps and midnights fall."""

from datetime import timedelta

import polars as pl

from data_platform.sessions.parts import KEY


def rides_of(events: pl.DataFrame, longest: timedelta) -> pl.DataFrame:
    """Pairs each start of a ride with its end.

    A ride begins at each start and has whatever comes before the user's next start on that device, if no more than the
    longest ride lies between. Of events of the same instant a start comes first.

    Args:
        events: Columns `KEY`, `at`, `step` (started, done or rated), of a stretch of time that holds all of the rides.
        longest: The most time between a start and an end.

    Returns:
        One row a ride: `KEY`, `ride_at`, `done_at` and `rated_at`, the first of each or null.
    """
    started, at = pl.col("step") == "started", pl.col("at")
    ordered = events.unique().sort(*KEY, "at", started.not_(), "step").with_columns(ride=started.cum_sum())
    starts = ordered.filter(started).select(*KEY, "ride", ride_at="at")
    # Numbered through, so that a number says which start came last; what comes before a user's first one has another's.
    ends = ordered.filter(started.not_()).join(starts, on=["ride", *KEY], maintain_order="left")
    in_time = ends.filter(at - pl.col("ride_at") <= longest)
    of_step = {
        step: in_time.filter(pl.col("step") == step)
        .unique("ride", keep="first", maintain_order=True)
        .select("ride", pl.col("at").alias(f"{step}_at"))
        for step in ("done", "rated")
    }
    with_done = starts.join(of_step["done"], on="ride", how="left")
    return with_done.join(of_step["rated"], on="ride", how="left").drop("ride")
