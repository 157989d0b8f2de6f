"""The walk over the records: what is a record, what is damage, and how far each reaches.

It goes block by block. What is plain in a block is accepted in runs; every other record is looked at by itself, with
`max_record_bytes` (and a few bytes more) of the file in sight, so no decision depends on where a chunk or block ended.
"""

import numpy as np
import polars as pl

from data_platform.intake.batches import BatchBuilder
from data_platform.intake.below import Group, Leftover
from data_platform.intake.block import Block, Places
from data_platform.intake.cells import reads_like_header
from data_platform.intake.damage import Fate, OpenQuote, SoundLine, doubtful_to
from data_platform.intake.encoding import RecordCodec, codec_of
from data_platform.intake.opening import Opening, first_line
from data_platform.intake.stray import read_with_stray_quotes
from data_platform.intake.window import Span

STRAY_QUOTE_AS_TEXT = "stray_quote_as_text"
_RESUMING_LINES = 3
_DOUBT = "expected a closing quote, found one that may as well open a field of the record below"
# Where a block is not all plain, its text is taken in pieces of this part of it: most of them still are.
_FINE = 16


class Scan:
    """One walk over the records of one file, from behind the header to the end.

    Args:
        opening: what the start of the file told; its window stands behind the header.
        max_record_bytes: a longer record, its line end included, is damage.
        block_bytes: how much of the file is looked at in one go.
        builder: takes the records, rejects and structure.
    """

    def __init__(self, opening: Opening, max_record_bytes: int, block_bytes: int, builder: BatchBuilder) -> None:
        self._window = opening.window
        self._grammar = opening.grammar
        self._only_utf8 = opening.grammar.dialect.encoding != "utf-8"
        self._repeated = opening.repeated
        self._limit = max_record_bytes
        self._block_bytes = block_bytes
        self._builder = builder
        self._line = first_line(opening.parts)
        self._at = opening.start - opening.window.base
        self._group = Group(builder, opening.grammar.width, opening.names or ())
        self._open_quote = OpenQuote(self._window, opening.grammar)
        self._sound_line = SoundLine(self._window, opening.grammar)
        self._ends_with_line_end = True
        self._fine_to = 0
        self._doubtful_to = self._doubt(opening.last_line) if opening.last_line else None

    @property
    def _place(self) -> int:
        """Where in the text the walk stands."""
        return self._window.base + self._at

    def step(self) -> bool:
        """Take the next block; false at the end of the file."""
        window = self._window
        if self._at >= self._block_bytes:  # not each time: what is in sight may be much more than what is dropped
            window.drop(self._at)
            self._at = 0
        window.fill(self._at + self._block_bytes)
        if self._at == len(window.data):
            self._group.end(ends_with_line_end=self._ends_with_line_end)
            return False
        if self._doubtful_to is not None:
            self._take_one()
            return True
        fine_bytes = max(1, self._block_bytes // _FINE)
        is_fine = self._place < self._fine_to
        end = self._block_end(fine_bytes if is_fine else self._block_bytes)
        data = bytes(memoryview(window.data)[self._at : end])
        block = Block(data, self._grammar, self._limit, self._repeated)
        parsed = block.parse_if_plain(self._builder.field_names)
        if parsed is not None and self._doubt_above(end) is None:
            self._accept(data, 0, parsed.ends, self._line + parsed.lines, parsed.fields)
        elif len(data) > fine_bytes and not is_fine:
            self._fine_to = window.base + end
        else:
            self._take_block(block)
        return True

    def _block_end(self, size: int) -> int:
        """Behind the last line end within a block's length."""
        data, stop = self._window.data, self._at + size
        end = data.rfind(b"\n", self._at, stop) + 1
        if self._grammar.dialect.lone_cr:
            end = max(end, data.rfind(b"\r", self._at, stop) + 1)
            end += data.endswith(b"\r", 0, end) and data.startswith(b"\n", end)
        return end

    def _take_block(self, block: Block) -> None:
        """Take what is plain in runs and the rest one by one; one record, if no line ends in the block."""
        start = self._place
        while (at := self._place - start) < len(block.data) and not self._builder.is_full:
            ends = block.run(at)
            if len(ends):
                lines = np.searchsorted(block.line_ends, np.concatenate([np.array([at]), ends]), side="right")
                self._accept(block.data, at, ends, lines + (self._line - lines[0]))
            else:
                self._take_one()
        if not block.data:
            self._take_one()

    def _accept(
        self, block: bytes, start: int, ends: Places, lines: Places, fields: pl.DataFrame | None = None
    ) -> None:
        """Accept plain records of a block; `lines` are their first lines and the one behind them."""
        self._group.close()
        borders = np.concatenate([np.array([start]), ends])
        stop = int(ends[-1])
        self._builder.accept_run(block[start:stop], lines[:-1], borders + (self._place - start), fields)
        self._at += stop - start
        self._line = int(lines[-1])

    def _take_one(self) -> None:
        window, grammar = self._window, self._grammar
        window.fill(self._at + self._limit + grammar.lookahead)
        data, at = window.data, self._at
        line = grammar.line(window, at)
        if line is None or line[1] - at > self._limit:
            self._reject_long_line()
            return
        content = bytes(data[at : line[0]])
        self._ends_with_line_end = line[1] > line[0]
        if grammar.is_blank(content):
            self._group.blank(Leftover(self._line, self._place, window.base + line[1]))
            self._move(line[1], 1)
        elif self._doubtful_to is not None:
            self._reject(self._doubtful_to - window.base, "unclosed_quote", _DOUBT)
            self._doubtful_to = None
        elif self._repeated is not None and content == self._repeated.content:
            self._group.close()
            self._builder.declare("repeated_header", self._line, self._place, window.base + line[1])
            self._move(line[1], 1)
        elif not self._settle(content, line[1]) and not self._take_lines(line[1]):
            self._take_broken_line(content, line[1])

    def _take_lines(self, first_end: int) -> bool:
        """Take the record of several lines that starts here, if it has the right number of fields."""
        end = self._grammar.record_end(self._window.data, self._at)
        if end is None or end - self._at > self._limit:
            return False
        doubtful_to = self._doubt_above(end)
        if doubtful_to is None:
            return self._settle_to(end)
        base = self._window.base
        has_sound_line = self._sound_line.between(base + first_end, base + end)
        self._reject(first_end if has_sound_line else doubtful_to - base, "unclosed_quote", _DOUBT)
        return True

    def _doubt_above(self, end: int) -> int | None:
        """How far it is doubtful where a quote closes on the line that ends at `end`, or null."""
        base = self._window.base
        return self._doubt((base + self._grammar.last_line(self._window.data, self._at, end), base + end))

    def _doubt(self, last_line: Span) -> int | None:
        return doubtful_to(self._window, self._grammar, last_line, self._limit)

    def _settle_to(self, end: int) -> bool:
        data = self._window.data
        return self._settle(bytes(data[self._at : self._grammar.content_end(data, self._at, end)]), end)

    def _settle(self, content: bytes, end: int) -> bool:
        """Accept or reject the well-formed record that ends at `end`; false if its quoting is broken."""
        fields = self._grammar.split(content)
        if fields is None:
            return False
        codec = codec_of(content, only_utf8=self._only_utf8)
        values = codec.decoded(fields)
        if len(values) == self._grammar.width:
            self._accept_one(content, end, values, codec)
            return True
        detail = f"expected {self._grammar.width} fields as in the header, found {len(values)}"
        if self._grammar.num_line_ends(content, 0, len(content)):
            self._reject(end, "wrong_number_of_fields", detail)
        else:
            place = self._place
            leftover = Leftover(self._line, place, place + end - self._at, tuple(values), detail)
            self._move(end, self._num_lines(end))
            header = self._group.add(leftover)
            if header is not None:
                self._skip_table(header)
        return True

    def _accept_one(self, content: bytes, end: int, values: list[str], codec: RecordCodec) -> None:
        """Accept a record with the right number of fields, if there is nothing in it that no text has."""
        if b"\0" in content:
            self._reject(end, "nul_byte", f"expected text, found {content.count(0)} NUL bytes")
        elif codec.undecodable_at is not None:
            known = "a whole character" if self._only_utf8 else "UTF-8 or cp1252"
            detail = f"expected {known}, found something else at byte {codec.undecodable_at + 1} of the record"
            self._reject(end, "undecodable", detail)
        else:
            self._group.close()
            place = self._place
            self._builder.accept(self._line, place, place + end - self._at, values, codec.repair)
            self._move(end, self._num_lines(end))

    def _take_broken_line(self, content: bytes, end: int) -> None:
        """Take the record whose first physical line, which ends at `end`, is not a record by itself."""
        opening = self._grammar.opening.fullmatch(content)
        if opening is None:
            self._take_line_with_stray_quotes(content, end)
            return
        base = self._window.base
        fate, to = self._open_quote.follow(base + end, base + self._at + self._limit)
        if fate is Fate.ENDED:
            self._take_misjoined_lines(end, to - base)
        elif fate is Fate.TEXT_AFTER_QUOTE:
            self._reject(end, "text_after_quote", self._after_quote("where the quote that this line opens closes"))
        elif fate is Fate.UNCLOSED:
            # A file that was cut: its last record is one reject, unless there are records behind the stray quote.
            to = base + end if self._sound_line.between(base + end, to) else to
            self._reject(to - base, "unclosed_quote", "expected a closing quote, found the end of the file")
        else:
            detail = f"expected the record with this line's open quote to end within {self._limit} bytes, it does not"
            self._reject(end, "unclosed_quote", detail)

    def _take_line_with_stray_quotes(self, content: bytes, end: int) -> None:
        fields = read_with_stray_quotes(content, self._grammar)
        if fields is None:
            self._reject(end, "text_after_quote", self._after_quote("in this line"))
        else:
            codec = codec_of(content, only_utf8=self._only_utf8)
            repairs = ", ".join(filter(None, (codec.repair, STRAY_QUOTE_AS_TEXT)))
            self._accept_one(content, end, codec.decoded(fields), codec._replace(repair=repairs))

    def _take_misjoined_lines(self, first_end: int, end: int) -> None:
        """Reject the record of several lines that is well formed, but has not the right number of fields."""
        base = self._window.base
        width = self._grammar.width
        detail = f"expected {width} fields as in the header, found another number up to where the quotes close"
        if self._sound_line.between(base + first_end, base + end):
            self._reject(first_end, "wrong_number_of_fields", detail)
        elif (doubtful_to := self._doubt_above(end)) is not None:
            self._reject(doubtful_to - base, "wrong_number_of_fields", detail)
        elif not self._settle_to(end):
            raise AssertionError(f"the record at byte {self._place} is well formed, so it must split into fields")

    def _reject_long_line(self) -> None:
        """Reject through the line's end, wherever that is, without holding the line in memory."""
        self._group.close()
        start, line = self._place, self._line
        end = self._skip_line()
        detail = f"expected a line of at most {self._limit} bytes, found {end - start}"
        self._builder.reject(line, start, end, "record_too_long", detail)

    def _skip_line(self) -> int:
        """Move behind the line's end, wherever that is, without holding the line in memory."""
        window = self._window
        while (found := self._grammar.line(window, self._at)) is None:
            window.drop(len(window.data) - 1)  # the last byte may be the CR of a CRLF
            self._at = 0
            window.fill(2)
        self._ends_with_line_end = found[1] > found[0]
        self._move(found[1], self._num_lines(found[1]))
        return self._place

    def _skip_table(self, header: Leftover) -> None:
        """Declare a further table: to the end of the file, or to where three lines in succession are records again."""
        window, grammar = self._window, self._grammar
        sound: list[tuple[int, int]] = []  # the line and place of those that are records by themselves
        while True:
            if self._at > self._block_bytes and not sound:
                window.drop(self._at)
                self._at = 0
            window.fill(self._at + self._limit + grammar.lookahead)
            if self._at == len(window.data):
                num_lines = self._line - header.line + (not self._ends_with_line_end)
                self._builder.declare("table", header.line, header.byte_from, self._place, num_lines)
                return
            line = grammar.line(window, self._at)
            if line is None or line[1] - self._at > self._limit:
                sound.clear()
                self._skip_line()
                continue
            if not grammar.is_sound_line(window.data, self._at, line[0]):
                sound.clear()
            elif sound or not self._is_header(line[0]):
                sound.append((self._line, self._place))
            if len(sound) == _RESUMING_LINES:
                self._line, place = sound[0]
                self._at = place - window.base
                self._builder.declare("table", header.line, header.byte_from, place, self._line - header.line)
                return
            self._ends_with_line_end = line[1] > line[0]
            self._move(line[1], self._num_lines(line[1]))

    def _is_header(self, content_to: int) -> bool:
        content = bytes(self._window.data[self._at : content_to])
        codec = codec_of(content, only_utf8=self._only_utf8)
        return reads_like_header(codec.decoded(self._grammar.split(content) or []))

    def _after_quote(self, where: str) -> str:
        return f"expected a delimiter or line end after a closing quote, found text {where}"

    def _reject(self, end: int, reason: str, detail: str) -> None:
        self._group.close()
        place = self._place
        self._builder.reject(self._line, place, place + end - self._at, reason, detail)
        self._move(end, self._num_lines(end))

    def _num_lines(self, end: int) -> int:
        return self._grammar.num_line_ends(self._window.data, self._at, end)

    def _move(self, end: int, num_lines: int) -> None:
        self._at = end
        self._line += num_lines
