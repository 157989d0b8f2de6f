"""What stands below the records: footers and further tables, told apart from damaged records.

Both look like records with a wrong number of fields, so these wait here until what follows tells. docs/intake.md has
the rules.
"""

from dataclasses import dataclass

from data_platform.intake.batches import BatchBuilder
from data_platform.intake.cells import is_typed, reads_like_header

_TABLE_ROWS = 3
_MAX_FOOTER_LINES = 50
# More lines than this, blank ones among them, do not wait; and so many at the end are searched for a table's start.
_MAX_WAITING = 1_000
_MAX_GAP = 20


@dataclass(frozen=True)
class Leftover:
    """A line that is no record: a blank one (then it has no fields), or one with another number of fields."""

    line: int
    byte_from: int
    byte_to: int
    fields: tuple[str, ...] = ()
    detail: str = ""


def _is_note(fields: tuple[str, ...]) -> bool:
    """Whether fields say one thing at most, and that in words."""
    filled = [field for field in fields if field.strip()]
    return len(filled) <= 1 and not any(map(is_typed, filled))


class Group:
    """Neighbouring leftovers that wait for what follows.

    Args:
        builder: takes what they turn out to be.
        width: number of columns of the records.
        names: the header's names.
    """

    def __init__(self, builder: BatchBuilder, width: int, names: tuple[str, ...]) -> None:
        self._builder = builder
        self._width = width
        self._names = set(names)
        self._waiting: list[Leftover] = []
        self._num_lines = 0
        self._is_below_blank = False

    def blank(self, leftover: Leftover) -> None:
        """Add a blank line."""
        if self._waiting:
            self._waiting.append(leftover)
            if len(self._waiting) > _MAX_WAITING:
                self.close()
        else:
            self._emit(leftover)
        if not self._waiting:
            self._is_below_blank = True

    def add(self, leftover: Leftover) -> Leftover | None:
        """Add a line with another number of fields.

        Returns:
            The header of a further table, if this line shows that one has begun; it and what follows it is then no
            longer held here.
        """
        self._waiting.append(leftover)
        self._num_lines += 1
        first = self._first_of_table()
        if first is not None:
            header = self._waiting[first]
            del self._waiting[first:]
            self.close()
            return header
        if len(self._waiting) > _MAX_WAITING:
            self._emit(self._waiting.pop(0))
            self._is_below_blank = False
        return None

    def _first_of_table(self) -> int | None:
        """Where in what waits the last three lines are that begin a further table, if they do."""
        places = [place for place, waiting in enumerate(self._waiting[-_MAX_GAP:]) if waiting.fields]
        if len(places) < _TABLE_ROWS:
            return None
        first = places[-_TABLE_ROWS] + max(0, len(self._waiting) - _MAX_GAP)
        header, *others = (waiting.fields for waiting in self._waiting[first:] if waiting.fields)
        if len(header) == 1 or any(len(row) != len(header) for row in others) or not reads_like_header(header):
            return None
        is_below_blank = not self._waiting[first - 1].fields if first else self._is_below_blank
        is_table = (
            is_below_blank
            or 2 * len(self._names & set(header)) >= max(1, len(self._names))
            or any(is_typed(field) for row in others for field in row)
        )
        return first if is_table else None

    def close(self) -> None:
        """What waits is damage: something else follows it."""
        for waiting in self._waiting:
            self._emit(waiting)
        self._waiting.clear()
        self._num_lines = 0
        self._is_below_blank = False

    def end(self, *, ends_with_line_end: bool) -> None:
        """What waits stands at the end of the file: it is a footer if it looks like one."""
        lines = [waiting for waiting in self._waiting if waiting.fields]
        if not self._is_below_blank and not ends_with_line_end and self._waiting and self._waiting[-1].fields:
            lines.pop()  # it may be a record that was cut
        is_footer = self._num_lines <= _MAX_FOOTER_LINES and all(
            len(line.fields) < self._width and (self._is_below_blank or _is_note(line.fields)) for line in lines
        )
        for waiting in self._waiting:
            self._emit(waiting, is_footer=is_footer and waiting in lines)
        self._waiting.clear()

    def _emit(self, leftover: Leftover, *, is_footer: bool = False) -> None:
        line, byte_from, byte_to = leftover.line, leftover.byte_from, leftover.byte_to
        if not leftover.fields:
            self._builder.declare("blank", line, byte_from, byte_to)
        elif is_footer:
            self._builder.declare("footer", line, byte_from, byte_to)
        else:
            self._builder.reject(line, byte_from, byte_to, "wrong_number_of_fields", leftover.detail)
