"""The image's build steps, run as CI's machine can: the same script, in an empty folder, without anything of a home."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from platform_tests.deploy.compose import ROOT, stages

_OF_THIS_MACHINE = ("PIP_", "UV_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy")


def uv() -> str:
    return str(Path(sys.prefix) / "bin" / "uv")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the build makes of exactly the files that the Dockerfile copies."""
    source, target, home = (tmp_path_factory.mktemp(name) for name in ("source", "target", "home"))
    for words in (line.split()[1:] for line in stages()["build"][1].splitlines() if line.startswith("COPY ")):
        *names, to = words
        for name in names:
            place = source / to if len(names) == 1 else source / to / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, place)
    cache = subprocess.run([uv(), "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    kept = {name: value for name, value in os.environ.items() if name.startswith(_OF_THIS_MACHINE)}
    if Path("/etc/ssl/certs/ca-certificates.crt").exists():
        kept["UV_SYSTEM_CERTS"] = "true"  # as the Makefile does
    ours = {"PATH": os.defpath, "HOME": str(home), "PYTHON": sys.executable, "UV": uv(), "UV_CACHE_DIR": cache}
    done = subprocess.run(
        [source / "deploy" / "build", target], env=kept | ours, cwd=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(source)  # whatever is still needed of it must fail
    return target


def run(built: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = str(built / "bin" / words[0])
    environment = {"PATH": os.defpath, "HOME": "/nonexistent"}
    return subprocess.run(
        [program, *words[1:]], env=environment, cwd=built, capture_output=True, text=True, check=False
    )


def test_the_platform_answers_from_what_was_built(built: Path) -> None:
    done = run(built, "data-platform", "--help")
    assert (done.returncode, done.stdout.startswith("usage: data-platform")) == (0, True), done.stderr
    found = run(built, "python", "-c", "import data_platform; print(data_platform.__file__)").stdout.strip()
    assert Path(found).is_relative_to(built)


def test_the_definitions_load_from_what_was_built_with_every_asset_of_the_checkout(built: Path) -> None:
    code = "from data_platform.definitions import defs; print(len(defs().resolve_asset_graph().get_all_asset_keys()))"
    here = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "platform", env={"PATH": os.defpath}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert run(built, "python", "-c", code).stdout == here.stdout


def test_migrations_views_and_rules_are_inside(built: Path) -> None:
    code = "from data_platform.settings import sql_folder; print(sql_folder())"
    sql = Path(run(built, "python", "-c", code).stdout.strip())
    assert sql.is_relative_to(built)
    of_checkout = {path.relative_to(ROOT / "sql") for path in (ROOT / "sql").rglob("*.sql")}
    assert {path.relative_to(sql) for path in sql.rglob("*.sql")} == of_checkout
    [package] = built.glob("lib/python*/site-packages/data_platform")
    of_checkout = {
        p.relative_to(ROOT / "platform/data_platform") for p in ROOT.glob("platform/data_platform/**/*.yaml")
    }
    assert {path.relative_to(package) for path in package.rglob("*.yaml")} == of_checkout


def test_everything_is_byte_compiled(built: Path) -> None:
    [packages] = built.glob("lib/python*/site-packages")
    for name in ("data_platform/settings", "dagster/__init__", "polars/__init__"):
        path = packages / f"{name}.py"
        assert list(path.parent.glob(f"__pycache__/{path.stem}.*.pyc")), path


def test_the_tools_of_development_are_not_inside(built: Path) -> None:
    assert not {"pytest", "ruff", "pyright", "dg", "uv"} & {path.name for path in (built / "bin").iterdir()}


@pytest.mark.parametrize("program", ["dagster", "dagster-webserver", "dagster-daemon", "python"])
def test_what_the_compose_file_starts_is_inside(built: Path, program: str) -> None:
    assert (built / "bin" / program).exists()
