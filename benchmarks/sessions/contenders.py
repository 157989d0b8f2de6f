"""The ways from days of events to sessions: each reads one Parquet file a day and writes Parquet files of sessions.

A session's columns are those of `COLUMNS`; who writes more has these among them. Libraries, ours included, are imported
where they are used, so that a process has nothing of another contender in its memory and its time.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from data_platform.sessions.days import Days

COLUMNS = (
    "anonymous_id",
    "device_id",
    "started_at",
    "ended_at",
    "num_events",
    "looked_at",
    "ride_started_at",
    "plain_booked",
)
_ZONE = "America/Los_Angeles"
_LOOKED, _STARTED, _BOOKED = 1, 2, 3  # from `_STARTED` on, an event is a booking by the plain reading


@dataclass(frozen=True)
class Task:
    """What is to be done.

    Attributes:
        days: Parquet files with the columns of `MobileEvents`, such as `2026-09-01.parquet`, in order.
        into: A folder for sessions.
        gap_us: As many microseconds without an event begin a new session.
        looked: Names of events that look for a ride.
        started: Of those that start one.
        booked: Of those that are a booking by the plain reading.
    """

    days: list[Path]
    into: Path
    gap_us: int
    looked: list[str]
    started: list[str]
    booked: list[str]

    @property
    def file(self) -> Path:
        """For those that write one."""
        return self.into / "sessions.parquet"


Way = Callable[[Task], float | None]
"""Does a task; its seconds without imports, of those that are compared by them."""


def ours(task: Task) -> None:
    """The product's core: each day into parts, and the parts into sessions."""
    import polars as pl

    from data_platform.ahead import read_ahead
    from data_platform.sessions.chains import chain
    from data_platform.sessions.parts import AT

    known = _known(task)
    plain = pl.any_horizontal(pl.col(AT[step]).is_not_null() for step in known.rules.plain_booked)
    made = ((day, chain(day, known).sessions.with_columns(plain_booked=plain)) for day in known.num_events)
    for day, sessions in read_ahead(made):
        _write(task, day, sessions.select(COLUMNS))


def ours_whole(task: Task) -> float:
    """All that the product says of a session: rides, verdict, id, and all columns."""
    return _judge(task, slice(None))


def new_day(task: Task) -> float:
    """The same for the last two of one day more, by themselves: what is to be done when that day arrives."""
    return _judge(task, slice(-2, None))


def bare(task: Task) -> None:
    """The floor: Polars reads the same columns, sorts as many random numbers, and writes about as many rows."""
    import numpy as np
    import polars as pl

    read = ["anonymous_id", "device_id", "created_at", "event_name", "zone", "app_version", "os_name"]
    events = pl.scan_parquet(task.days).select(read).collect()
    pl.Series(np.random.default_rng(1).integers(0, 2**64, events.height, dtype=np.uint64)).sort()
    some = events.gather_every(7).select(
        "anonymous_id",
        "device_id",
        *(pl.col("created_at").alias(name) for name in ("started_at", "ended_at", "looked_at")),
        num_events=pl.lit(1, pl.Int64),
        ride_started_at=pl.lit(None, pl.Datetime("us", "UTC")),
        plain_booked=pl.lit(value=False),
    )
    some.write_parquet(task.file, compression="zstd")


def duckdb(task: Task) -> None:
    """DuckDB, a sorted list a user, cut by list functions: the fastest of five statements tried."""
    _duckdb(task, _LISTS)


def duckdb_windows(task: Task) -> None:
    """DuckDB with lag and a running sum, by a hash of the ids: half the work of windows by the ids themselves."""
    _duckdb(task, _WINDOWS)


def _duckdb(task: Task, statement: str) -> None:
    import duckdb

    sessions = statement.format(
        events=f"read_parquet({[str(path) for path in task.days]})",
        event=f"epoch_us(created_at) * 4 + {_event_code(task)}",
        gap=task.gap_us,
    )
    duckdb.connect().execute(f"COPY ({sessions}) TO '{task.file}' (FORMAT parquet, COMPRESSION zstd)")


