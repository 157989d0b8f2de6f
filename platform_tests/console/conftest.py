"""The command line in a process of its own, with an embedded stack of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from data_platform.local import postgres
from data_platform.warehouse.connection import Warehouse

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Commands:
    """`data-platform ...` with its data in a folder."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        return kept | {"LOCAL_DIR": str(self.folder), "COLUMNS": "120"}

    @property
    def landing(self) -> Path:
        folder = self.folder / "lake" / "landing" / "leads"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "data_platform.cli", *words],
            cwd=ROOT, env=self.environment | environment, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, **environment)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def is_current(self) -> bool:
        """Whether a run finds nothing to do; where a day ended or a report came due since the last, the one after."""
        return any("All is current; nothing was changed." in self.run("run").stdout for _ in range(2))

    def tables(self) -> dict[str, object]:
        """Everything that the run is for, as it is published: rows, hashes, evidence, rejects.

        Without the days of the sample app's snapshot that the run itself took: when it was read is another time each.
        Of messages without what a seal or a token is in: each platform has keys of its own.
        """
        server = postgres.ensure(self.folder / "postgres", ["warehouse"])
        try:
            with Warehouse(SecretStr(server.url("warehouse"))).transaction() as transaction:
                return {
                    name: transaction.query(sql).rows()
                    for name, sql in {
                        "versions": "SELECT table_name, day, num_rows, num_rejected,"
                        " CASE WHEN table_name NOT LIKE 'logins.user_%' THEN content_hash END AS content,"
                        " CASE WHEN table_name NOT LIKE 'logins.user_%' AND table_name <> 'logins.daily_logins'"
                        " THEN account_hash END AS account"
                        " FROM ops.current_publications WHERE day IS NULL OR day <= '2026-10-31' ORDER BY 1, 2",
                        "logins": "SELECT create_date, user_id, device_type, locale, app_version, logged_in_at"
                        " FROM logins.user_logins WHERE create_date <= '2026-10-31' ORDER BY 1, 6, 2, 3",
                        "messages": "SELECT * FROM ops.message_account WHERE queue LIKE '%past'",
                        "leads": "SELECT md5(string_agg(l::text, '' ORDER BY lead_id)) FROM leads.leads l",
                        "evidence": "SELECT evidence_id FROM ops.evidence WHERE kind = 'leads' ORDER BY 1",
                        "rejects": "SELECT table_name, day,"
                        " CASE WHEN table_name NOT LIKE 'logins.user_%' THEN evidence_id END AS of, record_no, reason"
                        " FROM ops.rejects WHERE day IS NULL OR day <= '2026-10-31' ORDER BY 1, 2, 3, 4",
                    }.items()
                }
        finally:
            postgres.release(self.folder / "postgres")


def kill_group(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    yield Commands(tmp_path / "stack")
    postgres.stop(tmp_path / "stack" / "postgres")
