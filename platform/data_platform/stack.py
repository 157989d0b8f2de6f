"""The running stack that the settings describe: databases and stores, opened and brought up to date.

The one place that turns settings into connections; with no warehouse set, the embedded Postgres is started here.
What does not belong here: using any of them.
"""

from dataclasses import dataclass
from functools import cached_property

from pydantic import SecretStr

from data_platform import settings as settings_module
from data_platform.errors import PermanentError
from data_platform.lake.store import Store
from data_platform.local import postgres, queue_server
from data_platform.privacy import keyring
from data_platform.privacy.keyring import KeyRing
from data_platform.queues.sqs import SqsQueue
from data_platform.settings import Settings
from data_platform.warehouse.connection import Warehouse
from data_platform.warehouse.foreign import ForeignDatabase
from data_platform.warehouse.migrate import migrate
from data_platform.warehouse.views import refresh

_WAREHOUSE, _DAGSTER, _APP, _LESSONS = "warehouse", "dagster", "app", "lessons"


class NoKeyRing(PermanentError):
    """No setting names the key ring."""


@dataclass(frozen=True)
class Stack:
    """What a run works with.

    Attributes:
        reports: Where reports are delivered.
        app: The app's database; None where other settings are set and this one is not.
        lessons: The database of completed lessons, in MySQL or Postgres; None likewise.
    """

    settings: Settings
    warehouse: Warehouse
    lake: Store
    landing: Store
    app: ForeignDatabase | None
    reports: Store
    lessons: ForeignDatabase | None

    @cached_property
    def key_ring(self) -> KeyRing:
        """The keys that seal and mask personal data; the embedded stack makes its own at the first use.

        Raises:
            NoKeyRing: PRIVACY_KEYS is not set.
            KeyRingError: It cannot be used.
        """
        return keyring.read_ring(key_ring_reference(self.settings))

    @cached_property
    def login_queue(self) -> SqsQueue | None:
        """The queue of login events: in the embedded stack the local stand-in, which is started if it does not run."""
        settings = self.settings
        if settings.login_queue_url:
            return SqsQueue(settings.login_queue_url, settings.aws_endpoint_url)
        if not settings.is_embedded:
            return None
        server = queue_server.ensure(settings.local_dir.absolute() / "queue")
        return SqsQueue(server.queue_url(queue_server.LOGIN_EVENTS), credentials=queue_server.CREDENTIALS)


def key_ring_reference(settings: Settings) -> SecretStr:
    """Where the key ring is; that of the embedded stack is made if it is not there.

    Raises:
        NoKeyRing: PRIVACY_KEYS is not set, and the stack is not embedded.
    """
    if settings.privacy_keys:
        return settings.privacy_keys
    if not settings.is_embedded:
        raise NoKeyRing(
            "PRIVACY_KEYS is not set, and without a key ring no login event can be sealed or masked; set it to"
            " file:///folder/keys.json, which `data-platform keys new` makes."
        )
    file = settings.local_dir.absolute() / "keys" / "keys.json"
    keyring.ensure_ring(file)
    return SecretStr(file.as_uri())


def open_stack(settings: Settings) -> Stack:
    """Connects to what the settings name, and brings the warehouse's schema up to date.

    Raises:
        WarehouseUnavailable: The warehouse could not be reached.
        PermanentError: The embedded Postgres cannot be started here, or a migration failed.
    """
    url = settings.warehouse_url or SecretStr(_embedded(settings).url(_WAREHOUSE))
    samples = _embedded(settings) if settings.is_embedded else None
    app_url = settings.app_database_url or (SecretStr(samples.url(_APP)) if samples else None)
    lessons_url = settings.lessons_database_url or (SecretStr(samples.url(_LESSONS)) if samples else None)
    migrate(url, settings_module.sql_folder() / "migrations")
    refresh(url, settings_module.sql_folder() / "views")
    return Stack(
        settings,
        Warehouse(url),
        Store(settings.lake, settings.aws_endpoint_url),
        Store(settings.landing, settings.aws_endpoint_url),
        ForeignDatabase(app_url, "APP_DATABASE_URL") if app_url else None,
        Store(settings.reports, settings.aws_endpoint_url),
        ForeignDatabase(lessons_url, "LESSONS_DATABASE_URL") if lessons_url else None,
    )


def dagster_database(settings: Settings) -> SecretStr:
    """URL of the database that holds Dagster's runs and events in the embedded stack, as SQLAlchemy wants it."""
    return SecretStr(_embedded(settings).url(_DAGSTER).replace("postgresql://", "postgresql+psycopg2://", 1))


def _embedded(settings: Settings) -> postgres.Server:
    try:
        return postgres.ensure(settings.local_dir.absolute() / "postgres", [_WAREHOUSE, _DAGSTER, _APP, _LESSONS])
    except postgres.LocalPostgresError as error:
        raise PermanentError(str(error)) from error
