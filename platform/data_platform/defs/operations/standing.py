"""The standing check that no day was left failed, of every asset that has days, and the job that looks every hour."""

import dagster as dg

CHECK = "has_no_failed_day"
_SHOWN = 10


def has_no_failed_day(key: dg.AssetKey, days: dg.PartitionsDefinition) -> dg.AssetChecksDefinition:
    """A check of an asset: no day is left whose last run failed."""

    @dg.asset_check(asset=key, name=CHECK, description="No day is left whose last run failed.")
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        statuses = context.instance.get_status_by_partition(key, days.get_partition_keys(), days) or {}
        failed = sorted(day for day, status in statuses.items() if status and status.name == "FAILED")
        return dg.AssetCheckResult(
            passed=not failed,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"num_failed_days": len(failed), "failed_days": failed[:_SHOWN]},
        )

    return check


def standing_checks(parts: dg.Definitions) -> dg.Definitions:
    """The check of each asset with days, the job of all of these checks, and its schedule."""
    assets = [asset for asset in parts.assets or () if isinstance(asset, dg.AssetsDefinition)]
    days_of = {key: asset.partitions_def for asset in assets for key in asset.keys if asset.is_materializable}
    checks = [has_no_failed_day(key, days) for key, days in sorted(days_of.items()) if days]
    job = dg.define_asset_job(
        "look_for_failed_days",
        selection=dg.AssetSelection.checks(*checks),
        description="Looks whether a day of any asset was left failed.",
    )
    schedule = dg.ScheduleDefinition(
        job=job, cron_schedule="50 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
    )
    return dg.Definitions(asset_checks=checks, jobs=[job], schedules=[schedule])