def clickhouse(task: Task) -> None:
    """ClickHouse inside the process (chDB), groupArray and arraySplit: less than half the work of its windows."""
    import chdb  # pyright: ignore[reportMissingImports]

    names = ",".join(path.name for path in task.days)
    sessions = _ARRAYS.format(
        events=f"file('{task.days[0].parent}/{{{names}}}', Parquet)",
        event=f"toUnixTimestamp64Micro(created_at) * 4 + {_event_code(task)}",
        gap=task.gap_us,
    )
    chdb.query(
        f"{sessions} INTO OUTFILE '{task.file}' FORMAT Parquet"
        " SETTINGS output_format_parquet_compression_method = 'zstd'"
    )


def pandas(task: Task) -> None:
    """pandas: users and devices numbered, one sort by number and time, gaps by diff, one group_by."""
    import numpy as np
    import pandas as pd

    read = ["anonymous_id", "device_id", "created_at", "event_name"]
    events = pd.concat([pd.read_parquet(path, columns=read) for path in task.days], ignore_index=True)
    who = events.groupby(["anonymous_id", "device_id"], sort=False).ngroup().to_numpy()
    order = np.lexsort((events["created_at"].to_numpy(), who))
    events, who = events.iloc[order].reset_index(drop=True), who[order]
    begins = np.append(
        True, (np.diff(who) != 0) | (np.diff(events["created_at"].to_numpy()) >= np.timedelta64(task.gap_us, "us"))
    )
    name, at = events["event_name"], events["created_at"]
    columns = {
        "anonymous_id": events["anonymous_id"],
        "device_id": events["device_id"],
        "started_at": at,
        "ended_at": at,
        "looked_at": at.where(name.isin(task.looked)),
        "ride_started_at": at.where(name.isin(task.started)),
        "plain_booked": name.isin(task.booked),
    }
    grouped = pd.DataFrame(columns).groupby(np.cumsum(begins), sort=False)
    sessions = grouped.agg(
        dict.fromkeys(columns, "first") | {"ended_at": "last", "plain_booked": "any"}
    ).assign(num_events=grouped.size())  # fmt: skip
    sessions.to_parquet(task.file, compression="zstd", index=False)


def _known(task: Task) -> "Days":
    import polars as pl

    from data_platform.sessions import rules
    from data_platform.sessions.days import Days

    paths = {date.fromisoformat(path.stem): path for path in task.days}
    counts = pl.collect_all(pl.scan_parquet(path).select(pl.len()) for path in paths.values())
    num_events = dict(zip(paths, (count.item() for count in counts), strict=True))
    return Days(num_events, lambda day: pl.scan_parquet(paths[day]), rules.load())


def _judge(task: Task, days: slice) -> float:
    from data_platform.ahead import read_ahead
    from data_platform.sessions.sessionise import sessions_of

    began = time.perf_counter()
    known = _known(task)
    made = ((day, sessions_of(day, known, _ZONE)) for day in sorted(known.num_events)[days])
    for day, outcome in read_ahead(made):
        _write(task, day, outcome.rows)
    return time.perf_counter() - began


def _write(task: Task, day: date, sessions: "pl.DataFrame") -> None:
    sessions.write_parquet(task.into / f"{day}.parquet", compression="zstd")


def _event_code(task: Task) -> str:
    codes = {_LOOKED: task.looked, _STARTED: task.started, _BOOKED: task.booked}
    cases = [f"WHEN event_name IN ({_quoted(names)}) THEN {code}" for code, names in codes.items()]
    return f"CASE {' '.join(cases)} ELSE 0 END"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


