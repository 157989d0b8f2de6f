"""Keeps the warehouse's views as the files in `sql/views/` have them.

What does not belong here: tables (`migrate.py`). A migration that changes a table beneath a view drops the view itself.
"""

import hashlib
import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor
from pydantic import SecretStr

from data_platform.errors import PermanentError
from data_platform.warehouse.connection import WarehouseUnavailable, address

_CREATE = re.compile(r"^CREATE VIEW ([a-z_]+)\.([a-z_]+) AS$", re.MULTILINE)
_LOCK = 7_306_082_412  # any constant: two processes that look at once wait for one another


class ViewError(PermanentError):
    """A file of a view cannot be used; the views are as they were."""


def refresh(url: SecretStr, folder: Path) -> list[str]:
    """Makes every view that a file describes otherwise than the database has it; a second call does nothing.

    Args:
        url: The warehouse.
        folder: Holds a `CREATE VIEW schema.name AS ...` a file, which may use tables, and no other view of the folder.

    Returns:
        Names of the views that were made.

    Raises:
        ViewError: A file is no such statement, or the database refuses it.
        WarehouseUnavailable: The warehouse could not be reached.
    """
    try:
        with closing(psycopg2.connect(url.get_secret_value())) as connection, connection, connection.cursor() as work:
            work.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            return _refresh(work, sorted(folder.glob("*.sql")))
    except psycopg2.OperationalError as error:
        fact = str(error).splitlines()[0]
        raise WarehouseUnavailable(
            f"The warehouse at {address(url)} cannot be reached: {fact}; check WAREHOUSE_URL."
        ) from None


def _refresh(work: cursor, files: Sequence[Path]) -> list[str]:
    made: list[str] = []
    for file in files:
        statement = file.read_text(encoding="utf-8")
        found = _CREATE.search(statement)
        if not found:
            raise ViewError(f"{file.name}: expected a line such as CREATE VIEW schema.name AS.")
        view = sql.Identifier(*found.groups())
        digest = f"{file.name} {hashlib.sha256(statement.encode()).hexdigest()}"
        work.execute("SELECT obj_description(to_regclass(%s), 'pg_class')", (view.as_string(work),))
        if work.fetchone() == (digest,):
            continue
        try:
            work.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(view))
            work.execute(statement)
            work.execute(sql.SQL("COMMENT ON VIEW {} IS {}").format(view, sql.Literal(digest)))
        except (psycopg2.ProgrammingError, psycopg2.errors.DependentObjectsStillExist) as error:
            raise ViewError(f"{file.name} failed, nothing was changed: {str(error).splitlines()[0]}.") from error
        made.append(".".join(found.groups()))
    return made
