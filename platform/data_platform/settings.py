"""Every setting of the platform, typed, from the environment or `.env`.

The only module that reads the environment, and only when `load` is called: never while definitions load. With nothing
set, the embedded stack under `.local/` serves. What does not belong here: how a setting is used.
"""

import re
from collections.abc import Callable
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


def _server_url(*schemes: str, expected: str, has_path: bool = True) -> Callable[[SecretStr], SecretStr]:
    def check(value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        try:
            complete = parts.scheme in schemes and parts.hostname and parts.port != 0
        except ValueError:  # the port is no number
            complete = False
        if not complete or (has_path and not parts.path.strip("/")):
            raise ValueError(f"expected {expected}")
        return value

    return check


_postgres_url = _server_url("postgresql", "postgres", expected="postgresql://user:password@host:port/database")
_sql_url = _server_url(
    *("mysql", "postgresql", "postgres"),
    expected="mysql://user:password@host:port/database, or the same with postgresql://",
)
_mail_url = _server_url(
    *("smtp", "smtps", "ses"), expected="smtp://user:password@host:port, smtps://... or ses://region", has_path=False
)


def _mail_address(value: str) -> str:
    if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", value):
        raise ValueError("expected an address such as reports@example.com")
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


def _key_ring(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    if not (text.startswith("{") or re.fullmatch(r"file:///.+", text)):
        raise ValueError("expected file:///folder/keys.json, or the key ring itself as JSON")
    return value


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
    lessons_database_url: Annotated[
        Annotated[SecretStr, AfterValidator(_sql_url)] | None,
        Field(
            description="The MySQL (or Postgres) with completed lessons. Unset: a sample, where nothing else is set."
        ),
    ] = None
    reports_uri: Annotated[
        Annotated[str, AfterValidator(_storage_uri)] | None,
        Field(
            description="Where reports are delivered: file:///folder or s3://bucket/prefix. Unset: LAKE_URI/reports."
        ),
    ] = None
    login_queue_url: Annotated[
        Annotated[str, AfterValidator(_http_url)] | None,
        Field(description="SQS queue of login events. Unset: a local stand-in, where nothing else is set."),
    ] = None
    privacy_keys: Annotated[
        Annotated[SecretStr, AfterValidator(_key_ring)] | None,
        Field(
            description="Key ring that seals and masks personal data: file:///folder/keys.json, or the ring itself as"
            " JSON. Unset: LOCAL_DIR/keys/keys.json, made at the first run, where nothing else is set."
        ),
    ] = None
    report_link_hours: Annotated[
        int,
        Field(ge=1, le=168, description="Hours for which a link to a report in S3 opens it, at most a week."),
    ] = 72
    mail_url: Annotated[
        Annotated[SecretStr, AfterValidator(_mail_url)] | None,
        Field(
            description="Sends reports to their recipients: smtp://user:password@host:port, smtps://... or"
            " ses://region (?endpoint=... for a server that speaks SES). Unset: no mail."
        ),
    ] = None
    mail_from: Annotated[
        Annotated[str, AfterValidator(_mail_address)] | None,
        Field(description="The sender's address of that mail."),
    ] = None
    mail_attachment_megabytes: Annotated[
        int,
        Field(ge=0, le=25, description="Files up to this size, together, are attached; larger ones go by link alone."),
    ] = 5
    aws_endpoint_url: Annotated[
        Annotated[str, AfterValidator(_http_url)] | None,
        Field(
            description="Address of a server that speaks S3 and SQS. Unset: AWS. Credentials come from AWS's variables."
        ),
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
        databases = self.warehouse_url or self.app_database_url or self.lessons_database_url
        return not (databases or self.lake_uri or self.landing_uri or self.reports_uri or self.login_queue_url)

    @property
    def lake(self) -> str:
        """URI of the lake, with the default filled in."""
        return self.lake_uri or (self.local_dir.absolute() / "lake").as_uri()

    @property
    def landing(self) -> str:
        """URI of the landing prefix, with the default filled in."""
        return self.landing_uri or f"{self.lake}/landing"

    @property
    def reports(self) -> str:
        """URI of the prefix that reports are delivered under, with the default filled in."""
        return self.reports_uri or f"{self.lake}/reports"


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
