"""Days that are final: nobody publishes them again, and nobody finds those whose rows are gone."""

from datetime import date

import pytest

from data_platform.contracts.outcome import Outcome
from data_platform.publish import protocol, reading
from data_platform.publish.currency import is_behind
from data_platform.publish.retention import DayIsFinal, make_final
from data_platform.publish.shelves import WarehouseShelf
from data_platform.warehouse.connection import Warehouse
from platform_tests.publish.conftest import CONTRACT, readings

MONDAY, TUESDAY = date(2026, 6, 1), date(2026, 6, 2)


def publish(warehouse: Warehouse, day: date, amount: int) -> None:
    by = protocol.Provenance("v1", "run", protocol.clock(warehouse))
    rows = Outcome(readings((str(day), "a", amount)))
    protocol.publish(warehouse, WarehouseShelf(), CONTRACT, rows, days=[day], by=by)


def test_a_final_day_stays_as_it_is_and_others_go_on(metered: Warehouse) -> None:
    publish(metered, MONDAY, 1)
    make_final(metered, CONTRACT, [MONDAY], is_gone=False)
    with pytest.raises(DayIsFinal, match=r"public\.readings of 2026-06-01 is final since"):
        publish(metered, MONDAY, 2)
    publish(metered, TUESDAY, 3)
    monday, tuesday = reading.publications(metered, CONTRACT)
    assert (monday.is_final, tuesday.is_final) == (True, False)
    assert not is_behind(monday, "v2", ())
    assert is_behind(tuesday, "v2", ())


def test_a_day_whose_rows_are_gone_is_found_by_nobody(metered: Warehouse) -> None:
    publish(metered, MONDAY, 1)
    publish(metered, TUESDAY, 2)
    make_final(metered, CONTRACT, [MONDAY], is_gone=True)
    make_final(metered, CONTRACT, [MONDAY], is_gone=True)
    assert [version.day for version in reading.publications(metered, CONTRACT)] == [TUESDAY]