# An event is one number: its microseconds, and below them what it is. Equal numbers are equal events, so that a sorted
# list has no ties; in a window they stand in any order, and the running sum, which takes all of one instant together,
# begins no session between them.
_LISTS = f"""
WITH
users AS (SELECT anonymous_id, device_id, list_sort(list({{event}})) AS events FROM {{events}} GROUP BY ALL),
cut AS (
    SELECT *, list_filter(range(1, len(events) + 1),
        lambda i: i = 1 OR (events[i] >> 2) - (events[i - 1] >> 2) >= {{gap}}) AS begins
    FROM users
),
sessions AS (
    SELECT anonymous_id, device_id, unnest(list_transform(begins,
        lambda begin, i: events[begin:coalesce(begins[i + 1] - 1, len(events))])) AS events
    FROM cut
)
SELECT
    anonymous_id,
    device_id,
    make_timestamptz(events[1] >> 2) AS started_at,
    make_timestamptz(events[-1] >> 2) AS ended_at,
    len(events) AS num_events,
    make_timestamptz(list_filter(events, lambda event: event & 3 = {_LOOKED})[1] >> 2) AS looked_at,
    make_timestamptz(list_filter(events, lambda event: event & 3 = {_STARTED})[1] >> 2) AS ride_started_at,
    len(list_filter(events, lambda event: event & 3 >= {_STARTED})) > 0 AS plain_booked
FROM sessions"""
_WINDOWS = f"""
WITH
events AS (SELECT hash(anonymous_id, device_id) AS who, {{event}} AS event FROM {{events}}),
users AS (
    SELECT hash(anonymous_id, device_id) AS who, any_value(anonymous_id) AS anonymous_id,
        any_value(device_id) AS device_id
    FROM {{events}} GROUP BY who
),
cut AS (
    SELECT *, coalesce((event >> 2) - lag(event >> 2) OVER (PARTITION BY who ORDER BY event) >= {{gap}}, true) AS begins
    FROM events
),
numbered AS (
    SELECT who, event >> 2 AS happened, event & 3 AS code,
        sum(begins::INT) OVER (PARTITION BY who ORDER BY event RANGE UNBOUNDED PRECEDING) AS number
    FROM cut
),
sessions AS (
    SELECT
        who,
        make_timestamptz(min(happened)) AS started_at,
        make_timestamptz(max(happened)) AS ended_at,
        count(*) AS num_events,
        make_timestamptz(min(happened) FILTER (code = {_LOOKED})) AS looked_at,
        make_timestamptz(min(happened) FILTER (code = {_STARTED})) AS ride_started_at,
        bool_or(code >= {_STARTED}) AS plain_booked
    FROM numbered GROUP BY who, number
)
SELECT anonymous_id, device_id, sessions.* EXCLUDE who FROM sessions JOIN users USING (who)"""
_TIME = "fromUnixTimestamp64Micro(bitShiftRight({}, 2), 'UTC')"
_FIRST = "arrayFirst(event -> bitAnd(event, 3) = {}, events)"
_ARRAYS = f"""
WITH
users AS (
    SELECT anonymous_id, device_id, arraySort(groupArray({{event}})) AS events FROM {{events}}
    GROUP BY anonymous_id, device_id
),
sessions AS (
    SELECT anonymous_id, device_id, arrayJoin(arraySplit((event, passed) -> passed >= {{gap}}, events,
        arrayDifference(arrayMap(event -> bitShiftRight(event, 2), events)))) AS events
    FROM users
)
SELECT
    anonymous_id,
    device_id,
    {_TIME.format("events[1]")} AS started_at,
    {_TIME.format("events[-1]")} AS ended_at,
    length(events) AS num_events,
    {_FIRST.format(_LOOKED)} AS looked,
    {_FIRST.format(_STARTED)} AS ride_started,
    if(looked = 0, NULL, {_TIME.format("looked")}) AS looked_at,
    if(ride_started = 0, NULL, {_TIME.format("ride_started")}) AS ride_started_at,
    arrayExists(event -> bitAnd(event, 3) >= {_STARTED}, events) AS plain_booked
FROM sessions"""

CONTENDERS: Mapping[str, Way] = {
    "ours": ours,
    "ours-whole": ours_whole,
    "new-day": new_day,
    "duckdb": duckdb,
    "duckdb-windows": duckdb_windows,
    "clickhouse": clickhouse,
    "pandas": pandas,
    "bare": bare,
}
