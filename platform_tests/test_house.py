"""The house itself: names, the folder `platform/`, what definitions may touch, and the asset graph."""

import json
import os
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from data_platform import settings

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "platform" / "data_platform"
GRAPH = Path(__file__).parent / "asset_graph.json"

_DESCRIBE_GRAPH = """
import json
from data_platform.definitions import defs
graph = defs().resolve_asset_graph()
nodes = {}
for key in graph.toposorted_asset_keys:
    node = graph.get(key)
    nodes[key.to_user_string()] = {
        "parents": sorted(parent.to_user_string() for parent in node.parent_keys),
        "group": node.group_name,
        "owners": sorted(node.owners),
        "kinds": sorted(node.kinds),
        "table": node.metadata.get("dagster/table_name"),
        "days": node.is_partitioned,
        "checks": sorted(check.name for check in graph.get_check_keys_for_assets({key})),
    }
print(json.dumps(nodes))
"""

# While definitions load nobody connects, looks up a name or asks for settings; what would is made to say so.
_GUARD = """
import socket, sys
import adbc_driver_postgresql.dbapi, psycopg2
from data_platform import settings, stack
def refuse(*_, **__):
    raise AssertionError("network or settings while definitions load")
def audit(event, _):
    if event in {"socket.connect", "socket.getaddrinfo"}:
        refuse()
sys.addaudithook(audit)
settings.load = settings.Settings.__init__ = stack.open_stack = refuse
adbc_driver_postgresql.dbapi.connect = psycopg2.connect = refuse
"""


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "platform",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_folder_platform_is_never_a_package() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()


@pytest.mark.parametrize(
    "arguments",
    [["-c", "import platform; platform.system()"], ["-m", "dagster", "--version"], ["-m", "pytest", "--version"]],
)
def test_the_standard_librarys_platform_is_not_shadowed_from_the_root(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.__file__)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not Path(found.stdout.strip()).is_relative_to(ROOT / "platform")


def test_no_module_bears_the_name_of_the_standard_library_or_a_dependency() -> None:
    """At the top level it would shadow; inside the package it would mislead."""
    taken = set(sys.stdlib_module_names) | set(packages_distributions())
    top_level = {path.stem for path in (ROOT / "platform").iterdir()} - {"data_platform", "dg", "__pycache__"}
    assert not top_level & taken
    names = {path.stem for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert not names & taken


def test_definitions_load_without_environment_and_without_network() -> None:
    assert "raw_leads" in python(_GUARD + _DESCRIBE_GRAPH)


def test_the_asset_graph_is_the_stored_one() -> None:
    """A changed graph shows in review: `UPDATE_GRAPH=1 make test` stores the new one."""
    found = json.loads(python(_DESCRIBE_GRAPH))
    if os.environ.get("UPDATE_GRAPH"):
        GRAPH.write_text(json.dumps(found, indent=2) + "\n")
    assert found == json.loads(GRAPH.read_text())


def test_every_asset_says_what_it_is() -> None:
    code = """
import json
from data_platform.definitions import defs
graph = defs().resolve_asset_graph()
print(json.dumps({key.to_user_string(): [
    bool(graph.get(key).description), bool(graph.get(key).owners), bool(graph.get(key).kinds),
    bool(graph.get(key).group_name != "default"),
    not graph.get(key).is_materializable or "dagster/column_schema" in graph.get(key).metadata,
    not graph.get(key).is_materializable or len(graph.get_check_keys_for_assets({key})) >= 3,
    not graph.get(key).is_materializable or graph.get(key).freshness_policy is not None,
] for key in graph.get_all_asset_keys()}))
"""
    assert all(all(facts) for facts in json.loads(python(code)).values())


def test_the_example_of_settings_is_the_one_made_from_the_class() -> None:
    assert (ROOT / ".env.example").read_text() == settings.example()


@pytest.mark.parametrize(
    "touch", ["settings.load()", "settings.Settings()", "socket.create_connection(('127.0.0.1', 9))"]
)
def test_the_guard_over_loading_notices(touch: str) -> None:
    with pytest.raises(AssertionError, match="network or settings while definitions load"):
        python(_GUARD + touch)


def test_only_settings_reads_the_environment() -> None:
    readers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "os.getenv" in path.read_text() or "environ" in path.read_text().replace("environment", "")
    }
    # Dagster is told where its home is, and psql its password, by the environment that each reads itself.
    assert readers <= {"console/home.py", "console/sql.py", "local/postgres_process.py"}


def test_workspace_and_dg_project_name_the_same_code_location() -> None:
    location = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    assert location["module_name"] == "data_platform.definitions"
    assert location["working_directory"] == "platform"
    assert 'code_location_target_module = "data_platform.definitions"' in (ROOT / "platform" / "dg.toml").read_text()
