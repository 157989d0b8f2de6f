"""`deploy/make-secrets` and `deploy/add-user`: all that the compose file mounts, made once, and nobody let in."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from data_platform.settings import Settings
from platform_tests.deploy.compose import ROOT, read

BIN = Path(sys.prefix) / "bin"


def make(folder: Path) -> dict[str, str]:
    environment = {"PATH": os.defpath, "DATA_PLATFORM": str(BIN / "data-platform")}
    subprocess.run([ROOT / "deploy" / "make-secrets", folder], env=environment, check=True, capture_output=True)
    return {path.name: path.read_text() for path in folder.iterdir() if path.suffix != ".lock"}


def test_it_makes_exactly_what_the_compose_file_mounts(tmp_path: Path) -> None:
    assert make(tmp_path / "secrets").keys() == read()["secrets"].keys()


def test_the_folder_keeps_others_out_and_every_user_of_a_container_can_read(tmp_path: Path) -> None:
    make(tmp_path / "secrets")
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir() if path.suffix != ".lock"}
    assert modes == {0o444}


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    before = make(tmp_path / "secrets")
    (tmp_path / "secrets" / "app_database_url").chmod(0o600)
    (tmp_path / "secrets" / "app_database_url").write_text("postgresql://me:mine@elsewhere:5432/app")
    after = make(tmp_path / "secrets")
    assert after["app_database_url"] == "postgresql://me:mine@elsewhere:5432/app"
    del before["app_database_url"], after["app_database_url"]
    assert before == after


def test_two_stacks_share_no_password(tmp_path: Path) -> None:
    one, other = make(tmp_path / "one"), make(tmp_path / "other")
    random = {name for name in one if name.endswith(("password", "key", "key_id", "privacy_keys"))}
    assert not {one[name] for name in random} & {other[name] for name in random}
    assert len({one[name] for name in random}) == len(random)


def test_the_addresses_hold_the_passwords_and_are_settings(tmp_path: Path) -> None:
    made = make(tmp_path / "secrets")
    for name, password in (
        ("warehouse_url", "warehouse_password"), ("app_database_url", "app_reader_password"),
        ("lessons_database_url", "lessons_reader_password"),
    ):  # fmt: skip
        assert urlsplit(made[name]).password == made[password]
        assert getattr(Settings.model_validate({name: made[name]}), name).get_secret_value() == made[name]
    assert urlsplit(made["dagster_url"]).scheme == "postgresql+psycopg2"


def test_nobody_may_log_in_until_somebody_was_added(tmp_path: Path) -> None:
    made = make(tmp_path / "secrets")
    assert (made["editors"], made["viewers"]) == ("", "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make(tmp_path / "secrets")
    return tmp_path / "secrets"


def add(folder: Path, kind: str, name: str, password: str) -> subprocess.CompletedProcess[str]:
    caddy = folder.parent / "caddy"
    caddy.write_text(
        "#!/bin/sh\nread -r password\necho '$2a$14$'$(printf %s \"$password\" | sha256sum | cut -c 1-53)\n"
    )
    caddy.chmod(0o755)
    command = [ROOT / "deploy" / "add-user", kind, name, folder]
    environment = {"PATH": os.defpath, "CADDY": str(caddy)}
    return subprocess.run(command, env=environment, input=f"{password}\n", capture_output=True, text=True, check=False)


def test_a_user_is_a_name_and_a_hash_and_never_the_password(folder: Path) -> None:
    assert add(folder, "editors", "ann", "correct horse battery").returncode == 0
    assert add(folder, "editors", "bob", "correct horse battery").returncode == 0
    lines = (folder / "editors").read_text().splitlines()
    assert [line.split(" ")[0] for line in lines] == ["ann", "bob"]
    assert all(re.fullmatch(r"\S+ \$2a\$14\$[0-9a-f]{53}", line) for line in lines)


@pytest.mark.parametrize(
    ("kind", "name", "password", "told"),
    [
        ("owners", "ann", "correct horse battery", "usage"),
        ("editors", "", "correct horse battery", "A name has letters"),
        ("editors", "ann {\nimport x", "correct horse battery", "A name has letters"),
        ("editors", "ann", "short", "twelve characters"),
    ],
)
def test_what_cannot_be_a_user_is_refused_in_one_sentence(
    folder: Path, kind: str, name: str, password: str, told: str
) -> None:
    done = add(folder, kind, name, password)
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert (folder / "editors").read_text() == ""


def test_a_name_is_in_one_list_once(folder: Path) -> None:
    assert add(folder, "editors", "ann", "correct horse battery").returncode == 0
    done = add(folder, "viewers", "ann", "another good password")
    assert (done.returncode, "may log in already" in done.stderr) == (1, True)
