"""An asset for each report type, and the foreign tables that they read."""

from datetime import timedelta
from types import ModuleType

import dagster as dg

from data_platform import settings
from data_platform.defs.describe import REPORT_TYPE, digest_of, fresh
from data_platform.defs.logins.app import daily_login_aggregates, monthly_login_aggregates
from data_platform.defs.partitions import daily
from data_platform.defs.reports.delivering import Reports
from data_platform.defs.reports.making import ReportMaker
from data_platform.defs.resources import Storage
from data_platform.defs.retries import RETRY_TRANSIENT
from data_platform.reports import derive, files, report_type, workbook
from data_platform.reports.report_type import ReportType

_MADE_BY: list[ModuleType] = [derive, files, report_type, workbook]
_WEEK = 7
_KNOWN = {monthly_login_aggregates.key, daily_login_aggregates.key}
_FOREIGN = {"app": ("team:app", "postgres"), "lessons": ("team:lessons", "mysql")}


def report_asset(report: ReportType) -> dg.AssetsDefinition:
    """The asset of a report type, under its name."""
    queries = {source.query for source in report.sources.values()}
    made_by = [*_MADE_BY, report_type.FOLDER / f"{report.name}.yaml"]
    made_by += [settings.sql_folder() / "reports" / query for query in sorted(queries)]

    @dg.asset(
        name=report.name,
        partitions_def=daily,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=RETRY_TRANSIENT,
        freshness_policy=fresh(_longest_pause(report)),
        io_manager_key="report_io_manager",
        group_name="reports",
        owners=[report.owner],
        kinds={"report", *report.formats} - {"xlsx"} | ({"excel"} if "xlsx" in report.formats else set()),
        deps=sorted({name for source in report.sources.values() for name in source.reads}),
        code_version=digest_of(made_by),
        metadata={REPORT_TYPE: report.name, "dagster/column_schema": _columns(report)},
        description=_description(report),
    )
    def delivered(storage: Storage) -> Reports:
        stack = storage.open()
        return Reports(lambda day: ReportMaker(stack, report, day))

    return delivered


def foreign_tables(types: list[ReportType]) -> list[dg.AssetSpec]:
    """The tables of other databases that reports read, as external assets."""
    found = {
        name: source.database
        for report in types
        for source in report.sources.values()
        for name in source.reads
        if source.database in _FOREIGN and dg.AssetKey(name) not in _KNOWN
    }
    return [
        dg.AssetSpec(
            name,
            group_name="reports",
            owners=[_FOREIGN[database][0]],
            kinds={_FOREIGN[database][1]},
            description=f"A table of the {database} database, which reports read as it is at that moment.",
        )
        for name, database in sorted(found.items())
    ]


def _longest_pause(report: ReportType) -> timedelta:
    days = sorted(report.schedule.weekdays)
    pauses = [(later - day - 1) % _WEEK + 1 for day, later in zip(days, [*days[1:], *days[:1]], strict=True)]
    return timedelta(days=max(pauses))


def _description(report: ReportType) -> str:
    window = f"the {report.window_days} days that end with the report's day" if report.window_days > 1 else "a day"
    return (
        f"{report.title}: a file of {window}, delivered once and never overwritten. Materialising a delivered day reads"
        " the sources anew, and delivers a new version if anything differs."
    )


def _meaning(report: ReportType, name: str) -> str:
    if name == report_type.DAY and report.rows.days != "none":
        return "Day of the window."
    return f"`{name}` of {next(source.query for source in report.sources.values() if name in source.columns)}."


def _columns(report: ReportType) -> dg.TableSchema:
    kinds = report.kinds
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.header,
                type=kinds[column.of],
                description=_meaning(report, column.of),
                tags={"personal": ""} if column.personal else None,
            )
            for column in report.columns
        ]
    )


report_types = report_type.every()
tables_read = foreign_tables(report_types)
report_assets = [report_asset(report) for report in report_types]
