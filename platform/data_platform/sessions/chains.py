"""Parts of days into whole sessions: what meets at midnight with less than the gap between is one.

What does not belong here: what a session was about (`verdicts.py`).
"""

from dataclasses import dataclass
from datetime import date

import polars as pl

from data_platform.sessions.days import DAY, Days, midnight
from data_platform.sessions.parts import AT, KEY


@dataclass(frozen=True)
class Chain:
    """The sessions that start on a day.

    Attributes:
        sessions: Columns of `Parts.parts`.
        begun_earlier: What at the day's beginning belongs to sessions of earlier days: `KEY` and `until`.
        gone_on: For each later day what of it belongs to sessions of this day: `KEY` and `until`.
    """

    sessions: pl.DataFrame
    begun_earlier: pl.DataFrame
    gone_on: dict[date, pl.DataFrame]


def chain(day: date, days: Days) -> Chain:
    """Puts together the sessions that start on a day, over as many midnights as they go on."""
    gap = days.rules.gap
    days.look_ahead(day)
    own = days.parts(day)
    near = own.filter(pl.col("started_at") < midnight(day) + gap)
    continuing = near.join(days.last_before(day), on=KEY).filter(pl.col("started_at") - pl.col("seen_at") < gap)
    begun_earlier = continuing.select(*KEY, until="ended_at")
    grown = own.join(continuing, on=[*KEY, "started_at"], how="anti") if continuing.height else own
    settled: list[pl.DataFrame] = []
    gone_on: dict[date, pl.DataFrame] = {}
    following = day + DAY
    while True:
        may_go_on = pl.col("ended_at") > midnight(following) - gap
        settled.append(grown.filter(~may_go_on))
        reaching = grown.filter(may_go_on)
        if reaching.is_empty() or not days.num_events.get(following):
            return Chain(pl.concat([*settled, reaching]), begun_earlier, gone_on)
        heads = days.parts(following).filter(pl.col("started_at") < midnight(following) + gap)
        met = reaching.join(heads, on=KEY, suffix="_next").filter(pl.col("started_at_next") - pl.col("ended_at") < gap)
        settled.append(reaching.join(met, on=KEY, how="anti"))
        if met.is_empty():
            return Chain(pl.concat(settled), begun_earlier, gone_on)
        gone_on[following] = met.select(*KEY, until="ended_at_next")
        grown = _joined(met).select(own.columns)
        following += DAY


def _joined(met: pl.DataFrame) -> pl.DataFrame:
    """A part and the next day's first one as one."""
    return met.with_columns(
        pl.col("ended_at_next").alias("ended_at"),
        *(pl.col(name) + pl.col(f"{name}_next") for name in ("num_events", "num_other_events")),
        *(pl.coalesce(name, f"{name}_next") for name in AT.values()),
    )
