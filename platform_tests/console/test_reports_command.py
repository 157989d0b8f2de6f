"""`data-platform reports`, as a person uses it."""

import json
from pathlib import Path

import pytest

from data_platform import settings
from data_platform.console import reports
from data_platform.errors import PermanentError
from data_platform.reports import report_type
from platform_tests.console.conftest import Commands


def test_a_delivered_report_can_be_listed_verified_and_opened(commands: Commands) -> None:
    assert "Nothing was delivered yet" in commands.run("reports", "list").stdout
    done = commands.run("run", "--assets", "active_user_report", "--days", "2026-09-15..2026-09-16")
    assert done.returncode == 0, done.stdout
    assert " 2: 2026-09-15..2026-09-16 " in next(
        line for line in done.stdout.splitlines() if line.startswith("active_user_report")
    )
    shown = commands.run("reports", "list").stdout
    assert "active_user_report (Active users and their completed lessons)" in shown
    newest, _ = json.loads(commands.run("reports", "list", "--json").stdout)
    assert newest["report_id"][:8] in shown
    verified = commands.run("reports", "verify", newest["report_id"][:8])
    assert verified.returncode == 0
    assert f"its bytes are the same: SHA-256 {newest['sha256']}." in verified.stdout
    path = Path(commands.run("reports", "link", newest["report_id"]).stdout.strip())
    assert path.read_bytes().startswith(b"Name,Number of lessons completed,Date\r\n")
    path.write_bytes(path.read_bytes() + b"x")
    damaged = commands.run("reports", "verify", newest["report_id"])
    assert damaged.returncode == 1
    assert "Differs:" in damaged.stdout


def test_a_preview_delivers_nothing_and_hides_who_somebody_is(commands: Commands) -> None:
    shown = commands.run("reports", "preview", "active_user_report", "--day", "2026-09-30", "--rows", "40")
    assert shown.returncode == 0, shown.stderr
    assert "1,560 rows of 2026-09-01..2026-09-30; nothing was kept or delivered." in shown.stdout
    assert "Larkenby" not in shown.stdout
    words = ("reports", "preview", "active_user_report", "--day", "2026-09-30", "--personal")
    assert "Larkenby, Una" in commands.run(*words).stdout
    assert "Nothing was delivered yet" in commands.run("reports", "list").stdout
    kept = commands.run("sql", "-c", "SELECT count(*) AS kept FROM ops.evidence WHERE kind = 'reports'").stdout
    assert kept.split()[2] == "0"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["verify", "abc"], "No report has an id that begins with 'abc'"),
        (["preview", "nope"], "There is no report type 'nope'; there are active_user_report, leads_changed."),
        (["new", "sessions"], "There is a table sessions already, and an asset bears its name"),
        (["new", "active_user_report"], "active_user_report.yaml is there already"),
    ],
)
def test_what_is_not_there_is_one_sentence(commands: Commands, words: list[str], sentence: str) -> None:
    done = commands.run("reports", *words)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_new_type_is_two_short_files_that_load_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "reports").mkdir()
    monkeypatch.setattr(report_type, "FOLDER", tmp_path)
    monkeypatch.setattr(settings, "sql_folder", lambda: tmp_path)
    assert reports.new("leads_by_state", 'Leads: by "state"') == 0
    report = report_type.load(tmp_path / "leads_by_state.yaml")
    assert (report.name, report.title) == ("leads_by_state", 'Leads: by "state"')
    lines = (tmp_path / "leads_by_state.yaml").read_text().splitlines()
    assert len(lines) <= 30
    assert (tmp_path / "reports" / "leads_by_state.sql").is_file()
    assert "reports preview leads_by_state" in capsys.readouterr().out
    with pytest.raises(PermanentError, match="leads_by_state.yaml is there already"):
        reports.new("leads_by_state", "again")
