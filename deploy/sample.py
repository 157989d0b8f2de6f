#!/usr/bin/env python
"""Fills the stand-ins of the app's and of the lessons database with the sample world; what is there is left alone."""

from contextlib import closing
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import pymysql

from data_platform import settings as settings_module
from data_platform.local.sample_world import app, lessons


def main() -> None:
    """Fills both, by the administrators' addresses in APP_DATABASE_URL and LESSONS_DATABASE_URL.

    Raises:
        SystemExit: One of them is not set.
    """
    settings = settings_module.load()
    if not (settings.app_database_url and settings.lessons_database_url):
        raise SystemExit("sample: set APP_DATABASE_URL and LESSONS_DATABASE_URL.")
    app.fill(settings.app_database_url, settings.business_timezone)
    yesterday = datetime.now(ZoneInfo(settings.business_timezone)).date() - timedelta(days=1)
    parts = urlsplit(settings.lessons_database_url.get_secret_value())
    connection: Any = pymysql.connect(
        host=parts.hostname, port=parts.port or 3306, user=unquote(parts.username or ""),
        password=unquote(parts.password or ""), database=parts.path.strip("/"),
    )  # fmt: skip
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT max(completion_date) FROM lesson_completion")
        ((latest,),) = cursor.fetchall()
        rows = [row for row in lessons.completions(yesterday) if latest is None or row[-1] > latest]
        insert = "INSERT INTO lesson_completion (user_id, lesson_id, completion_date) VALUES (%s, %s, %s)"
        cursor.executemany(insert, rows)
        connection.commit()


if __name__ == "__main__":
    main()
