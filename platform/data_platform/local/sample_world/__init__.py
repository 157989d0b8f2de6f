"""A small invented world that sends what the real one sends, oddities included; the same for everybody."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from data_platform.lake.store import Store
from data_platform.local.sample_world import app
from data_platform.local.sample_world.leads import deliveries
from data_platform.local.sample_world.lessons_database import fill_lessons
from data_platform.local.sample_world.mobile import event_files
from data_platform.settings import Settings


def settle(
    settings: Settings,
    lake: Store,
    landing: Store,
    app_url: SecretStr | None,
    lessons_url: SecretStr | None,
    *,
    anything_arrived: bool,
) -> None:
    """Puts the sample world into the embedded stack: files while none has arrived there, never beside real ones.

    Lessons go on: each call adds those of the days that have ended since.

    Args:
        settings: Where anything outside is named, nothing is put anywhere.
        lake: Of the stack.
        landing: Of the stack.
        app_url: The embedded database of the sample app.
        lessons_url: The embedded database of completed lessons.
        anything_arrived: Whether any file was ever received.
    """
    if not settings.is_embedded:
        return
    if app_url:
        app.fill(app_url, settings.business_timezone)
        app.take_snapshots(lake, settings.business_timezone)
    if lessons_url:
        fill_lessons(lessons_url, _ended_day(settings.business_timezone))
    if not anything_arrived:
        _lay_files(landing)


def _ended_day(zone: str) -> date:
    """The last day that has ended in a zone."""
    return datetime.now(ZoneInfo(zone)).date() - timedelta(days=1)


def _lay_files(landing: Store) -> None:
    """Lays the files that are not there yet, since laying may have been interrupted; none beside a file of others."""
    files = {f"leads/{delivery.file_name}": delivery.content for delivery in deliveries()}
    files |= {f"mobile_events/{file.file_name}": file.content for file in event_files()}
    if all(entry.key in files for entry in landing.list()):
        for key, content in files.items():
            landing.create(key, content)
