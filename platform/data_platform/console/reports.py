"""Reports on the terminal: what was delivered, whether it still is, a link to it, and the beginnings of a new type."""

import json
import sys
from collections import Counter
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from data_platform import contracts
from data_platform import settings as settings_module
from data_platform.console import home
from data_platform.console.terminal import shown
from data_platform.defs.reports.making import ReportMaker, defined
from data_platform.errors import PermanentError
from data_platform.publish import delivered, mailing
from data_platform.publish.mailing import Mailer
from data_platform.publish.verification import faults_of_made, faults_of_stored
from data_platform.reports import gate, report_type
from data_platform.reports.report_type import ReportType
from data_platform.stack import Stack, open_stack

_SHORT = 8
_HIDDEN = "…"


def list_reports(name: str | None, *, limit: int, as_json: bool) -> int:
    """Prints the files that were delivered last.

    Returns:
        The exit code: 0, whether there are any or not.
    """
    types = report_type.every()
    files = delivered.latest(_stack().warehouse, name, limit=limit)
    if as_json:
        print(json.dumps([asdict(file) for file in files], indent=1, default=str))
        return 0
    console = _console()
    if files:
        table = _table("report", "type", "day", ">version", "format", ">rows", ">bytes", "delivered at (UTC)", "where")
        for file in files:
            table.add_row(*(Text(shown(str(cell))) for cell in (
                file.report_id[:_SHORT], file.report_type, file.report_date, file.version, file.file_format,
                f"{file.num_rows:,}", f"{file.num_bytes:,}", f"{file.delivered_at:%Y-%m-%d %H:%M}", file.download_link,
            )))  # fmt: skip
        console.print(table)
    else:
        console.print(
            f"Nothing was delivered{f' of {name}' if name else ''} yet; `data-platform run` delivers what is due."
        )
    console.print(f"\nReport types: {', '.join(f'{report.name} ({report.title})' for report in types)}.")
    return 0


def preview(name: str, day: date | None, *, num_rows: int, personal: bool) -> int:
    """Reads a report's sources now and prints its first rows, and whether its gate would let it pass.

    Returns:
        The exit code: 0, or 1 where the gate is closed.
    """
    stack = _stack(with_samples=True)
    report = _type(name)
    zone = ZoneInfo(stack.settings.business_timezone)
    day = day or datetime.now(UTC).astimezone(zone).date() - timedelta(days=1)
    first: list[pl.DataFrame] = []
    num, num_empty, read, used = 0, Counter[str](), Counter[str](), Counter[str]()
    for part in ReportMaker(stack, report, day).rows_now():
        if num < num_rows:
            first.append(part.rows.head(num_rows - num))
        num += part.rows.height
        num_empty.update(gate.num_empty(part.rows))
        read.update(part.num_read)
        used.update(part.num_used)
    console = _console()
    table = _table(*(column.header for column in report.columns))
    hidden = frozenset[str]() if personal else report.personal_headers
    for row in pl.concat(first).iter_rows(named=True):
        table.add_row(*(_HIDDEN if header in hidden else _cell(value) for header, value in row.items()))
    console.print(table)
    first_day, last_day = report.window(day)
    console.print(f"\n{num:,} rows of {first_day}..{last_day}; nothing was kept or delivered.", highlight=False)
    for source, num_read in read.items():
        console.print(f"{source}: {num_read:,} rows read, {used[source]:,} used.", highlight=False)
    if hidden:
        console.print(f"Personal columns show as {_HIDDEN}; --personal shows them.")
    before = [file for file in delivered.current(stack.warehouse, name) if file.report_date <= day]
    gate.prove_fit(report, day, num, num_empty, before[-1].num_rows if before else None)
    return 0


def verify(report_id: str) -> int:
    """Looks at a delivered report where it lies, derives it again, and says whether all bytes are the same.

    Returns:
        The exit code: 0 where all bytes are the ones delivered, 1 where not.
    """
    stack = _stack()
    file = delivered.find(stack.warehouse, report_id)
    manifest = delivered.manifest_of(stack.reports, file)
    report = defined(manifest.definition)
    faults = faults_of_stored(stack.reports, [file])
    faults += faults_of_made(manifest, ReportMaker(stack, report, file.report_date))
    console = _console()
    for fault in faults:
        console.print(f"[bold red]Differs:[/] {shown(fault)}.", soft_wrap=True, highlight=False)
    if faults:
        return 1
    console.print(f"{file.report} (version {file.version}, {file.file_format}) is what was delivered.", highlight=False)
    for source in manifest.sources:
        console.print(
            f"{source.name}: evidence {source.evidence_id[:12]}, read {source.read_at:%Y-%m-%d %H:%M:%S} UTC,"
            f" {source.num_rows:,} rows, {source.num_used:,} used.", highlight=False,
        )  # fmt: skip
    console.print(f"Derived again from them, its bytes are the same: SHA-256 {file.sha256}.", highlight=False)
    return 0


