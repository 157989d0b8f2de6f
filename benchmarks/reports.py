"""A delivered report of active users, on real Postgres and MariaDB, beside the usual script and the bare reads.

The usual script takes the users in chunks of a thousand, asks for the lessons of each chunk by an IN list, and merges
in pandas. It would take hours, so some of its chunks are timed and the time is scaled to all of them. The bare reads
stream the very rows that the platform reads, and do nothing with them: no platform can undercut that.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pandas as pd
import psycopg2
import pymysql
from pydantic import SecretStr

from benchmarks.measure import report
from data_platform.defs.reports.making import ReportMaker
from data_platform.lake.store import Store
from data_platform.local import postgres
from data_platform.publish import protocol
from data_platform.publish.delivered import Report
from data_platform.publish.delivery import deliver
from data_platform.reports import report_type
from data_platform.reports.report_type import statement
from data_platform.settings import Settings, sql_folder
from data_platform.stack import Stack
from data_platform.warehouse import streams
from data_platform.warehouse.connection import Warehouse
from data_platform.warehouse.foreign import ForeignDatabase
from data_platform.warehouse.migrate import migrate
from platform_tests import mysql_server

DAY = date(2026, 11, 30)
_CHUNK_OF_SCRIPT = 1_000
_REPORT = report_type.load(report_type.FOLDER / "active_user_report.yaml")
_USERS = """
CREATE TABLE users (user_id serial PRIMARY KEY, user_name varchar(255) NOT NULL, active_status varchar(10) NOT NULL);
INSERT INTO users (user_name, active_status)
SELECT 'Invented Person ' || n, CASE n % 20 WHEN 0 THEN 'inactive' WHEN 1 THEN 'ACTIVE' ELSE 'active' END
FROM generate_series(1, {num_users}) AS n
"""
_LESSONS = """
CREATE TABLE lesson_completion (completion_id int AUTO_INCREMENT PRIMARY KEY, user_id int NOT NULL,
    lesson_id int NOT NULL, completion_date date NOT NULL);
INSERT INTO lesson_completion (user_id, lesson_id, completion_date)
SELECT 1 + crc32(seq) % {num_users}, crc32(seq * 7) % 200,
    DATE '2026-11-30' - INTERVAL (crc32(seq * 13) % {num_days}) DAY
FROM seq_1_to_{num_completions}
"""


def add_options(parser: argparse._ArgumentGroup) -> None:  # pyright: ignore[reportPrivateUsage]  # it has no public name
    """The flags of this benchmark."""
    parser.add_argument("--users", type=int, default=1_000_000, help="users (default: 1,000,000)")
    parser.add_argument("--completions", type=int, default=20_000_000, help="lessons (default: 20,000,000)")
    parser.add_argument("--lesson-days", type=int, default=30, help="days that they spread over (default: 30)")
    parser.add_argument("--script-chunks", type=int, default=10, help="chunks of the script to time (default: 10)")
    parser.add_argument("--report-rounds", type=int, default=3, help="rounds (default: 3)")


def main(options: argparse.Namespace) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "mysql").mkdir()
        server = postgres.ensure(Path(folder) / "postgres", ["warehouse"])
        try:
            with mysql_server.running(Path(folder) / "mysql") as mysql:
                for share in (4, 2):
                    with mysql_server.fresh_database(mysql) as lessons:
                        _memory(options, share, _fill(server.url("warehouse"), lessons, options, share), folder)
                with mysql_server.fresh_database(mysql) as lessons:
                    urls = _fill(server.url("warehouse"), lessons, options, 1)
                    _memory(options, 1, urls, folder)
                    _race(urls, folder, options, lessons.run)
        finally:
            postgres.release(Path(folder) / "postgres")


def _memory(options: argparse.Namespace, share: int, urls: dict[str, str], folder: str) -> None:
    found = _child("deliver", urls, folder)
    print(
        f"{options.users // share:>9,} users, {options.completions // share:>10,} completions:"
        f" {found['num_rows']:>10,} rows, {found['num_bytes'] / 10**6:>5,.0f} MB delivered in {found['seconds']:.1f} s,"
        f" peak memory {found['peak_bytes'] / 2**20:,.0f} MiB",
        flush=True,
    )


def _fill(url: str, lessons: mysql_server.MySqlDatabase, options: argparse.Namespace, share: int) -> dict[str, str]:
    num_users, num_completions = options.users // share, options.completions // share
    _run(url, "DROP TABLE IF EXISTS users")
    _run(url, _USERS.format(num_users=num_users))
    meaning = {"num_users": num_users, "num_completions": num_completions, "num_days": options.lesson_days}
    for statement_ in _LESSONS.format(**meaning).split(";"):
        lessons.run(statement_)
    return {"app": url, "lessons": lessons.url.get_secret_value()}


def _race(urls: dict[str, str], folder: str, options: argparse.Namespace, run: Callable[[str], object]) -> None:
    seconds: dict[str, list[float]] = {}
    num_chunks = -(-options.users * 19 // 20 // _CHUNK_OF_SCRIPT)
    print(f"The script: {options.script_chunks} of {num_chunks} chunks are timed, and scaled.")

    def script(name: str) -> None:
        found = _child("script", urls, folder, num_chunks=options.script_chunks)
        scaled = found["seconds_before"] + found["seconds"] / options.script_chunks * num_chunks
        seconds.setdefault(name, []).append(scaled)

    for _ in range(options.report_rounds):
        for way, name in {"deliver": "this platform", "bare": "bare reads"}.items():
            seconds.setdefault(name, []).append(_child(way, urls, folder)["seconds"])
        script("usual script")
    run("CREATE INDEX lesson_completion_user ON lesson_completion (user_id, completion_date)")
    for _ in range(options.report_rounds):
        script("usual script, an index on the user")
    report(
        f"A report of {options.users:,} users, {options.completions:,} completions in {options.lesson_days} days",
        seconds,
        base="bare reads",
    )


def _child(way: str, urls: dict[str, str], folder: str, **more: int) -> dict[str, Any]:
    """What a process of its own measured: the highest memory of a process is known only for its whole life."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        task = json.dumps({"way": way, "urls": urls, "folder": own, **more})
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.reports", task], capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(done.stderr)
        return json.loads(done.stdout.splitlines()[-1])


