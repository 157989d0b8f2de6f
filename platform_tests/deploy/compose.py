"""docker-compose.yml as `docker compose` reads it: anchors merged, variables filled in.

What does not belong here: what the file should say (the tests), and its processes (`stack.py`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?::-(?P<default>[^}]*))?\}")


@dataclass(frozen=True)
class Service:
    """One service, by the keys of the specification."""

    name: str
    keys: Mapping[str, Any]

    @property
    def command(self) -> list[str]:
        return list(self.keys.get("command", ()))

    @property
    def environment(self) -> dict[str, str | None]:
        """Variables; None for one that is passed on where .env has it."""
        return dict(self.keys.get("environment", {}))

    @property
    def needs(self) -> dict[str, str]:
        """The services that must be there first, and in which condition."""
        return {name: how["condition"] for name, how in self.keys.get("depends_on", {}).items()}

    @property
    def is_task(self) -> bool:
        """Whether it ends by itself."""
        return str(self.keys["restart"]).startswith("on-failure")

    @property
    def target(self) -> str | None:
        """Its stage in our Dockerfile, if it is built."""
        return self.keys.get("build", {}).get("target")

    @property
    def probe(self) -> list[str]:
        """The command of its health check."""
        kind, *words = self.keys["healthcheck"]["test"]
        assert kind == "CMD", f"{self.name}: a probe through a shell hides what fails"
        return words


def read() -> dict[str, Any]:
    """The whole file, variables as they are."""
    return yaml.safe_load(FILE.read_text())


def filled_in(value: Any, variables: Mapping[str, str]) -> Any:
    """A part of the file with its variables' values, or their defaults."""
    if isinstance(value, dict):
        return {key: filled_in(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled_in(inner, variables) for inner in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: variables.get(found["name"]) or found["default"] or "", value)
    return value


def services(variables: Mapping[str, str] | None = None) -> dict[str, Service]:
    """Every service, with the variables of an `.env` filled in."""
    found = filled_in(read()["services"], variables or {})
    return {name: Service(name, keys) for name, keys in found.items()}


def stages() -> dict[str, tuple[str, str]]:
    """The stages of the Dockerfile: name to the image that each is made from, and its own lines."""
    text = DOCKERFILE.read_text()
    parts = re.split(r"^FROM (\S+) AS (\S+)\n", text, flags=re.MULTILINE)[1:]
    return {name: (image, lines) for image, name, lines in zip(parts[::3], parts[1::3], parts[2::3], strict=True)}
