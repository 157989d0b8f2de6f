"""What the main job has to do: which days and tables no longer agree with what they are made of."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

from data_platform import contracts
from data_platform.defs.describe import TABLE_NAME
from data_platform.defs.operations.replay import stretches
from data_platform.publish import reading
from data_platform.publish.currency import days_not_stored, is_behind
from data_platform.publish.reading import Publication
from data_platform.stack import Stack

_LONGEST_GAP = timedelta(days=31)


@dataclass(frozen=True)
class Plan:
    """What is not current.

    Attributes:
        days: Days that are out of date.
        whole_tables: Assets without days that are out of date, when no day is.
    """

    days: tuple[date, ...]
    whole_tables: tuple[dg.AssetKey, ...]

    @property
    def stretches(self) -> list[tuple[date, date]]:
        """First and last day of each run that the days need; days that lie close together share a run."""
        return stretches(self.days, longest_gap=_LONGEST_GAP)


def plan(definitions: dg.Definitions, stack: Stack, instance: dg.DagsterInstance) -> Plan:
    """Asks every sensor what arrived, and the books what is out of date or not there."""
    graph = definitions.resolve_asset_graph()
    days = set(_asked_by_sensors(definitions, instance))
    whole_tables: list[dg.AssetKey] = []
    versions: dict[dg.AssetKey, dict[date | None, Publication]] = {}
    for key in graph.toposorted_asset_keys:
        node = graph.get(key)
        if TABLE_NAME not in node.metadata:
            continue
        contract = contracts.of_table(node.metadata[TABLE_NAME])
        versions[key] = {version.day: version for version in reading.publications(stack.warehouse, contract)}
        newest = {day: v for parent in node.parent_keys for day, v in versions.get(parent, {}).items()}
        behind = days_not_stored(stack.warehouse, stack.lake, contract)
        if contract.day is None:
            if behind or is_behind(versions[key].get(None), node.code_version, newest.values()):
                whole_tables.append(key)
        else:
            known = versions[key].keys() | newest.keys()
            behind |= {
                day
                for day in known
                if is_behind(versions[key].get(day), node.code_version, [newest[day]] if day in newest else [])
            }
            days |= {day for day in behind if day}
    return Plan(tuple(sorted(days)), () if days else tuple(whole_tables))


def _asked_by_sensors(definitions: dg.Definitions, instance: dg.DagsterInstance) -> Iterable[date]:
    for sensor in definitions.sensors or ():
        resolved = definitions.resolve_sensor_def(sensor.name)
        with dg.build_sensor_context(
            instance=instance,
            definitions=definitions,
            sensor_name=resolved.name,
            resources=dict(definitions.resources or {}),
        ) as context:
            requests = resolved.evaluate_tick(context).run_requests or ()
        # A request without a day is for a whole table, and the books tell that as well.
        yield from (date.fromisoformat(request.partition_key) for request in requests if request.partition_key)
