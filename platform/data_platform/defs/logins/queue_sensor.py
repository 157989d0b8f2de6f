"""The sensor that drains the queue when there is something in it, and the job that it starts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from data_platform.defs.asking import AHEAD_OF_BACKFILLS, for_days, is_going_on
from data_platform.defs.logins.draining import has_messages
from data_platform.defs.logins.event_assets import EVENT_KEYS, login_messages
from data_platform.defs.resources import Storage
from data_platform.defs.trying_again import until_done
from data_platform.logins import event_types
from data_platform.publish import messages, reading

_TODAY_EVERY = timedelta(minutes=10)
"""The present day grows all the time: its rows are there at once, and it is published as a whole only so often."""

update_login_events = dg.define_asset_job(
    "update_login_events",
    selection=dg.AssetSelection.assets(login_messages.key, *EVENT_KEYS),
    description="Drains the queue of login events, and publishes the days that messages came in for.",
)


@dg.sensor(job=update_login_events, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def login_queue_sensor(context: dg.SensorEvaluationContext, storage: Storage) -> Iterator[dg.RunRequest]:
    """Asks for a drain while the queue holds messages, and for the days of events that are behind."""
    stack = storage.open()
    if is_going_on(context, update_login_events.name):
        return
    if has_messages(stack):
        minute = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        yield dg.RunRequest(run_key=f"drain:{minute}", asset_selection=[login_messages.key], tags=AHEAD_OF_BACKFILLS)
    today = datetime.now(ZoneInfo(stack.settings.business_timezone)).date()
    types = event_types.load()
    for type_ in types.by_name.values():
        behind = messages.days_behind(stack.warehouse, type_.contract)
        published = {v.day: v.confirmed_at for v in reading.publications(stack.warehouse, type_.contract, [today])}
        if today in published and datetime.now(UTC) - published[today] < _TODAY_EVERY:
            behind.pop(today, None)
        wanted = for_days(
            dg.AssetKey(type_.contract.name), {day: [str(num), types.version] for day, num in behind.items()}
        )
        yield from until_done(context, wanted)
