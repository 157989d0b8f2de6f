"""Every setting of the platform, typed, from the environment or `.env`.

The only module that reads the environment, and only when `load` is called: never while definitions load. With nothing
set, the embedded stack under `.local/` serves. What does not belong here: how a setting is used.
"""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_PACKAGE = Path(__file__).parent
_CHECKOUT = _PACKAGE.parents[1]


class SettingsError(ValueError):
    """A setting has a value that cannot be used; the message names the variable."""


def project_root() -> Path:
    """The folder that holds `.env` and `.local/`: the checkout, or the working directory of an installed package."""
    return _CHECKOUT if (_CHECKOUT / "workspace.yaml").is_file() else Path.cwd()


def sql_folder() -> Path:
    """Where the numbered migrations and the queries lie, in a checkout and in an installed package alike."""
    packaged = _PACKAGE / "sql"
    return packaged if packaged.is_dir() else _CHECKOUT / "sql"


def _postgres_url(value: SecretStr) -> SecretStr:
    parts = urlsplit(value.get_secret_value())
    try:
        complete = parts.scheme in {"postgresql", "postgres"} and parts.hostname and parts.path.strip("/")
        complete = complete and parts.port != 0
    except ValueError:  # the port is no number
        complete = False
    if not complete:
        raise ValueError("expected postgresql://user:password@host:port/database")
    return value


def _folder(value: Path) -> Path:
    if value == Path():
        raise ValueError("expected a folder, such as .local")
    return project_root() / value.expanduser()


def _storage_uri(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme == "s3" and parts.netloc:
        return value.rstrip("/")
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return value.rstrip("/")
    raise ValueError("expected s3://bucket/prefix or file:///absolute/folder")


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected http://host:port or https://host")
    return value.rstrip("/")


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("expected a name of the IANA time zone database, such as America/New_York") from None
    return value


class Settings(BaseSettings):
    """The platform's settings. Field names are the environment variables' names in lower case."""

    model_config = SettingsConfigDict(env_file_encoding="utf-8", extra="ignore", hide_input_in_errors=True, frozen=True)

    local_dir: Annotated[
        Path,
        AfterValidator(_folder),
        Field(description="Folder of the embedded stack: Postgres, lake, Dagster's home. Default: .local here."),
    ] = Field(default_factory=lambda: project_root() / ".local")
    warehouse_url: Annotated[
        Annotated[SecretStr, AfterValidator(_postgres_url)] | None,
        Field(description="Postgres where tables are published. Unset: the embedded Postgres under LOCAL_DIR."),
    ] = None
    lake_uri: Annotated[
        Annotated[str, AfterValidator(_storage_uri)] | None,
        Field(description="Evidence and Parquet: file:///folder or s3://bucket/prefix. Unset: LOCAL_DIR/lake."),
    ] = None
    landing_uri: Annotated[
        Annotated[str, AfterValidator(_storage_uri)] | None,
        Field(description="Where outsiders drop files, in leads/ and mobile_events/. Unset: LAKE_URI/landing."),
    ] = None
    app_database_url: Annotated[
        Annotated[SecretStr, AfterValidator(_postgres_url)] | None,
        Field(description="The app's Postgres with its login counters. Unset: a sample, where nothing else is set."),
    ] = None
    aws_endpoint_url: Annotated[
        Annotated[str, AfterValidator(_http_url)] | None,
        Field(description="Address of an S3-compatible server. Unset: AWS. Credentials come from AWS's own variables."),
    ] = None
    business_timezone: Annotated[
        str,
        AfterValidator(_time_zone),
        Field(description="The IANA time zone that decides what a day is."),
    ] = "UTC"
    snapshot_retention_days: Annotated[
        int,
        Field(ge=0, description="Days before the present month for which snapshots of login counters are kept."),
    ] = 62

    @property
    def is_embedded(self) -> bool:
        """Whether nothing outside is named: all data is the embedded stack's own."""
        return not (self.warehouse_url or self.lake_uri or self.landing_uri or self.app_database_url)

    @property
    def lake(self) -> str:
        """URI of the lake, with the default filled in."""
        return self.lake_uri or (self.local_dir.absolute() / "lake").as_uri()

    @property
    def landing(self) -> str:
        """URI of the landing prefix, with the default filled in."""
        return self.landing_uri or f"{self.lake}/landing"


def load() -> Settings:
    """Reads the settings from the environment and from `.env` in the project's root; the environment wins.

    Raises:
        SettingsError: A value cannot be used. The sentence names each such variable, never its value.
    """
    try:
        return Settings(_env_file=project_root() / ".env")  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in fault['loc']).upper()}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError(
            f"A setting cannot be used; correct it in the environment or in .env: {'; '.join(faults)}."
        ) from None


def example() -> str:
    """The text of `.env.example`: every variable with its meaning and default."""
    lines = [
        "# Every setting of the platform. Copy to .env and uncomment what you change; the environment wins over .env."
    ]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=False)
        shown = default if isinstance(default, (str, int)) else ""
        lines += ["", f"# {field.description}", f"# {name.upper()}={shown}"]
    return "\n".join(lines) + "\n"
