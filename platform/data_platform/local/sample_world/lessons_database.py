"""The database of completed lessons of the sample world, which goes on: each day that has ended adds its own.

What does not belong here: which lessons were completed (`lessons`), and which day has ended (`settle`).
"""

from contextlib import closing
from datetime import date

import psycopg2
from psycopg2 import extras
from pydantic import SecretStr

from data_platform.local.sample_world import lessons

_TABLE = """
CREATE TABLE IF NOT EXISTS lesson_completion (
    completion_id serial PRIMARY KEY, user_id int NOT NULL, lesson_id int NOT NULL, completion_date date NOT NULL
);
CREATE INDEX IF NOT EXISTS lesson_completion_completion_date ON lesson_completion (completion_date);
"""
_ADD = "INSERT INTO lesson_completion (user_id, lesson_id, completion_date) VALUES %s"


def fill_lessons(url: SecretStr, last_day: date) -> None:
    """Adds the completions of the days that are not there yet, all of them or none; the table too where it is missing.

    Args:
        url: Of a Postgres database.
        last_day: The last day that is added; days after the latest one there are, earlier ones are left alone.
    """
    with closing(psycopg2.connect(url.get_secret_value())) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(20260801)")
        cursor.execute(_TABLE)
        cursor.execute("SELECT max(completion_date) FROM lesson_completion")
        ((latest,),) = cursor.fetchall()
        rows = [row for row in lessons.completions(last_day) if latest is None or row[-1] > latest]
        extras.execute_values(cursor, _ADD, rows)
