"""What damage to one place of a good file costs the records that it did not touch."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import polars as pl

from data_platform.intake import NotDelimitedText
from platform_tests.intake.account import Account, account_of, assert_adds_up
from platform_tests.intake.damage import Edit, mutation
from platform_tests.intake.good_files import GoodFile, Piece, good_file

# Whatever a fault of the reader could raise but `NotDelimitedText`, which says that the file is no text.
CRASHES = (
    *(ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RuntimeError, MemoryError),
    *(AssertionError, StopIteration, pl.exceptions.PolarsError, pl.exceptions.PanicException),
)


@dataclass
class Tally:
    """What became of many damaged files; the first three must stay 0."""

    violations: int = 0
    crashes: int = 0
    losses: int = 0
    files: int = 0
    refused: int = 0
    unknown: int = 0
    misread: int = 0
    untouched: int = 0
    collateral: int = 0
    misread_losses: int = 0
    examples: list[str] = field(default_factory=list)
    by_kind: Counter[str] = field(default_factory=Counter)

    def note(self, what: str, seed: int, edit: Edit) -> None:
        self.by_kind[f"{what}: {edit.kind}"] += 1
        if len(self.examples) < 50:
            self.examples.append(f"{what}: file {seed}, {edit}")

    def __str__(self) -> str:
        return (
            f"{self.files} damaged files: {self.violations} conservation violations, {self.crashes} crashes, "
            f"{self.losses} silent losses; {self.refused} refused as no text, {self.unknown} not recognised without "
            f"damage, {self.misread} whose dialect the damage hid ({self.misread_losses} records); "
            f"{self.collateral} of {self.untouched} untouched records not accepted"
        )


def is_recognised(account: Account, file: GoodFile) -> bool:
    """Whether the reader found the dialect in which the file was written, as far as it shows."""
    way, dialect = file.way, account.dialect
    return (
        account.width == file.width
        and dialect.encoding == way.codec
        and (file.width == 1 or dialect.delimiter == way.delimiter)
        and (not file.has_quotes or dialect.quote == way.quote)
        and (not file.has_escapes or dialect.backslash)
        and dialect.lone_cr == (way.line_end == "\r")
    )


def untouched_records(file: GoodFile, edit: Edit) -> list[Piece]:
    """The records that an edit left as they were, and left alone; a byte order mark is part of its line."""
    bom = sum(piece.byte_to for piece in file.of_kind("bom"))
    return [
        piece
        for piece in file.records
        if not edit.touches(piece.byte_from if piece.byte_from > bom else 0, piece.byte_to + piece.is_open)
    ]


def fates(account: Account, edit: Edit, untouched: list[Piece]) -> Counter[str]:
    """How many untouched records are read as before ("read"), declared or rejected ("kept"), or neither ("lost")."""
    accepted = {record[2]: (record[3], tuple(record[4])) for record in account.said.records}
    tally: Counter[str] = Counter()
    for piece in untouched:
        start, end = edit.moved(piece.byte_from), edit.moved(piece.byte_to)
        found_to, values = accepted.get(start, (0, ()))
        if found_to:
            tally["read" if values == piece.values else "lost"] += 1
        else:
            overlaps = any(record[2] < end and start < record[3] for record in account.said.records)
            tally["lost" if overlaps else "kept"] += 1
    return tally


def judge(tally: Tally, seed: int, file: GoodFile, edit: Edit) -> None:
    """Damage a file, read it, and count what came of it."""
    tally.files += 1
    data = edit.apply(file.data)
    try:
        account = account_of(data)
    except NotDelimitedText:
        tally.refused += 1
        return
    except CRASHES as crash:
        tally.crashes += 1
        tally.note(f"crash {crash!r}", seed, edit)
        return
    try:
        assert_adds_up(account)
    except AssertionError as violation:
        tally.violations += 1
        tally.note(f"violation {violation}", seed, edit)
        return
    if not edit.is_local(file.way.unit):
        return
    untouched = untouched_records(file, edit)
    counts = fates(account, edit, untouched)
    if not is_recognised(account, file):
        if not is_recognised(account_of(file.data), file):
            tally.unknown += 1
            return
        tally.misread += 1
        tally.misread_losses += counts["lost"]
        if counts["lost"]:
            tally.note("misread", seed, edit)
        return
    tally.untouched += len(untouched)
    tally.collateral += counts["kept"]
    tally.losses += counts["lost"]
    if counts["lost"]:
        tally.note("loss", seed, edit)


def damage(seed: int) -> tuple[GoodFile, Edit]:
    """The damaged file of a number: always the same."""
    random = Random(seed)
    file = good_file(random)
    return file, mutation(random, file.data)


def tally_of(seeds: range) -> Tally:
    tally = Tally()
    for seed in seeds:
        judge(tally, seed, *damage(seed))
    return tally
