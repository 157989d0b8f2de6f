"""Login events in a platform of the test's own: how they are drained and derived, and what the books say."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import dagster as dg
import pytest

from data_platform import settings as settings_module
from data_platform import stack
from data_platform.defs.logins import draining
from data_platform.defs.operations.replay_job import QUIET
from data_platform.logins import event_types
from data_platform.logins.event_types import EventType, EventTypes
from data_platform.publish.draining import Drained
from data_platform.queues.batches import Received
from platform_tests.defs.app_queue import login, logout, received
from platform_tests.defs.conftest import Platform

TABLES = ("user_logins", "user_logouts")
OCTOBER_5, OCTOBER_6 = datetime(2026, 10, 5, 12, tzinfo=UTC), datetime(2026, 10, 6, 12, tzinfo=UTC)
HOUSE = event_types.load()
MIXED = [
    received(
        OCTOBER_5, login(), logout(), login(user_id="u2"), logout(user_id="u2", cause=None), "[]", logout(cause=7)
    ),
    received(OCTOBER_6, logout(), login(locale="x" * 20), login(locale="RU"), begin=5),
    [
        *received(OCTOBER_5, login()),
        *received(OCTOBER_6, logout(user_id="u9"), login(user_id="u8", locale="y" * 30), login(user_id="u7"), begin=40),
    ],
]


def opened() -> stack.Stack:
    return stack.open_stack(settings_module.load())


def put_aside(*parts: Sequence[Received]) -> None:
    """Batches that were received, and that the next drain settles."""
    office = draining.office_of(opened(), "an earlier run")
    for part in parts:
        office.put_aside("events", part)


def drained() -> Drained:
    return draining.drain(opened(), "a run")


def counts(platform: Platform) -> dict[str, int]:
    names = ("received", "stored", "duplicate", "conflicting", "rejected", "in_flight")
    sums = ", ".join(f"coalesce(sum(num_{name}), 0)::bigint AS {name}" for name in names)
    [account] = platform.query(f"SELECT {sums} FROM ops.message_account")
    return {name: int(str(number)) for name, number in zip(names, account, strict=True) if number}


def days(platform: Platform) -> list[date]:
    return [row[0] for row in platform.query("SELECT DISTINCT day FROM ops.message_ledger ORDER BY 1")]  # pyright: ignore[reportReturnType]


def derive(platform: Platform, *of_days: date) -> dg.ExecuteInProcessResult:
    return platform.run(*(of_days or days(platform)), assets=TABLES)


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    found = result.get_asset_check_evaluations()
    return {f"{check.asset_key.to_user_string()}.{check.check_name}": check.passed for check in found}


def asked(platform: Platform) -> dict[str | None, str]:
    """What the sensor asks for, by run key: the asset with its days."""
    sensor = platform.definitions.resolve_sensor_def("login_queue_sensor")
    with dg.build_sensor_context(
        instance=platform.instance, definitions=platform.definitions, sensor_name=sensor.name,
        resources=dict(platform.definitions.resources or {}),
    ) as context:  # fmt: skip
        requests = sensor.evaluate_tick(context).run_requests or ()
    told: dict[str | None, str] = {}
    for request in requests:
        [key] = list(request.asset_selection or ())
        first, last = (request.tags.get(f"dagster/asset_partition_range_{end}", "") for end in ("start", "end"))
        told[request.run_key] = f"{key.to_user_string()} {first}..{last}" if first else key.to_user_string()
    return told


def replay(platform: Platform, **config: object) -> dg.ExecuteInProcessResult:
    return platform.definitions.resolve_job_def("replay_rejects").execute_in_process(
        run_config=QUIET | {"ops": {"derive_again": {"config": config}}},
        instance=platform.instance, raise_on_error=False,
    )  # fmt: skip


def bring_up_to_date(platform: Platform) -> None:
    """What the sensor asks for of days, until it asks for nothing more."""
    for _ in range(4):
        if not (wanted := [text.split() for text in asked(platform).values() if " " in text]):
            return
        for asset, stretch in wanted:
            first, last = (date.fromisoformat(day) for day in stretch.split(".."))
            assert platform.run(first, last, assets=(asset,)).success
    pytest.fail("days stay behind, however often they are derived")


# A batch by its number in order, since its name is another each time that it is sealed.
_BATCH = "(SELECT evidence_id, batch_id, dense_rank() OVER (ORDER BY batch_id) AS batch FROM ops.message_batches) AS b"
_BOOKS = {
    "batches": "SELECT batch, num_messages, num_stored, num_duplicate, num_conflicting, num_rejected"
    f" FROM ops.message_batches m JOIN {_BATCH} USING (batch_id) ORDER BY 1",
    "ledger": "SELECT batch, position, message_id, sent_at, table_name, day, outcome FROM ops.message_ledger l"
    f" JOIN {_BATCH} USING (batch_id) ORDER BY 1, 2",
    "counters": "SELECT table_name, day, num_records FROM ops.appended_days WHERE num_records <> 0 ORDER BY 1, 2",
    "rejects": "SELECT batch, record_no, table_name, day, reason, detail, byte_from, byte_to FROM ops.rejects"
    f" JOIN {_BATCH} USING (evidence_id) ORDER BY 1, 2, 3",
    "tallies": "SELECT batch, table_name, day, num_in, num_used, num_rejected, num_duplicate FROM ops.tallies"
    f" JOIN {_BATCH} USING (evidence_id) WHERE num_in > 0 ORDER BY 1, 2, 3",
    "logins": "SELECT batch, position, create_date, user_id, device_type, masked_ip, masked_device_id, locale,"
    " app_version, app_major, app_minor, app_patch, logged_in_at, transform_version FROM logins.user_logins"
    f" JOIN {_BATCH} USING (evidence_id) ORDER BY 1, 2",
    "logouts": "SELECT batch, position, create_date, user_id, masked_device_id, cause, logged_out_at, transform_version"
    f" FROM logins.user_logouts JOIN {_BATCH} USING (evidence_id) ORDER BY 1, 2",
}


def books(platform: Platform) -> dict[str, list[tuple[object, ...]]]:
    return {name: platform.query(sql) for name, sql in _BOOKS.items()}


def clear(platform: Platform) -> None:
    """Begins anew: as another platform that has not seen any message."""
    with platform.warehouse.transaction() as transaction:
        transaction.run(
            "TRUNCATE ops.message_ledger, ops.message_batches, ops.rejects, ops.tallies, ops.appended_days,"
            " ops.evidence, ops.publications, logins.user_logins, logins.user_logouts CASCADE"
        )


def with_types(monkeypatch: pytest.MonkeyPatch, types: EventTypes) -> None:
    monkeypatch.setattr(event_types, "load", lambda: types)


def limited(**longest: int) -> EventTypes:
    """The types of the house with other lengths of the fields of a login."""
    first = EventType(HOUSE.first.contract, HOUSE.first.entry)
    first.__dict__["fields"] = tuple(
        replace(field, longest=longest.get(field.name, field.longest)) for field in HOUSE.first.fields
    )
    return EventTypes({**HOUSE.by_name, None: first})
