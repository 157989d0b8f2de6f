"""How a file is written, as found by looking at it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    r"""The way a file writes its records.

    Attributes:
        encoding: `utf-8`, `utf-16-le`, `utf-16-be`, `utf-32-le`, `utf-32-be` or `cp1252`.
        delimiter: what stands between fields; mostly one character.
        quote: what a field with a delimiter, line end or quote in it stands between; null if nothing quotes.
        backslash: whether a backslash before a quote, delimiter or backslash takes its meaning from it.
        lone_cr: whether a CR without LF ends a line.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str | None = '"'
    backslash: bool = False
    lone_cr: bool = False
