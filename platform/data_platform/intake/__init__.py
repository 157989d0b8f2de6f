"""Bytes to records: the reader of delimited text that accounts for every byte.

What does not belong here: where bytes come from (`lake/`), what a column means (the products), Dagster.
"""

from data_platform.intake.batches import PROVENANCE, REJECTS, STRUCTURE, Batch, field_names
from data_platform.intake.dialect import Dialect
from data_platform.intake.opening import Header, NotDelimitedText
from data_platform.intake.reader import Reading, Structure, read

__all__ = [
    "PROVENANCE",
    "REJECTS",
    "STRUCTURE",
    "Batch",
    "Dialect",
    "Header",
    "NotDelimitedText",
    "Reading",
    "Structure",
    "field_names",
    "read",
]
