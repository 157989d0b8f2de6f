"""The events of one UTC day alone into parts of sessions: what lies between two gaps, or between a gap and midnight.

The fast core of the product. What does not belong here: what comes of two parts that meet at midnight (`chains.py`).
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from data_platform.contracts.steps import STEPS
from data_platform.sessions.rules import Rules

KEY = ("anonymous_id", "device_id")
AT = {step: f"{step}_at" for step in STEPS} | {
    "started": "ride_started_at", "failed": "start_failed_at", "done": "ride_done_at",
}  # fmt: skip
"""For each step the column with the instant of its first event."""

RIDE_STEPS = ("started", "done", "rated")
COLUMNS = (*KEY, "created_at", "event_name", "zone", "app_version", "os_name")
"""The columns of `MobileEvents` that are read."""

_TIME = pl.Datetime("us", "UTC")
_OTHER, _UNKNOWN = len(STEPS), len(STEPS) + 1
_CODES = {step: code for code, step in enumerate(STEPS)} | {"other": _OTHER}
_IS_OF_RIDE = np.isin(np.arange(_UNKNOWN + 1), [_CODES[step] for step in RIDE_STEPS])
_BITS = 64
_NEVER = np.iinfo(np.int64).max

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """A day cut at gaps.

    Attributes:
        parts: One row a part: `KEY`, `started_at`, `ended_at`, `num_events`, the columns of `AT`, `num_other_events`,
            and `zone`, `app_version` and `os_name` of its first event.
        rides: One row for each event of a ride: `KEY`, `at`, `step`, in the order of time.
    """

    parts: pl.DataFrame
    rides: pl.DataFrame


def parts_of(events: pl.DataFrame, rules: Rules) -> Parts:
    """Cuts a day's events into parts.

    Each event becomes one number, its user and device above its row: rows lie in the order of time, so that sorting
    these numbers brings the events of each user together and in order, without sorting a text or a time.

    Args:
        events: Columns of `COLUMNS`, in the order of `created_at`, and of the other columns where that is the same.
        rules: What a gap and each event is.
    """
    step = _steps(events["event_name"], rules)
    rides = _rides(events, step)
    row, who = _by_user(events)
    at, step = events["created_at"].to_physical().to_numpy()[row], step[row]
    begins = np.ones(events.height, bool)
    begins[1:] = (who[1:] != who[:-1]) | (np.diff(at) >= rules.gap // timedelta(microseconds=1))
    first = np.flatnonzero(begins)
    part = np.cumsum(begins, dtype=np.int32) - 1
    last = np.append(first, events.height)[1:] - 1
    num_other = np.bincount(part[step == _UNKNOWN], minlength=len(first))
    firsts = np.full((_UNKNOWN + 1, len(first)), _NEVER)  # for each step, of each part
    np.minimum.at(firsts.ravel(), step.astype(np.int64) * len(first) + part, at)
    order = np.argsort(row[first])  # parts in the order of time: texts are then taken as they lie
    of_first = _rows(events.select(*KEY, "zone", "app_version", "os_name"), row[first])
    measures = {"num_events": last - first + 1, "num_other_events": num_other.astype(np.int64)}
    times = {"started_at": at[first], "ended_at": at[last]} | {AT[name]: firsts[_CODES[name]] for name in STEPS}
    parts = of_first.with_columns(
        *(pl.Series(name, values[order]) for name, values in measures.items()),
        *(_as_time(name, values[order]) for name, values in times.items()),
    )
    return Parts(parts, rides)


def ride_events(events: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """The events of rides, in their order: `KEY`, `at`, `step`.

    Args:
        events: Columns `KEY`, `created_at` and `event_name`.
        rules: What each event is.
    """
    return _rides(events, _steps(events["event_name"], rules))


def _rides(events: pl.DataFrame, step: npt.NDArray[np.uint8]) -> pl.DataFrame:
    is_of_ride = _IS_OF_RIDE[step]
    of_step = pl.Series("step", STEPS).gather(step[is_of_ride])
    return events.select(*KEY, at="created_at").filter(is_of_ride).with_columns(of_step)


def _rows(events: pl.DataFrame, rows: npt.NDArray[np.uint64]) -> pl.DataFrame:
    """Some rows as they lie: in that order a mask is several times as fast as numbers."""
    is_wanted = np.zeros(events.height, bool)
    is_wanted[rows] = True
    return events.filter(is_wanted)


def _steps(names: pl.Series, rules: Rules) -> npt.NDArray[np.uint8]:
    codes = np.array([_CODES[step] for step in rules.step_of.values()] + [_UNKNOWN], np.uint8)
    number = names.cast(pl.Enum([*rules.step_of]), strict=False).to_physical().cast(pl.UInt32)
    return codes[number.fill_null(len(codes) - 1).to_numpy()]


def _by_user(events: pl.DataFrame) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Rows ordered by user and device, then as they lie; and beside each a number of its user and device.

    The number is what of a hash has room above the row; where a second hash tells apart what this one does not, the
    users are counted instead.
    """
    hashes = events.select(
        first=pl.col(KEY[0]).hash(1) ^ pl.col(KEY[1]).hash(2), second=pl.col(KEY[0]).hash(3) ^ pl.col(KEY[1]).hash(4)
    )
    row, who = _ordered(hashes["first"].to_numpy())
    second = hashes["second"].to_numpy()[row]
    if (second[1:] != second[:-1])[who[1:] == who[:-1]].any():
        users = events.select(pl.struct(KEY).rank("dense")).to_series().to_numpy().astype(np.uint64)
        if int(users.max()).bit_length() + _row_bits(events.height) > _BITS:
            raise ValueError(f"a day of {events.height:,} events of {users.max():,} users does not fit into 64 bits")
        row, who = _ordered(users << np.uint64(_row_bits(events.height)))
    return row, who


def _ordered(users: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Sorts by the bits that have room above the row, then by row; the rows, and those bits."""
    bits = np.uint64(_row_bits(len(users)))
    mask = (np.uint64(1) << bits) - np.uint64(1)
    packed = (users & ~mask) | np.arange(len(users), dtype=np.uint64)
    packed.sort()
    return packed & mask, packed >> bits


def _row_bits(num_rows: int) -> int:
    return max(num_rows - 1, 1).bit_length()


def _as_time(name: str, microseconds: Ints) -> pl.Series:
    numbers = pl.Series(name, microseconds)
    return numbers.set(numbers == _NEVER, None).cast(_TIME)
