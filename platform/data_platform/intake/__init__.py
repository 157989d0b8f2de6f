"""Bytes to records: the reader of delimited text that accounts for every byte.

What does not belong here: where bytes come from (`lake/`), what a column means (the products), Dagster.
"""

from data_platform.intake.batches import PROVENANCE, REJECTS, STRUCTURE, Batch, field_names
from data_platform.intake.containers import PLACE, NamedBatch, UnknownLayout, further_tables, read_named
from data_platform.intake.dialect import Dialect
from data_platform.intake.opening import Header, NotDelimitedText
from data_platform.intake.reader import Reading, Structure, read

__all__ = [
    "PLACE",
    "PROVENANCE",
    "REJECTS",
    "STRUCTURE",
    "Batch",
    "Dialect",
    "Header",
    "NamedBatch",
    "NotDelimitedText",
    "Reading",
    "Structure",
    "UnknownLayout",
    "field_names",
    "further_tables",
    "read",
    "read_named",
]