def link(report_id: str) -> int:
    """Prints an address that opens a delivered file.

    Returns:
        The exit code.
    """
    stack = _stack()
    file = delivered.find(stack.warehouse, report_id)
    key = delivered.key_in(stack.reports, file)
    hours = stack.settings.report_link_hours
    print(stack.reports.link(key, timedelta(hours=hours)) or stack.reports.location(key))
    return 0


def mail(report_id: str, *, again: bool) -> int:
    """Sends a delivered report to the recipients of its type who were not told of it.

    Returns:
        The exit code: 0 where all were told, 1 where a mail did not go.
    """
    stack = _stack()
    file = delivered.find(stack.warehouse, report_id)
    report = _type(file.report_type)
    with stack.warehouse.transaction() as transaction:
        files = [f for f in delivered.history(transaction, file.report) if f.version == file.version]
    if not report.recipients:
        raise PermanentError(f"{report.name} has no recipients; write them into {report.name}.yaml.")
    failures = _mailer(stack).tell(files, report.title, report.recipients, again=again)
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        return 1
    told, num = mailing.num_told(stack.warehouse, files, report.recipients), len(report.recipients)
    if told < num:
        print(
            f"Of {num - told} recipients nobody knows whether they were told; --again sends it to all.", file=sys.stderr
        )
        return 1
    print(f"All {num} recipients of {file.report} have been told.")
    return 0


def new(name: str, title: str) -> int:
    """Writes the beginnings of a report type: its YAML file and its SQL.

    Returns:
        The exit code.

    Raises:
        PermanentError: There is such a type, or the name cannot be one.
    """
    reads = {name for report in report_type.every() for source in report.sources.values() for name in source.reads}
    if name in reads | {contract.name for contract in contracts.every()}:
        raise PermanentError(f"There is a table {name} already, and an asset bears its name; choose another name.")
    folder, queries = report_type.FOLDER, settings_module.sql_folder() / "reports"
    files = {folder / f"{name}.yaml": _YAML, queries / f"{name}.sql": _SQL}
    for file in files:
        if file.exists():
            raise PermanentError(f"{file.name} is there already; choose another name, or edit that.")
    for file, text in files.items():
        file.write_text(text.replace("NAME", name).replace("TITLE", json.dumps(title)), encoding="utf-8")
        print(file)
    report_type.load(folder / f"{name}.yaml")
    print(f"Edit both, then look: data-platform reports preview {name}")
    return 0


_YAML = """\
title: TITLE
owner: team:analytics
window_days: 7 # the last of them is the report's day

columns: # of the delivered file, in this order; personal ones are shown in no preview
  - {header: State, of: state}
  - {header: Providers, of: num_leads}

sources:
  leads:
    database: warehouse # or app (APP_DATABASE_URL), lessons (LESSONS_DATABASE_URL)
    query: NAME.sql
    columns: {state: text, num_leads: integer}
    reads: [leads] # assets, for the lineage

rows: {of: leads, key: state, days: none} # `every` or `any` adds days; active_user_report.yaml shows how

formats: [csv] # also xlsx, parquet
schedule: {at: "06:00", weekdays: [7]} # of the day after; 1 is Monday
gate: {min_rows: 1}
recipients: []
"""
_SQL = """\
-- What is in the report. :first_day and :last_day are the window; rows come in ascending order of the key.
SELECT state, count(*) AS num_leads
FROM leads.leads
WHERE last_seen_on <= :last_day
GROUP BY state
ORDER BY state COLLATE "C"
"""


def _type(name: str) -> ReportType:
    types = {report.name: report for report in report_type.every()}
    if name not in types:
        raise PermanentError(f"There is no report type {name!r}; there are {', '.join(types)}.")
    return types[name]


def _mailer(stack: Stack) -> Mailer:
    return Mailer(stack.warehouse, stack.reports, stack.settings)


def _stack(*, with_samples: bool = False) -> Stack:
    stack = open_stack(settings_module.load())
    if with_samples:
        home.settle_sample_world(stack)
    return stack


def _cell(value: object) -> Text:
    return Text("" if value is None else shown(str(value)))


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 200)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        justify: Any = "right" if column.startswith(">") else "left"
        table.add_column(column.removeprefix(">"), justify=justify, no_wrap=column != "where", overflow="fold")
    return table
