"""What a product's function gives back: rows, what could not become rows, and the sum over both.

What does not belong here: storing any of it (`publish/`).
"""

from dataclasses import dataclass, field

import polars as pl

from data_platform.contracts.rejects import Rejects
from data_platform.contracts.tallies import Tallies


@dataclass(frozen=True)
class Outcome:
    """The rows of a table, the rejects beside them, and the account of every input.

    Attributes:
        rows: Columns of the table's contract.
        rejects: Columns of `Rejects`; none by default.
        tally: Columns of `Tallies`: for each evidence and day, in = used + rejected + duplicate.
    """

    rows: pl.DataFrame
    rejects: pl.DataFrame = field(default_factory=Rejects.create_empty)
    tally: pl.DataFrame = field(default_factory=Tallies.create_empty)
