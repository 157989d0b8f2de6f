"""What a product's function gives back: rows, what could not become rows, and the sum over both.

What does not belong here: storing any of it (`publish/`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from data_platform.contracts.rejects import Rejects
from data_platform.contracts.tallies import Tallies


@dataclass(frozen=True)
class Stored:
    """Where rows that are published already lie, and what they hash to, by the books."""

    content_hash: str
    object_key: str
    num_bytes: int


@dataclass(frozen=True)
class Outcome:
    """The rows of a table, the rejects beside them, and the account of every input.

    Attributes:
        rows: Columns of the table's contract.
        rejects: Columns of `Rejects`; none by default.
        tally: Columns of `Tallies`: for each evidence and day, in = used + rejected + duplicate.
        facts: Numbers about the rows that the UI plots over days, by name.
        stored: Days of a table in the lake whose rows are exactly those that were read of its current version: they
            are neither hashed nor written again.
    """

    rows: pl.DataFrame
    rejects: pl.DataFrame = field(default_factory=Rejects.create_empty)
    tally: pl.DataFrame = field(default_factory=Tallies.create_empty)
    facts: dict[str, float] = field(default_factory=dict[str, float])
    stored: Mapping[date, Stored] = field(default_factory=dict[date, Stored])


@dataclass(frozen=True)
class DayByDay:
    """The outcome of each of many days, made when its turn comes: not all of them are in memory together.

    Attributes:
        of_day: From a day to its outcome. A `PermanentError` of one day does not keep the others from being published.
        num_ahead: So many days are made, by another thread, while those before them are published.
    """

    of_day: Callable[[date], Outcome]
    num_ahead: int = 0


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """The rows, rejects and tallies of several outcomes as one; their facts are of each alone."""
    each = list(outcomes)
    return Outcome(
        pl.concat(outcome.rows for outcome in each),
        pl.concat(outcome.rejects for outcome in each),
        pl.concat(outcome.tally for outcome in each),
        stored={day: place for outcome in each for day, place in outcome.stored.items()},
    )
