"""The first of all days. What does not belong here: partitions (`defs/partitions.py`), which begin with it."""

from datetime import date

FIRST_DAY = date(2020, 1, 1)
"""Nothing is delivered before it, and no event is older."""
