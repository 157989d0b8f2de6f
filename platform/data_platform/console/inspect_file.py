"""`data-platform intake inspect FILE`: what the reader finds in a file, as a person or a program wants to know it."""

import json
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from data_platform import intake
from data_platform.console.terminal import cut, shown
from data_platform.errors import PermanentError, TransientError

_CHUNK_BYTES = 2**20
_NAME_LENGTH = 40


def inspect_file(path: Path, *, limit: int, as_json: bool) -> int:
    """Reads a file and says how it is written, and what became of every byte of it.

    Args:
        path: The file.
        limit: How many rejects, and how many pieces of each kind of structure, are shown one by one.
        as_json: As one JSON document, with the whole account.

    Raises:
        PermanentError: It cannot be read, or is no delimited text.
        TransientError: It changed while it was read.
    """
    with _opened(path) as file:
        findings = _findings(path, file, limit)
    print(json.dumps(asdict(findings), indent=2, ensure_ascii=False) if as_json else "\n".join(_lines(findings)))
    return 0


@dataclass
class Findings:
    """What was found, in the order in which it is told; `first` are the first pieces, one by one."""

    file: str
    num_bytes: int
    dialect: dict[str, Any]
    columns: int
    header: dict[str, Any] | None
    accepted: dict[str, Any]
    rejected: dict[str, Any]
    structure: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


def _opened(path: Path) -> BinaryIO:
    try:
        file = path.open("rb")
    except IsADirectoryError as error:
        raise PermanentError(f"{path} is a directory; name a file in it.") from error
    except OSError as error:
        raise PermanentError(f"{path} cannot be opened ({error.strerror}); name a file that you may read.") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise PermanentError(f"{path} is no regular file; copy what comes out of it into one, and name that.")
    return file


def _chunks(path: Path, file: BinaryIO, num_bytes: int, progress: Progress) -> Iterator[bytes]:
    """The file's bytes, which must be as many as it had when it was opened."""
    task = progress.add_task("", total=num_bytes)
    num_read = 0
    while chunk := file.read(_CHUNK_BYTES):
        num_read += len(chunk)
        progress.update(task, completed=num_read)
        yield chunk
    if not num_read == _size(file) == num_bytes:
        raise TransientError(
            f"{path} changed while it was read (it had {num_bytes:,} bytes, then {max(num_read, _size(file)):,}); wait"
            " until whoever writes it is done, then inspect it again."
        )


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _findings(path: Path, file: BinaryIO, limit: int) -> Findings:
    num_bytes = _size(file)
    repairs, reasons = Counter[str](), Counter[str]()
    rejects, parts = list[dict[str, Any]](), list[dict[str, Any]]()
    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=not sys.stderr.isatty()) as progress:
        try:
            reading = intake.read(_chunks(path, file, num_bytes, progress))
        except intake.NotDelimitedText as error:
            raise PermanentError(f"{path}: {error}; nothing of it can be loaded.") from error
        for batch in reading:
            repairs += _counted(batch.records["repair"].drop_nulls())
            reasons += _counted(batch.rejects["reason"])
            rejects += batch.rejects.head(limit - len(rejects)).to_dicts()
            # Of each kind the first ones, which may well be spread over batches.
            parts += batch.structure.group_by("kind", maintain_order=True).head(limit).to_dicts()
            parts = _first(parts, limit)
    structure = reading.structure
    header = asdict(reading.header) if reading.header else None
    return Findings(
        file=str(path),
        num_bytes=structure.num_bytes,
        dialect=asdict(reading.dialect),
        columns=reading.width,
        header=header,
        accepted={
            "records": structure.num_accepted, "bytes": structure.num_accepted_bytes, "repairs": dict(repairs),
        },
        rejected={
            "records": structure.num_rejected, "bytes": structure.num_rejected_bytes, "reasons": dict(reasons),
            "first": rejects,
        },
        structure={
            kind: {
                "lines": structure.lines[kind], "bytes": structure.bytes[kind],
                "first": [part for part in parts if part["kind"] == kind],
            }
            for kind in structure.lines
        },
    )  # fmt: skip


def _counted(codes: pl.Series) -> Counter[str]:
    return Counter({str(code): int(count) for code, count in codes.value_counts().iter_rows()})


def _first(parts: Sequence[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    seen = Counter[str]()
    kept: list[dict[str, Any]] = []
    for part in parts:
        seen[part["kind"]] += 1
        if seen[part["kind"]] <= limit:
            kept.append(part)
    return kept


def _lines(findings: Findings) -> Iterator[str]:
    dialect, header = findings.dialect, findings.header
    yield f"{shown(findings.file)}: {findings.num_bytes:,} bytes"
    yield ""
    yield f"  encoding    {dialect['encoding']}"
    yield f"  line ends   {'CR, LF or CRLF' if dialect['lone_cr'] else 'LF or CRLF'}"
    yield f"  delimiter   {dialect['delimiter']!r}"
    escapes = ", doubled or behind a backslash inside" if dialect["backslash"] else ", doubled inside"
    yield f"  quotes      {repr(dialect['quote']) + escapes if dialect['quote'] else 'none'}"
    yield f"  columns     {findings.columns:,}"
    if header:
        where = f"line {header['line']}" + (f", {header['num_lines']} lines" if header["num_lines"] > 1 else "")
        names = ", ".join(cut(shown(name), _NAME_LENGTH) or "''" for name in header["names"])
        yield f"  header      {where}: {names}"
    else:
        yield "  header      none: no line reads like one"
    yield ""
    yield from _account(findings)
    for reject in findings.rejected["first"]:
        yield f"  line {reject['line']:,}, {_span(reject)}: {reject['reason']}, {reject['detail']}"
    left = findings.rejected["records"] - len(findings.rejected["first"])
    if left:
        yield f"  ... and {left:,} more rejects; --limit shows more of them."


def _account(findings: Findings) -> Iterator[str]:
    accepted, rejected = findings.accepted, findings.rejected
    yield f"  {'':22}{'records':>14}{'lines':>14}{'bytes':>20}"
    yield f"  {'accepted':22}{accepted['records']:>14,}{'':>14}{accepted['bytes']:>20,}"
    for repair, count in accepted["repairs"].items():
        yield f"    of them {repair}: {count:,}"
    yield f"  {'rejected':22}{rejected['records']:>14,}{'':>14}{rejected['bytes']:>20,}"
    for reason, count in rejected["reasons"].items():
        yield f"    of them {reason}: {count:,}"
    for kind, part in findings.structure.items():
        yield f"  {kind:22}{'':>14}{part['lines']:>14,}{part['bytes']:>20,}"
        if kind not in {"bom", "header", "blank"}:
            for piece in part["first"]:
                yield f"    line {piece['line']:,}, {piece['num_lines']:,} lines, {_span(piece)}"
    yield f"  {'all of the file':22}{'':>14}{'':>14}{findings.num_bytes:>20,}"
    if rejected["first"]:
        yield ""


def _span(piece: dict[str, Any]) -> str:
    return f"bytes {piece['byte_from']:,} to {piece['byte_to']:,}"
