"""What sensors ask for now: the days of an asset whose inputs of other days have changed."""

from collections.abc import Set as AbstractSet
from datetime import date

import dagster as dg

from data_platform.defs.partitions import days_of_tags


def days_asked(definitions: dg.Definitions, instance: dg.DagsterInstance, key: dg.AssetKey) -> set[date]:
    """The days of an asset that the sensors of its jobs ask for now."""
    found: set[date] = set()
    for sensor in definitions.sensors or ():
        resolved = definitions.resolve_sensor_def(sensor.name)
        selected = _selected(definitions, resolved)
        if key not in selected:
            continue
        with dg.build_sensor_context(
            instance=instance,
            definitions=definitions,
            sensor_name=resolved.name,
            resources=dict(definitions.resources or {}),
        ) as context:
            requests = resolved.evaluate_tick(context).run_requests or ()
        for request in requests:
            if key in (request.asset_selection or selected):
                tags = {"dagster/partition": request.partition_key} if request.partition_key else request.tags
                found.update(days_of_tags(tags))
    return found


def _selected(definitions: dg.Definitions, sensor: dg.SensorDefinition) -> AbstractSet[dg.AssetKey]:
    return definitions.resolve_job_def(sensor.job.name).asset_layer.selected_asset_keys
