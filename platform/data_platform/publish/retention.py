"""Days that are final: what they were made of has been kept long enough and is deleted.

What does not belong here: which days those are (the products), and how long is long enough (`settings.py`).
"""

from collections.abc import Collection, Sequence
from datetime import date

from data_platform.contracts.contract import Contract
from data_platform.errors import PermanentError
from data_platform.publish.shelves import day_list
from data_platform.warehouse.connection import Transaction, Warehouse


class DayIsFinal(PermanentError):
    """What a day was made of is deleted; its published version stays."""


def make_final(warehouse: Warehouse, contract: Contract, days: Collection[date], *, is_gone: bool) -> None:
    """Notes that nobody publishes these days of a table again; a second time, nothing changes.

    Args:
        warehouse: Holds the books.
        contract: Describes the table.
        days: Its days.
        is_gone: Whether their rows are about to be deleted too: nobody finds them any more.
    """
    with warehouse.transaction() as transaction:
        transaction.run(
            "INSERT INTO ops.final_days (table_name, day, is_gone)"
            " SELECT $1::text, unnest(string_to_array($2, ',')::date[]), $3::boolean ON CONFLICT DO NOTHING",
            contract.table,
            day_list(sorted(days)),
            is_gone,
        )


def refuse_final(transaction: Transaction, contract: Contract, days: Sequence[date | None]) -> None:
    """Raises if one of the days is final.

    Raises:
        DayIsFinal: The sentence names the first.
    """
    found = transaction.query(
        "SELECT day, final_at FROM ops.final_days WHERE table_name = $1 AND ops.is_among(day, $2) ORDER BY day LIMIT 1",
        contract.table,
        day_list(days),
    )
    for day, at in found.iter_rows():
        raise DayIsFinal(
            f"{contract.table} of {day} is final since {at:%Y-%m-%d}: what it is made of was deleted when it had been"
            " kept long enough; the published version stays, so leave the day out."
        )
