"""The delivery day in a file's name."""

from datetime import date

import pytest

from data_platform.leads.delivery import named_day

ARRIVED = date(2023, 7, 10)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("07-07-2023 Texas DHHS.csv", date(2023, 7, 7)),
        ("Texas 07-07-2023.csv", date(2023, 7, 7)),
        ("07-10-2023.csv", date(2023, 7, 10)),
        ("Texas.csv", None),
        ("13-07-2023 no such month.csv", None),
        ("07-11-2023 tomorrow.csv", None),
        ("07-07-1999 before the first day.csv", None),
        ("107-07-20234.csv", None),
    ],
)
def test_a_name_gives_the_day_that_can_be_meant(name: str, day: date | None) -> None:
    assert named_day(name, ARRIVED) == day
