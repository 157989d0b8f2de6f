"""A line whose quoting is broken, read in the one way there is."""

from itertools import pairwise
from typing import NamedTuple

from data_platform.intake.grammar import Grammar

_MAX_TOKENS = 4096
_MAX_JOINED = 64


def read_with_stray_quotes(content: bytes, grammar: Grammar) -> list[bytes] | None:
    """The fields of a line where quotes stand that should not, or null unless there is exactly one reading.

    The line is cut at every delimiter. A field is one such piece, or several neighbours if a quote stands before the
    first and behind the last of them; so a delimiter is only ever text between quotes. If one way alone gives the right
    number of fields, it is what the line says, and the quotes that are left over are text. A piece that a quote opens
    and none closes may be the rest of a field whose other end was damaged: there may be one at most, and no quote in an
    unquoted piece behind it.
    """
    quote = grammar.quote
    if quote is None or grammar.dialect.backslash:
        return None
    pieces = content.split(grammar.mark)
    num_joins = len(pieces) - grammar.width
    if len(pieces) > _MAX_TOKENS or not 0 <= num_joins <= _MAX_JOINED:
        return None
    starts = _only_cut(pieces, num_joins, quote)
    if starts is None:
        return None
    fields = [grammar.mark.join(pieces[start:stop]) for start, stop in pairwise([*starts, len(pieces)])]
    return [field[1:-1].replace(quote * 2, quote) if _is_quoted(field, quote) else field for field in fields]


def _is_quoted(field: bytes, quote: bytes) -> bool:
    return len(field) > 1 and field[:1] == quote == field[-1:]


class _Ways(NamedTuple):
    """The number of ways (2 stands for more) in which pieces make fields, and where the fields start if it is one."""

    number: int
    starts: tuple[int, ...]


def _only_cut(pieces: list[bytes], num_joins: int, quote: bytes) -> tuple[int, ...] | None:
    """Where the fields start, if `num_joins` joins of pieces can be made in one way only.

    The ways to make fields of the first pieces are kept by the number of joins, and by whether one of the fields was
    opened by a quote and not closed.
    """
    reached: list[dict[tuple[int, bool], _Ways]] = [{(0, False): _Ways(1, ())}]
    opening: list[int] = []
    for stop, piece in enumerate(pieces, start=1):
        row: dict[tuple[int, bool], _Ways] = {}
        for (joins, has_open), ways in reached[stop - 1].items():
            if _is_quoted(piece, quote) or quote not in piece or not (has_open or piece.startswith(quote)):
                _add(row, (joins, has_open), ways, stop - 1)
            elif not has_open:
                _add(row, (joins, True), ways, stop - 1)
        for start in opening if piece.endswith(quote) else ():
            for (joins, has_open), ways in reached[start].items():
                if joins + stop - 1 - start <= num_joins:
                    _add(row, (joins + stop - 1 - start, has_open), ways, start)
        reached.append(row)
        opening = [start for start in opening if stop - start <= num_joins]
        if piece.startswith(quote):
            opening.append(stop - 1)
    found = [reached[-1][key] for key in ((num_joins, False), (num_joins, True)) if key in reached[-1]]
    return found[0].starts if len(found) == 1 and found[0].number == 1 else None


def _add(row: dict[tuple[int, bool], _Ways], key: tuple[int, bool], ways: _Ways, start: int) -> None:
    known = row.get(key)
    row[key] = _Ways(2, ()) if known or ways.number > 1 else _Ways(1, (*ways.starts, start))
