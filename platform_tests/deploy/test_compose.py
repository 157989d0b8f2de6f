"""What docker-compose.yml says: a valid file, one way in, nothing as root, no secret in it, every variable known."""

import json
import re
import tomllib
from importlib import resources
from typing import Any, cast

import pytest
import yaml
from jsonschema import ValidationError
from jsonschema.validators import validator_for

from data_platform.settings import Settings
from platform_tests.deploy.compose import FILE, ROOT, Service, read, services, stages

SERVICES = services()
EACH = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
FIELDS = {name.upper() for name in Settings.model_fields}

NOT_SET = {
    "LOCAL_DIR": "the folder of the embedded stack, of which nothing runs",
    "AWS_ENDPOINT_URL": "one address for store and queue, which are two servers here",
}
OF_AWS = {
    "AWS_ACCESS_KEY_ID": "who asks",
    "AWS_SECRET_ACCESS_KEY": "and the proof",
    "AWS_REGION": "of the object store, for Polars and obstore",
    "AWS_DEFAULT_REGION": "the same, for boto",
    "AWS_ENDPOINT_URL_S3": "the store's address; boto, Polars and obstore read it",
    "AWS_ALLOW_HTTP": "the store is inside, and speaks HTTP; Polars and obstore read it",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "boto adds checksums that not every store understands",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "the same, of what is read",
    "AWS_EC2_METADATA_DISABLED": "no credentials are looked for in a cloud that is not there",
}
OF_DAGSTER = {
    "DAGSTER_POSTGRES_URL": "dagster.yaml reads it",
    "DAGSTER_DISABLE_TELEMETRY": "its home is read-only, and the webserver would make folders there",
}
OF_POSTGRES = {
    "POSTGRES_USER": "the superuser, of the image",
    "POSTGRES_PASSWORD_FILE": "the superuser's password, of the image",
    "POSTGRES_INITDB_ARGS": "checksums, and passwords from everywhere, of the image",
}
KNOWN: dict[str, dict[str, str]] = {
    "proxy": {"SITE": "the Caddyfile reads it"},
    "webserver": OF_DAGSTER,
    "viewers": OF_DAGSTER,
    "daemon": OF_DAGSTER,
    "code-server": OF_DAGSTER | OF_AWS | {"TMPDIR": "where Python puts what is too large for memory"},
    "prepare": OF_DAGSTER | OF_AWS,
    "sample": {},
    "postgres": OF_POSTGRES
    | {f"{role}_PASSWORD_FILE": "init.sh reads it" for role in ("WAREHOUSE", "DAGSTER", "ANALYST")},
    "app-database": OF_POSTGRES
    | {"POSTGRES_DB": "the app's database, of the image", "READER_PASSWORD_FILE": "app.sh reads it"},
    "lessons-database": {
        "MYSQL_ROOT_PASSWORD_FILE": "the administrator's password, of the image",
        "READER_PASSWORD_FILE": "init.sh reads it",
    },
    "object-store": {},
    "queue": {},
}


def plain(service: Service) -> set[str]:
    """A service's variables, those from files under the name that the entrypoint gives them."""
    if service.target != "platform":
        return set(service.environment)
    return {name.removesuffix("_FILE") for name in service.environment}


def refuse_what_is_no_compose_file(content: Any) -> None:
    """Validates by the official schema, as the package check-jsonschema carries it (Apache-2.0)."""
    vendored = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(vendored.read_text(encoding="utf-8"))
    validator_for(schema)(schema).validate(content)


def test_the_file_is_valid_by_the_compose_specification() -> None:
    refuse_what_is_no_compose_file(read())


@pytest.mark.parametrize(
    ("key", "value"), [("helthcheck", {}), ("mem_limit", ["1g"]), ("restart", 3), ("depends_on", {"postgres": {}})]
)
def test_the_specification_notices_a_mistake(key: str, value: object) -> None:
    wrong = read()
    wrong["services"]["daemon"][key] = value
    with pytest.raises(ValidationError):
        refuse_what_is_no_compose_file(wrong)


@EACH
def test_every_variable_is_a_setting_or_known_to_what_reads_it(service: Service) -> None:
    settings = FIELDS if service.target == "platform" else set[str]()
    assert plain(service) - settings == set(KNOWN[service.name])


def test_the_code_server_is_given_every_setting_that_production_needs() -> None:
    assert plain(SERVICES["code-server"]) & FIELDS == FIELDS - NOT_SET.keys()
    assert plain(SERVICES["prepare"]) & FIELDS == FIELDS - NOT_SET.keys()


def test_nothing_that_names_a_place_is_left_to_the_embedded_stack() -> None:
    of_place = {name for name in FIELDS if name.endswith(("_URL", "_URI", "_KEYS"))} - {"MAIL_URL", "AWS_ENDPOINT_URL"}
    given = {name.removesuffix("_FILE") for name, value in SERVICES["code-server"].environment.items() if value}
    assert of_place <= given


@pytest.mark.parametrize("name", ["webserver", "viewers", "daemon"])
def test_only_the_code_server_knows_the_data(name: str) -> None:
    assert plain(SERVICES[name]) == set(OF_DAGSTER)
    assert SERVICES[name].keys["secrets"] == ["dagster_url"]


def test_only_the_proxy_can_be_reached_from_outside_and_without_a_domain_only_from_this_machine() -> None:
    published = {name: service.keys["ports"] for name, service in SERVICES.items() if "ports" in service.keys}
    assert set(published) == {"proxy"}
    assert all(port.startswith("127.0.0.1:") for port in published["proxy"])
    assert not any({"network_mode", "privileged", "pid", "ipc", "devices"} & set(s.keys) for s in SERVICES.values())


