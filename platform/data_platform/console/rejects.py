"""Rejects on the terminal: a list with counts, and one explained with its bytes."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from data_platform import settings as settings_module
from data_platform.console.terminal import cut, shown, shown_bytes
from data_platform.publish import rejects
from data_platform.publish.rejects import Reject, Scope, Waiting
from data_platform.stack import Stack, open_stack

_DETAIL, _NAME = 140, 48  # characters of a detail, of a file name, in a list; `show` has all of it
_WAITING = 20
_EACH_END = 2_000  # bytes of a long span that are shown from its beginning, and from its end


def list_rejects(scope: Scope, *, limit: int, as_json: bool) -> int:
    """Prints the first rejects of a scope, how many there are of each reason, and what waits.

    Returns:
        The exit code: 0, whether there are any or not.
    """
    stack = _stack()
    counts = rejects.count(stack.warehouse, scope)
    found = rejects.find(stack.warehouse, scope, limit=limit)
    # What waits has no reason yet and is in no table: it is told unless one was asked for.
    waits = [] if scope.reason or scope.tables else rejects.waiting(stack.warehouse, scope)
    if as_json:
        _print_json(counts, found, waits)
        return 0
    console = Console(width=None if sys.stdout.isatty() else 1_000, highlight=False)
    if counts.height:
        _print_tables(console, counts, found)
    else:
        elsewhere = " of what was asked for; `data-platform rejects list` shows all" if scope != Scope() else ""
        console.print(f"There are no rejects{elsewhere}.")
    _print_waiting(console, waits)
    return 0


def show(address: str, *, raw: bool) -> int:
    """Prints all that is known of one reject, and its bytes; with `raw` nothing but the bytes, as they arrived.

    Returns:
        The exit code.

    Raises:
        PermanentError: There is no such reject, or its evidence is damaged or gone.
    """
    stack = _stack()
    reject = rejects.at(stack.warehouse, address)
    if raw:
        for _ in reject.span(stack.lake):
            pass  # proven before the first byte leaves
        for chunk in reject.span(stack.lake):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return 0
    for name, value in _facts(reject):
        print(f"{name + ':':<14}{shown(str(value))}")
    sys.stdout.flush()
    head, tail = _ends(reject.span(stack.lake))
    left_out = reject.num_bytes - len(head) - len(tail)
    print("\nThe bytes as they arrived, with escapes for what is not printable:")
    print(shown_bytes(head))
    if left_out:
        print(f"... {left_out:,} bytes left out; `data-platform rejects show --raw {reject.address}` writes all ...")
        print(shown_bytes(tail))
    return 0


def _stack() -> Stack:
    return open_stack(settings_module.load())


def _print_tables(console: Console, counts: pl.DataFrame, found: list[Reject]) -> None:
    table = _table(">line", ">record", ">bytes", before=("reject", "asset", "day", "file"), after=("reason", "detail"))
    for reject in found:
        table.add_row(*_cells(
            reject.address, reject.asset, reject.day, cut(reject.file_name or "-", _NAME), reject.line,
            reject.record_no, reject.num_bytes, reject.reason, cut(reject.detail, _DETAIL),
        ))  # fmt: skip
    console.print(table)
    num_rejects = int(counts["num_rejects"].sum())
    if len(found) < num_rejects:
        console.print(f"\n{len(found):,} of {num_rejects:,} are shown; --limit N shows more.")
    by_reason = _table(">rejects", ">records", before=("asset", "reason"))
    for row in counts.iter_rows(named=True):
        by_reason.add_row(*_cells(row["asset"], row["reason"], f"{row['num_rejects']:,}", f"{row['num_records']:,}"))
    console.print()
    console.print(by_reason)
    console.print(
        "\nNext: `data-platform rejects show REJECT` explains one; correct its rule or layout, then"
        " `data-platform rejects replay`."
    )


def _print_waiting(console: Console, waits: list[Waiting]) -> None:
    if not waits:
        return
    console.print(
        f"\n{len(waits):,} {'delivery waits' if len(waits) == 1 else 'deliveries wait'}: held, or not read yet."
        " `data-platform run` reads them, or says why they are held."
    )
    for found in waits[:_WAITING]:
        console.print(Text(f"  {found.day}  {shown(cut(found.file_name, _NAME))}"))
    if len(waits) > _WAITING:
        console.print(f"  and {len(waits) - _WAITING:,} more")


def _table(*numbers: str, before: Sequence[str], after: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for header in (*before, *numbers, *after):
        wraps = header in {"file", "detail"}
        justify = "right" if header.startswith(">") else "left"
        table.add_column(header.removeprefix(">"), justify=justify, no_wrap=not wraps, overflow="fold")
    return table


def _cells(*values: object) -> Iterable[Text]:
    # Text, not str: what stands in brackets in a file's name is no markup.
    return (Text("-" if value is None else shown(str(value))) for value in values)


def _print_json(counts: pl.DataFrame, found: list[Reject], waits: list[Waiting]) -> None:
    content: dict[str, Any] = {
        "num_rejects": int(counts["num_rejects"].sum()),
        "num_records": int(counts["num_records"].sum()),
        "counts": counts.drop("detail").to_dicts(),
        "rejects": [{"address": reject.address, **asdict(reject)} for reject in found],
        "waiting": [asdict(one) for one in waits],
    }
    print(json.dumps(content, default=str, indent=1))


def _facts(reject: Reject) -> Iterable[tuple[str, object]]:
    yield "reject", reject.address
    yield "why", reject.detail
    yield "reason", reject.reason
    yield "missing from", f"{reject.asset}" + (f" of {reject.partition_day}" if reject.partition_day else "")
    yield "delivered", f"{reject.day or 'unknown'}, {reject.file_name or 'under no name that is known'}"
    yield "place", _place(reject)
    yield "records", f"{reject.num_records:,}"
    yield "evidence", reject.evidence_id
    yield "rule version", reject.rule_version


def _place(reject: Reject) -> str:
    span = f"bytes {reject.byte_from:,} to {reject.byte_to:,} ({reject.num_bytes:,})"
    line = f"line {reject.line:,}, " if reject.line else ""
    record = f"record {reject.record_no:,}, " if reject.record_no else "the whole file, " if not reject.line else ""
    return line + record + span


def _ends(chunks: Iterable[bytes]) -> tuple[bytes, bytes]:
    """The beginning and the end of a span, in bounded memory; no end where the beginning is all of it."""
    head, tail = b"", b""
    for chunk in chunks:
        room = 2 * _EACH_END - len(head)
        head, tail = head + chunk[:room], (tail + chunk[room:])[-_EACH_END:]
    if not tail:
        return head, b""
    return head[:_EACH_END], (head[_EACH_END:] + tail)[-_EACH_END:]
