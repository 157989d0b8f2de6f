"""The files that are read, and the truth about each: every record's values, by its running id.

A file repeats one block of varied records under running ids, so any number of records is written quickly and the truth
about each is known without keeping it. All people, places and numbers are invented.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from math import ceil
from pathlib import Path
from typing import IO

import polars as pl

COLUMNS = ("id", "name", "phone", "city", "zip", "amount", "day", "note")
BLOCK = 50_000
_FIRST = ("Anna", "Ben", "Carla", "Dmitri", "Elif", "Finn", "Grace", "Hugo", "Inés", "Jack", "Zoë", "Lena", "Omar")
_LAST = ("Berg", "Castillo", "Dunn", "Eriksen", "Faber", "Gray", "Holm", "Ito", "Jansen", "Kowalska", "Müller")
_CITIES = ("Reno", "Elko", "Ely", "Carson City", "Sparks", "Boulder City", "Fernley")
_NOTES = ("", "by phone", "asked for a late call", "moved in spring", "second visit", "card declined once", "")
_QUOTED_NOTES = ("Suite 4, upper floor", 'says "maybe"', "mornings, never Mondays")
_DENSE_NOTES = (
    'said "call back, please"\nand hung up',
    "one, two, and three",
    '"quoted" from the start',
    "a plain note",
    "two\nlines",
    'ends with a "quote"',
    "",
    ",\n,",
)


@dataclass(frozen=True)
class Damaged:
    """A record that was written badly.

    Attributes:
        kind: what was done to it.
        values: the values that were meant.
        line: the bytes in the file, line end included.
    """

    kind: str
    values: tuple[str, ...]
    line: bytes


@dataclass(frozen=True)
class Sample:
    """A file that can be written, and the truth about it.

    Attributes:
        num_records: records under the header, the damaged ones included; their ids run from 1.
        num_damaged: of these, how many are damaged, spread evenly.
        quoted_every: one record in so many has a quoted field; 0 for none.
        dense: whether every field is quoted instead, with quotes, delimiters and line ends inside.
    """

    num_records: int
    num_damaged: int = 0
    quoted_every: int = 50
    dense: bool = False

    @property
    def values(self) -> pl.DataFrame:
        """The values of a block's records, all columns but the id: record `id` has row `(id - 1) % BLOCK`."""
        return _values(dense=self.dense, quoted_every=self.quoted_every)

    @cached_property
    def damaged(self) -> dict[int, Damaged]:
        """The damaged records by id: the kinds in turns, spread evenly but for a step to the side."""
        found: dict[int, Damaged] = {}
        aside = max(1, min(50, self.num_records // max(1, self.num_damaged)))  # so no two lie alike to a quoted field
        for number in range(self.num_damaged):
            middle = (2 * number + 1) * self.num_records // (2 * self.num_damaged)
            record_id = min(middle + number * 7 % aside + 1, self.num_records)
            sound = (str(record_id), *self.values.row((record_id - 1) % BLOCK)[:-1], "by phone")
            found[record_id] = _damage(_KINDS[number % len(_KINDS)], sound)
        return found

    @property
    def num_bytes(self) -> int:
        """How large the file is, to within the damage."""
        ids = sum(len(str(power)) * (min(10 * power, self.num_records + 1) - power) for power in self._powers())
        tails = _tails(dense=self.dense, quoted_every=self.quoted_every).str.len_bytes()
        whole, rest = divmod(self.num_records, BLOCK)
        quotes = 2 * self.num_records if self.dense else 0
        return len(_header()) + ids + quotes + whole * int(tails.sum()) + int(tails.head(rest).sum()) + self.num_records

    def _powers(self) -> Iterator[int]:
        power = 1
        while power <= self.num_records:
            yield power
            power *= 10

    def write(self, path: Path) -> None:
        """Write the file."""
        with path.open("wb") as file:
            file.write(_header())
            for start in range(0, self.num_records, BLOCK):
                self._write_block(file, start, min(start + BLOCK, self.num_records))

    def _write_block(self, file: IO[bytes], start: int, end: int) -> None:
        ids = pl.int_range(start + 1, end + 1).cast(pl.String)
        tails = pl.lit(_tails(dense=self.dense, quoted_every=self.quoted_every).head(end - start))
        lines = pl.select(pl.concat_str(pl.lit('"'), ids, pl.lit('"'), tails) if self.dense else ids + tails)
        at = start
        for record_id in sorted(number for number in self.damaged if start < number <= end):
            lines.slice(at - start, record_id - 1 - at).write_csv(file, include_header=False, quote_style="never")
            file.write(self.damaged[record_id].line)
            at = record_id
        lines.slice(at - start).write_csv(file, include_header=False, quote_style="never")


def of_size(num_bytes: int, *, quoted_every: int) -> Sample:
    """An undamaged sample of about as many bytes."""
    trial = Sample(BLOCK, quoted_every=quoted_every)
    return Sample(ceil(num_bytes / (trial.num_bytes / BLOCK + 2)), quoted_every=quoted_every)


@cache
def _values(*, dense: bool, quoted_every: int) -> pl.DataFrame:
    """Varied values without any chance in them: each list is walked in steps that are prime to its length."""
    number = pl.int_range(BLOCK, dtype=pl.Int64)

    def pick(values: tuple[str, ...], step: int) -> pl.Expr:
        return pl.lit(pl.Series(values)).gather(number * step % len(values))

    def padded(expression: pl.Expr, width: int) -> pl.Expr:
        return expression.cast(pl.String).str.zfill(width)

    note = pick(_DENSE_NOTES, 3) if dense else pick(_NOTES, 3)
    if quoted_every and not dense:
        quoted = pl.lit(pl.Series(_QUOTED_NOTES)).gather(number // quoted_every % len(_QUOTED_NOTES))
        note = pl.when(number % quoted_every == 0).then(quoted).otherwise(note)
    return pl.select(
        name=pl.concat_str(pick(_FIRST, 5), pl.lit(" "), pick(_LAST, 7)),
        phone=pl.concat_str(pl.lit("702-555-01"), padded(number * 37 % 100, 2)),
        city=pick(_CITIES, 3),
        zip=padded(number * 7919 % 100_000, 5),
        amount=pl.concat_str((number * 104_729 % 90_000).cast(pl.String), pl.lit("."), padded(number * 61 % 100, 2)),
        day=(pl.date(2023, 1, 1) + pl.duration(days=number * 31 % 365)).dt.to_string("%Y-%m-%d"),
        note=note,
    )


@cache
def _tails(*, dense: bool, quoted_every: int) -> pl.Series:
    """The text of a block's records behind the id (and its closing quote), without the line end."""
    values = _values(dense=dense, quoted_every=quoted_every)
    fields = [_written(pl.col(name), always=dense) for name in values.columns]
    return values.select(pl.concat_str(pl.lit(","), pl.concat_str(fields, separator=","))).to_series()


def _written(value: pl.Expr, *, always: bool) -> pl.Expr:
    """A value as a field: in quotes, doubled inside, where it must be or always."""
    quoted = pl.concat_str(pl.lit('"'), value.str.replace_all('"', '""', literal=True), pl.lit('"'))
    return quoted if always else pl.when(value.str.contains('[",\n]')).then(quoted).otherwise(value)


def _header() -> bytes:
    return ",".join(COLUMNS).encode() + b"\n"


_KINDS = (
    "stray_quote",
    "missing_delimiter",
    "extra_delimiter",
    "open_quote",
    "nul_byte",
    "cp1252_byte",
    "text_after_quote",
    "cut_record",
    "bare_line_end",
    "undecodable_byte",
)


def _damage(kind: str, sound: tuple[str, ...]) -> Damaged:
    """Write one record badly. The id is always left readable: by it the judge knows the record again.

    Args:
        kind: one of `_KINDS`.
        sound: the values of a record that needs no quotes.
    """
    record_id, name, *rest = sound
    first, last = name.split(" ")
    meant = {
        "stray_quote": f'{first} "Al" {last}',
        "extra_delimiter": f"{last}, {first}",
        "cp1252_byte": f"{first} Muñoz",
        "text_after_quote": f'"{first}" {last}',
        "bare_line_end": f"{first}\n{last}",
    }.get(kind, name)
    line = ",".join((record_id, meant, *rest)).encode()
    phone_and_city = f"{rest[0]},{rest[1]}".encode()
    if kind == "missing_delimiter":
        line = line.replace(phone_and_city, phone_and_city.replace(b",", b""))
    elif kind == "open_quote":
        line = line.replace(b",", b',"', 1)
    elif kind == "nul_byte":
        line = line.replace(phone_and_city, phone_and_city[:-1] + b"\0" + phone_and_city[-1:])
    elif kind == "cp1252_byte":
        line = ",".join((record_id, meant, *rest)).encode("cp1252")
    elif kind == "undecodable_byte":
        line = line.replace(b",", b",\x81", 1)
    elif kind == "cut_record":
        line = line[: line.index(phone_and_city) + 6]
    return Damaged(kind, (record_id, meant, *rest), line + b"\n")
