"""`deploy/entrypoint`: secrets from files, for names that are declared, and nothing else."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from data_platform.settings import Settings
from platform_tests.deploy.compose import ROOT, services

ENTRYPOINT = ROOT / "deploy" / "entrypoint"
DECLARED = set(re.findall(r"[A-Z_]{4,}", ENTRYPOINT.read_text().partition("for name in")[2].partition(";")[0]))


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [ENTRYPOINT, *(words or (sys.executable, "-c", "import os; print(sorted(os.environ.items()))"))]
    path = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(command, env=path | environment, capture_output=True, text=True, check=False)


def test_a_secret_comes_from_its_file_without_the_last_line_end(tmp_path: Path) -> None:
    secret = "postgresql://u:p$a'\"`\\ss @h/d"
    (tmp_path / "url").write_text(f"{secret}\n")
    shown = run("/bin/sh", "-c", 'printf %s "$WAREHOUSE_URL"', WAREHOUSE_URL_FILE=str(tmp_path / "url"))
    assert (shown.returncode, shown.stdout) == (0, secret)


def test_the_files_name_is_gone_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("x")
    assert "WAREHOUSE_URL_FILE" not in run(WAREHOUSE_URL_FILE=str(tmp_path / "url")).stdout


def test_an_empty_file_sets_nothing(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("")
    done = run(MAIL_URL_FILE=str(tmp_path / "mail"))
    assert (done.returncode, "MAIL_URL" in done.stdout) == (0, False)


def test_a_file_that_is_missing_is_a_sentence_and_the_command_does_not_start(tmp_path: Path) -> None:
    done = run("/bin/echo", "started", WAREHOUSE_URL_FILE=str(tmp_path / "nothing"))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"WAREHOUSE_URL_FILE names {tmp_path / 'nothing'}, which cannot be read" in done.stderr


def test_a_name_that_is_not_declared_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("value")
    assert "'OTHER', " not in run(OTHER_FILE=str(tmp_path / "other")).stdout


def test_the_command_takes_the_place_of_the_entrypoint_with_its_words_as_they_are() -> None:
    done = run("/bin/sh", "-c", 'printf "%s|" "$@"; exit 7', "sh", "a b", "", "*", "$HOME")
    assert (done.returncode, done.stdout) == (7, "a b||*|$HOME|")


@pytest.mark.parametrize("name", sorted({n for s in services().values() for n in s.environment if n.endswith("_FILE")}))
def test_every_secret_that_the_compose_file_gives_to_the_platform_is_declared(name: str) -> None:
    platforms = [s for s in services().values() if s.target == "platform" and name in s.environment]
    assert not platforms or name.removesuffix("_FILE") in DECLARED


def test_every_secret_setting_may_come_from_a_file() -> None:
    secret = {name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert secret <= DECLARED