@EACH
def test_every_service_is_restarted_and_limited_and_a_server_has_a_probe(service: Service) -> None:
    assert re.fullmatch(r"\d+[mg]", service.keys["mem_limit"])
    assert service.keys["pids_limit"]
    if service.is_task:
        assert "healthcheck" not in service.keys
    else:
        assert service.keys["restart"] == "unless-stopped"
        assert service.probe


@EACH
def test_no_service_is_root_or_can_become_it_or_write_outside_its_volumes(service: Service) -> None:
    user, group = service.keys["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service.keys["cap_drop"] == ["ALL"]
    assert service.keys["security_opt"] == ["no-new-privileges:true"]
    assert service.keys["read_only"] is True
    assert service.keys.get("cap_add", []) == (["NET_BIND_SERVICE"] if service.name == "proxy" else [])


def test_every_image_is_pinned_and_ours_by_the_version_of_the_project() -> None:
    own = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for service in SERVICES.values():
        name, _, version = service.keys["image"].partition(":")
        if service.target:
            assert (name.startswith("data-platform"), version) == (True, own)
        else:
            assert re.fullmatch(r"\d+\.\d+(\.\d+)?", version), service.keys["image"]
    for image, _ in stages().values():
        assert re.fullmatch(r"[a-z/-]+:\d+\.\d+(\.\d+)?(-slim-bookworm)?", image), image


def test_no_stage_that_is_served_ends_as_root() -> None:
    for name in {service.target for service in SERVICES.values() if service.target}:
        users = re.findall(r"^USER (.+)$", stages()[name][1], re.MULTILINE)
        assert users[-1] == "10001:10001"


def test_there_is_no_secret_in_the_file() -> None:
    for service in SERVICES.values():
        for name, value in service.environment.items():
            if re.search(r"PASSWORD|SECRET|KEY|_URL_FILE", name):
                assert str(value).startswith("/run/secrets/"), name
    assert not re.search(r"://[^/\s:]+:[^@\s]+@", FILE.read_text())


def test_every_secret_is_declared_and_given_to_who_reads_it() -> None:
    declared = read()["secrets"]
    assert {name for service in SERVICES.values() for name in service.keys.get("secrets", [])} == set(declared)
    for name, place in declared.items():
        assert place == {"file": f"${{SECRETS:-./deploy/secrets}}/{name}"}
    for service in SERVICES.values():
        named = {str(v).rpartition("/")[2] for v in service.environment.values() if str(v).startswith("/run/secrets/")}
        assert named <= set(service.keys.get("secrets", [])), service.name


def test_every_volume_and_network_is_declared_and_used_and_every_mounted_file_exists() -> None:
    mounts = [mount.split(":") for service in SERVICES.values() for mount in service.keys.get("volumes", [])]
    assert {source for source, *_ in mounts if not source.startswith("./")} == set(read()["volumes"])
    files = [ROOT / source for source, *_ in mounts if source.startswith("./")]
    assert files
    assert all(file.is_file() for file in files)
    assert all(mode == ["ro"] for source, _, *mode in mounts if source.startswith("./"))
    assert {name for service in SERVICES.values() for name in service.keys["networks"]} == set(read()["networks"])


def test_databases_store_and_queue_cannot_reach_the_outside_nor_the_proxy_them() -> None:
    networks = read()["networks"]
    outward = {name for name, keys in networks.items() if not (keys or {}).get("internal")}
    assert outward == {"edge", "outside"}
    for name in ("postgres", "object-store", "queue", "app-database", "lessons-database", "webserver", "viewers"):
        assert not outward & set(SERVICES[name].keys["networks"])
    reached = {name for name, s in SERVICES.items() if {"edge", "ui"} & set(s.keys["networks"])}
    assert reached == {"proxy", "webserver", "viewers"}


def test_what_a_service_needs_is_healthy_before_it_starts() -> None:
    for service in SERVICES.values():
        for name, condition in service.needs.items():
            task = SERVICES[name].is_task
            assert condition == ("service_completed_successfully" if task else "service_healthy")
    assert SERVICES["webserver"].needs.keys() == {"prepare", "code-server"}


def test_the_file_of_what_is_copied_names_everything_that_the_dockerfile_copies_and_no_secret() -> None:
    allowed = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().split()
    assert allowed[0] == "*"
    assert "deploy/secrets" in allowed
    copied = {
        name
        for _, lines in stages().values()
        for line in lines.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    }
    assert all((ROOT / name).exists() for name in copied)
    assert {f"!{name.split('/')[0]}" for name in copied} <= set(allowed)


def test_dagster_is_told_to_keep_all_in_postgres_to_queue_runs_and_to_watch_them() -> None:
    told = cast("dict[str, Any]", yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text()))
    assert told["storage"] == {"postgres": {"postgres_url": {"env": "DAGSTER_POSTGRES_URL"}}}
    assert told["run_coordinator"]["class"] == "QueuedRunCoordinator"
    assert told["run_monitoring"]["enabled"]
    assert told["run_monitoring"]["max_runtime_seconds"]
    assert told["run_retries"] == {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}
    assert told["telemetry"] == {"enabled": False}
    assert told["retention"]


def test_the_workspace_is_the_code_server_of_the_compose_file() -> None:
    [location] = yaml.safe_load((ROOT / "deploy" / "workspace.yaml").read_text())["load_from"]
    words = " ".join(SERVICES["code-server"].command)
    server = location["grpc_server"]
    assert server["host"] in SERVICES
    assert f"-p {server['port']} " in words
    assert f"--location-name {server['location_name']}" in words
