"""Brings a warehouse to the newest schema: numbered SQL files, forward only, all of them in one transaction.

Alembic keeps the version row and the order; the files are plain SQL, so that anyone can read and run them.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg2
import sqlalchemy
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import Script
from alembic.script.revision import RevisionMap
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError, ProgrammingError

from data_platform.errors import PermanentError
from data_platform.warehouse.connection import WarehouseUnavailable, address

_FILE = re.compile(r"(?P<number>[0-9]{4})_[a-z0-9_]+\.sql")
_LOCK = 7_306_082_411  # any constant: two processes that migrate at once wait for one another


class MigrationError(PermanentError):
    """A migration file is misnamed or failed; the schema is as it was."""


def _scripts(folder: Path) -> list[Script]:
    scripts: list[Script] = []
    for path in sorted(folder.glob("*.sql")):
        found = _FILE.fullmatch(path.name)
        if not found or int(found["number"]) != len(scripts) + 1:
            raise MigrationError(
                f"{path}: expected a name such as {len(scripts) + 1:04d}_what_it_does.sql, without gaps."
            )
        module: Any = ModuleType(path.stem)
        module.revision, module.down_revision = path.stem, scripts[-1].revision if scripts else None
        module.sql = path.read_text(encoding="utf-8")
        scripts.append(Script(module, path.stem, str(path)))
    return scripts


def migrate(url: SecretStr, folder: Path) -> list[str]:
    """Applies the migrations that the database has not had yet; a second call does nothing.

    Args:
        url: The warehouse.
        folder: Holds `0001_name.sql`, `0002_name.sql`, ...

    Returns:
        Names of the migrations that were applied, in order.

    Raises:
        MigrationError: A file is misnamed, fails, or the database is newer than the files.
        WarehouseUnavailable: The warehouse could not be reached.
    """
    scripts = _scripts(folder)
    revisions = RevisionMap(lambda: scripts)
    _ = revisions.heads  # the map is built at its first use, and a step reads what that leaves on the scripts
    applied: list[str] = []
    driver_url = sqlalchemy.make_url(url.get_secret_value()).set(drivername="postgresql+psycopg2")
    engine = sqlalchemy.create_engine(driver_url, poolclass=sqlalchemy.NullPool)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            if connection.exec_driver_sql("SELECT to_regnamespace('ops')").scalar() is None:
                connection.exec_driver_sql("CREATE SCHEMA ops")

            def missing(heads: Iterable[str], _: MigrationContext) -> list[RevisionStep]:
                known = [script.revision for script in scripts]
                if strangers := set(heads) - set(known):
                    raise MigrationError(
                        f"The warehouse at {address(url)} is at migration {', '.join(strangers)}, which this "
                        "version of the platform does not have; run the newer version."
                    )
                done = max((known.index(head) + 1 for head in heads), default=0)
                applied.extend(known[done:])
                return [RevisionStep(revisions, script, is_upgrade=True) for script in scripts[done:]]

            for script in scripts:
                vars(script.module)["upgrade"] = _upgrade(connection, script)
            context = MigrationContext.configure(
                connection, opts={"fn": missing, "version_table": "migrations", "version_table_schema": "ops"}
            )
            context.run_migrations()
    except ProgrammingError as error:
        fact = str(error.orig).splitlines()[0]
        raise MigrationError(f"The warehouse at {address(url)} refuses to be migrated: {fact}.") from error
    except OperationalError as error:
        raise WarehouseUnavailable(
            f"The warehouse at {address(url)} cannot be reached: {str(error.orig).splitlines()[0]};"
            " check WAREHOUSE_URL."
        ) from None
    finally:
        engine.dispose()
    return applied


def _upgrade(connection: sqlalchemy.Connection, script: Script) -> Callable[[], None]:
    def upgrade() -> None:
        try:
            # The driver's own cursor: a file holds many statements and plain `%`.
            connection.connection.cursor().execute(script.module.sql)
        except psycopg2.Error as error:
            fact = str(error).splitlines()[0]
            raise MigrationError(f"Migration {script.revision} failed, nothing was changed: {fact}.") from error

    return upgrade
