"""Two designs were tried and failed: one was quadratic in the damage, one cut a chunk inside a quoted line end."""

import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pytest

from data_platform.intake import read
from platform_tests.intake.account import account_of, assert_adds_up
from platform_tests.intake.good_files import among_good_rows

HEAD = b'h,i,j\n1,2,"x, y"\n4,5,"x, z"\n7,8,9\n'


@dataclass
class Work:
    """What it took to read a file: calls of functions, Python's and built-in ones, and processor time."""

    calls: int = 0
    seconds: float = 0.0

    def count(self, frame: FrameType, kind: str, argument: object) -> None:
        self.calls += kind in {"call", "c_call"}


def work_of(data: bytes, **options: Any) -> Work:
    work = Work()
    sys.setprofile(work.count)
    try:
        for _ in read([data], **options):
            pass
    finally:
        sys.setprofile(None)
    start = time.process_time()
    for _ in read([data], **options):
        pass
    work.seconds = time.process_time() - start
    return work


def assert_linear(file_of: Callable[[int], bytes], number: int, **options: Any) -> None:
    """Four times the damage takes four times the work; were it quadratic, sixteen times."""
    once, more = work_of(file_of(number), **options), work_of(file_of(4 * number), **options)
    assert more.calls < 6 * once.calls + 1_000
    assert more.seconds < 10 * once.seconds + 0.5


STRAY = [
    b'a,"' + b"b,c" * 32,
    b'a,""' + b"b" * 96 + b',"',
    b'"' + b"b" * 98 + b',""""""',
    b'a,"b",c"',
    b'"a"b,c',
    b'a,"b"c,d',
]


@pytest.mark.parametrize("line", STRAY)
@pytest.mark.parametrize("tail", [b"", b"1,2,3\n", b'"'])
def test_lines_with_a_stray_quote_take_linear_work(line: bytes, tail: bytes) -> None:
    assert_linear(lambda number: HEAD + (line + b"\n") * number + tail, 500)


@pytest.mark.parametrize(
    "line", [b"1,2", b"1", b"1,2,3,4", b"1,2,3,\0,5,6,7,8,9,10,11", b"1,\x81,3", b"", b"h,i,j", b"p,q", b"x" * 200]
)
def test_lines_that_are_no_records_take_linear_work(line: bytes) -> None:
    assert_linear(lambda number: HEAD + (line + b"\n") * number, 500, max_record_bytes=100)


def test_good_and_bad_lines_by_turns_take_linear_work() -> None:
    assert_linear(lambda number: HEAD + b'1,2,3\n4,5\n6,"7,8\n"9",10,11\n12,\x92,13\n' * number, 300)


def test_tables_and_records_by_turns_take_linear_work() -> None:
    assert_linear(lambda number: HEAD + b"p,q\n1,2\n3,4\n1,2,3\n4,5,6\n" * number, 300)
    assert_linear(lambda number: HEAD + b"p,q\n1,2\n3,4\n" + b"1,2,3\n4,5,6\nx\n" * number, 300)


# Seen from the first quote of these, every line closes a field and opens the next one.
JOINED = b'h,i,j\n4,5,"6, 7"\n1,2,"\n'


@pytest.mark.parametrize("end", [b'1,2,3\nx"\n', b'x"y\n', b'x"\n', b"x,y\n", b"1,2,3", b'x"' + b"y" * 2**13])
@pytest.mark.parametrize("limit", [2**24, 2**12])
def test_lines_that_a_stray_quote_joins_take_linear_work(end: bytes, limit: int) -> None:
    assert_linear(lambda number: JOINED + b'b","c\n' * number + end, 1_000, max_record_bytes=limit)


def test_a_quote_that_is_open_over_many_lines_takes_linear_work() -> None:
    assert_linear(lambda number: JOINED + b"x,y\n" * number, 2_000)
    assert_linear(lambda number: JOINED + b"x,y,z\n" * number, 2_000)


DOUBTFUL = [b'4,5,"x\n4,5,"\nbelow"\n', b'4,5,"x\n7,8,9\n4,5,"\nbelow"\n', b'4,5,"x\n"\n' + b"y,1,2,3\n" * 5]


@pytest.mark.parametrize("lines", DOUBTFUL)
def test_quotes_that_may_close_or_open_take_linear_work(lines: bytes) -> None:
    assert_linear(lambda number: HEAD + lines * number + b'y",1,2\n', 500)


def test_lines_that_could_be_cut_in_many_ways_take_linear_work() -> None:
    line = b'"a"b,' + b'"c",' * 60 + b"d\n"
    assert_linear(lambda number: HEAD + line * number, 10)


def test_a_line_of_a_gigabyte_takes_the_memory_of_the_limit_and_some_chunks() -> None:
    chunk, count = b"x" * 2**22, 256

    def lines() -> Iterator[bytes]:
        yield among_good_rows()
        for _ in range(count):
            yield chunk
        yield b"\nKim,18,Ely\n"

    tracemalloc.start()
    reading = read(lines(), max_record_bytes=2**20)
    taken = list(reading)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(batch.records.height for batch in taken) == 11
    assert [reason for batch in taken for reason in batch.rejects["reason"]] == ["record_too_long"]
    assert reading.structure.num_rejected_bytes == count * len(chunk) + 1
    assert peak < 12 * len(chunk)


# Values of several lines, every one of which is a record by itself.
DECEIVING = '{},"x\n1,2,3\n4,""5"",6\ny",b\n'


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_block_never_ends_inside_a_quoted_line_end(line_end: str) -> None:
    text = "name,age,city\n" + "".join(map(DECEIVING.format, range(30)))
    data = text.replace("\n", line_end).encode()
    whole = account_of(data)
    assert len(whole.values) == 30
    assert {value[1] for value in whole.values} == {f'x{line_end}1,2,3{line_end}4,"5",6{line_end}y'}
    for block_bytes in range(1, 80):
        account = account_of(data, [block_bytes + 3], block_bytes=block_bytes)
        assert account.said == whole.said
        assert_adds_up(account)


def test_a_block_of_the_usual_size_never_ends_inside_a_quoted_line_end() -> None:
    number = 9 * 2**20 // len(DECEIVING)
    data = ("name,age,city\n" + "".join(map(DECEIVING.format, range(number)))).encode()
    reading = read([data[at : at + 2**20] for at in range(0, len(data), 2**20)])
    batches = list(reading)
    assert len(batches) > 1
    assert sum(batch.records.height for batch in batches) == number == reading.structure.num_records
    names = [name for batch in batches for name in batch.records["field_1"]]
    assert names == [str(at) for at in range(number)]


def test_a_stray_quote_before_a_block_s_end_costs_its_own_record_only() -> None:
    # Behind the stray quote, what is inside quotes and what is outside change places.
    good = 'Ann,"x\n1,2,3\ny",b\nBob,"u",v\n'
    data = ("name,age,city\n" + good * 9 + 'Cid,"w,3\n' + good * 9).encode()
    whole = account_of(data)
    assert len(whole.values) == 36
    assert [reject[1] for reject in whole.said.rejects] == [38]
    for block_bytes in range(1, 120):
        assert account_of(data, block_bytes=block_bytes).said == whole.said
