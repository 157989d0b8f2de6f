"""How far damage reaches: where an open quote leads, which line stands on its own again, which quote is in doubt.

The first two questions look ahead, and naively every damaged line would look ahead over the same bytes: 100,000 lines
would cost 10,000,000,000 steps. Both answers are therefore remembered, and the look-ahead resumes where it stopped:

- A line boundary inside a quote has only one future, whichever quote was opened. And as a line end outside quotes ends
  a record, the way from an open quote to the end of its record is inside quotes at *every* line boundary it passes. So
  a later line whose quote is open at a boundary on that way is on the same way: one start, one front, no list.
- Which line parses by itself does not depend on who asks: the one that was found is remembered.
"""

import re
from enum import Enum, auto

from data_platform.intake.grammar import Grammar
from data_platform.intake.window import Span, Window


class Fate(Enum):
    """What becomes of a quote that is open at a line end."""

    ENDED = auto()  # it closes, and the record ends in good order
    TEXT_AFTER_QUOTE = auto()  # it (or a later one of the record) closes before something that is not a delimiter
    UNCLOSED = auto()  # the file ends inside it (or inside a later quote of the record)
    TOO_FAR = auto()  # none of these happens within the limit


class _Place(Enum):
    QUOTED = auto()
    FIELD_START = auto()
    BARE = auto()


class OpenQuote:
    """Follows open quotes to their fate. Positions are file offsets and must not go back from call to call."""

    def __init__(self, window: Window, grammar: Grammar) -> None:
        self._window = window
        self._grammar = grammar
        self._start: int = -1
        self._at: int = -1
        self._place = _Place.QUOTED
        self._fate: Fate | None = None

    def follow(self, boundary: int, limit: int) -> tuple[Fate, int]:
        """The fate of the quote that is open at a line boundary, and the offset behind the bytes that decide it.

        Args:
            boundary: offset of the first line that starts inside the quote.
            limit: what is only decided behind this offset is TOO_FAR. The window must reach the grammar's `lookahead`
                further, or to the end of the file.
        """
        if not (self._start <= boundary < self._at or boundary == self._start):
            self._start = boundary
            self._at = boundary
            self._place = _Place.QUOTED
            self._fate = None
        while self._fate is None and self._at <= limit and self._advance():
            pass
        if self._fate is None or self._at > limit:
            return Fate.TOO_FAR, limit
        return self._fate, self._at

    def _advance(self) -> bool:
        """Take one step; false if the step needs bytes that are not in the window."""
        data, at = self._window.data, self._at - self._window.base
        if self._place is _Place.QUOTED:
            return self._leave_quotes(data, self._last_sure(at, _end(self._grammar.inside_quotes, data, at)))
        if self._place is _Place.BARE:
            return self._leave_bare_field(data, self._last_sure(at, _end(self._grammar.outside_quotes, data, at)))
        if at == len(data):
            return self._window.ended and self._finish(Fate.ENDED, at)
        is_quoted = self._grammar.quote is not None and data.startswith(self._grammar.quote, at)
        return self._go(_Place.QUOTED, at + 1) if is_quoted else self._go(_Place.BARE, at)

    def _last_sure(self, start: int, end: int) -> int:
        """Up to where text that reaches the window's end is sure: it may end in half an escape, or half a delimiter."""
        data, dialect = self._window.data, self._grammar.dialect
        if end < len(data) or self._window.ended:
            return end
        if dialect.backslash:
            run = 0
            while end - run > start and data.endswith(b"\\", 0, end - run):
                run += 1
            return end - run % 2
        return max(start, end - len(self._grammar.mark) + 1)

    def _leave_quotes(self, data: bytearray, at: int) -> bool:
        """`at` is a quote that is not doubled, or the end of the window."""
        if self._window.ended and at == len(data):
            return self._finish(Fate.UNCLOSED, at)
        if not self._window.ended and at + self._grammar.lookahead > len(data):  # doubled? is a CR half of a CRLF?
            self._go(_Place.QUOTED, at)
            return False
        if data.startswith(self._grammar.mark, at + 1):
            return self._go(_Place.FIELD_START, at + 1 + len(self._grammar.mark))
        line_end = self._grammar.line_end.match(data, at + 1)
        if line_end or at + 1 == len(data):
            return self._finish(Fate.ENDED, line_end.end() if line_end else at + 1)
        return self._finish(Fate.TEXT_AFTER_QUOTE, at + 2)

    def _leave_bare_field(self, data: bytearray, at: int) -> bool:
        """`at` is a delimiter, the first byte of a line end, or the end of the window."""
        if self._window.ended and at == len(data):
            return self._finish(Fate.ENDED, at)
        if not self._window.ended and at + self._grammar.lookahead > len(data):
            self._go(_Place.BARE, at)
            return False
        line_end, mark = self._grammar.line_end.match(data, at), self._grammar.mark
        return self._finish(Fate.ENDED, line_end.end()) if line_end else self._go(_Place.FIELD_START, at + len(mark))

    def _go(self, place: _Place, at: int) -> bool:
        self._place, self._at = place, self._window.base + at
        return True

    def _finish(self, fate: Fate, at: int) -> bool:
        self._fate, self._at = fate, self._window.base + at
        return True


def _end(pattern: re.Pattern[bytes], data: bytearray, at: int) -> int:
    found = pattern.match(data, at)
    return found.end() if found else at


class SoundLine:
    """Finds the next physical line that parses by itself to the right number of fields."""

    def __init__(self, window: Window, grammar: Grammar) -> None:
        self._window = window
        self._grammar = grammar
        self._found: int | None = None

    def between(self, start: int, end: int) -> bool:
        """Whether such a line starts in `start:end`.

        If one is found, it is remembered until the walk has passed it; if none is, the walk goes on at `end`. So no
        line is looked at twice.

        Args:
            start: file offset of the first line to look at; must not go back from call to call.
            end: file offset behind the last one; the window must reach it.
        """
        if self._found is None or self._found < start:
            self._found = self._search(start, end)
        return self._found is not None and self._found < end

    def _search(self, start: int, end: int) -> int | None:
        base = self._window.base
        at = start - base
        while at < end - base and (line := self._grammar.line(self._window, at)):
            if self._grammar.is_sound_line(self._window.data, at, line[0]):
                return base + at
            at = line[1]
        return None


def doubtful_to(window: Window, grammar: Grammar, last_line: Span, limit: int) -> int | None:
    """Offset behind all that is in doubt if the quote that closes on a line may as well open a field; else null.

    It may, if a record of the right number of fields begins at that line and ends below it, and the lines below are not
    in order without it: one with a quote in an unquoted field comes before any that is a record by itself.

    No look-ahead is remembered here: such a record ends at the latest where the next quote runs over a line end, so
    hardly a byte is looked at twice.

    Args:
        window: the bytes; is filled as needed.
        grammar: the patterns of the file.
        last_line: file offsets of the last line of what is of several lines.
        limit: a longer record is none.
    """
    start, end = last_line[0] - window.base, last_line[1] - window.base
    if not grammar.opening.fullmatch(window.data, start, grammar.content_end(window.data, start, end)):
        return None
    window.fill(start + limit + grammar.lookahead)
    to = grammar.record_end(window.data, start)
    if to is None or to - start > limit:
        return None
    while end < to and (line := grammar.line(window, end)):
        if grammar.has_quote_as_text(bytes(window.data[end : line[0]])):
            return window.base + to
        if grammar.is_sound_line(window.data, end, line[0]):
            return None
        end = line[1]
    return None