def _run(url: str, sql: str) -> None:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql)


def _deliver(urls: dict[str, str], folder: str) -> dict[str, Any]:
    migrate(SecretStr(urls["app"]), sql_folder() / "migrations")
    _run(urls["app"], "TRUNCATE reports.reports_generated, reports.attempts")
    root = Path(folder)
    lake = Store((root / "lake").as_uri())
    stack = Stack(
        Settings(local_dir=root), Warehouse(SecretStr(urls["app"])), lake, Store(f"{lake.uri}/landing"),
        ForeignDatabase(SecretStr(urls["app"]), "APP_DATABASE_URL"), Store(f"{lake.uri}/reports"),
        ForeignDatabase(SecretStr(urls["lessons"]), "LESSONS_DATABASE_URL"),
    )  # fmt: skip
    by = protocol.Provenance("bench", "bench", protocol.clock(stack.warehouse))
    began = time.perf_counter()
    done = deliver(stack.warehouse, stack.reports, Report(_REPORT.name, DAY), ReportMaker(stack, _REPORT, DAY), by=by)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "num_rows": done.files[0].num_rows, "num_bytes": done.files[0].num_bytes}


def _bare(urls: dict[str, str], folder: str) -> dict[str, Any]:  # noqa: ARG001 (the ways share one form)
    began = time.perf_counter()
    num_rows = 0
    for source in _REPORT.sources.values():
        query = (sql_folder() / "reports" / source.query).read_text(encoding="utf-8")
        database = ForeignDatabase(SecretStr(urls[source.database]), "bench")
        with streams.begin(database, statement(query, _REPORT.window(DAY)), called=source.query) as stream:
            num_rows += sum(frame.height for frame in stream.frames(source.types))
    return {"seconds": time.perf_counter() - began, "num_rows": num_rows}


def _script(urls: dict[str, str], folder: str, num_chunks: int) -> dict[str, Any]:
    began = time.perf_counter()
    with closing(psycopg2.connect(urls["app"])) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT user_id, user_name FROM users WHERE lower(active_status) = 'active' ORDER BY user_id")
        users = pd.DataFrame(cursor.fetchall(), columns=["user_id", "Name"])
    days = pd.DataFrame({"Date": [DAY - timedelta(days=n) for n in range(29, -1, -1)]})
    before = time.perf_counter() - began
    parts = urlsplit(urls["lessons"])
    began = time.perf_counter()
    with (
        closing(
            pymysql.connect(
                host=str(parts.hostname), port=parts.port or 3306, user=unquote(parts.username or ""),
                password=unquote(parts.password or ""), database=parts.path.strip("/"),
            )
        ) as connection,
        connection.cursor() as cursor,
        (Path(folder) / "report.csv").open("w", encoding="utf-8", newline="") as file,
    ):  # fmt: skip
        for number in range(num_chunks):
            chunk = users.iloc[number * _CHUNK_OF_SCRIPT : (number + 1) * _CHUNK_OF_SCRIPT]
            ids = [int(user) for user in chunk["user_id"]]
            cursor.execute(
                "SELECT user_id, completion_date, count(DISTINCT lesson_id) FROM lesson_completion WHERE user_id IN"
                f" ({', '.join(['%s'] * len(ids))}) AND completion_date BETWEEN %s AND %s GROUP BY 1, 2",
                (*ids, DAY - timedelta(days=29), DAY),
            )
            header = ["user_id", "Date", "Number of lessons completed"]
            lessons = pd.DataFrame([*cursor.fetchall()], columns=header)
            merged = chunk.merge(days, how="cross").merge(lessons, on=["user_id", "Date"], how="left")
            merged["Number of lessons completed"] = merged["Number of lessons completed"].fillna(0).astype(int)
            merged[["Name", "Number of lessons completed", "Date"]].to_csv(file, index=False, header=number == 0)
    return {"seconds": time.perf_counter() - began, "seconds_before": before}


_WAYS: dict[str, Callable[..., dict[str, Any]]] = {"deliver": _deliver, "bare": _bare, "script": _script}

if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    answer = _WAYS[task.pop("way")](**task)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps(answer | {"peak_bytes": peak}), flush=True)
