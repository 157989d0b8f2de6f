"""Checks of reports, day by day: what was promised of a delivery, looked at again where it lies."""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from data_platform.defs.day_checks import DayFinding, day_check
from data_platform.defs.reports.assets import report_assets, report_types
from data_platform.defs.reports.making import ReportMaker
from data_platform.publish import delivered, mailing
from data_platform.publish.delivered import DeliveredFile
from data_platform.publish.verification import faults_of_made, faults_of_stored
from data_platform.reports.report_type import ReportType
from data_platform.stack import Stack

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def checks_of_report(asset: dg.AssetsDefinition, report: ReportType) -> list[dg.AssetChecksDefinition]:
    """The checks of a report's asset."""

    def lies_as_delivered(stack: Stack, days: Sequence[date]) -> list[DayFinding]:
        """The files and their manifest are where the books say, byte for byte."""
        return [
            _finding(day, files, faults_of_stored(stack.reports, files))
            for day, files in _delivered(stack, days).items()
        ]

    def can_be_made_again(stack: Stack, days: Sequence[date]) -> list[DayFinding]:
        """Derived again from the evidence, the files have the very same bytes."""
        findings: list[DayFinding] = []
        for day, files in _delivered(stack, days).items():
            manifest = delivered.manifest_of(stack.reports, files[0])
            findings.append(_finding(day, files, faults_of_made(manifest, ReportMaker(stack, report, day))))
        return findings

    def leaves_nothing_open(stack: Stack, days: Sequence[date]) -> list[DayFinding]:
        """No delivery was begun and not ended."""
        still_open = delivered.open_attempts(stack.warehouse, report.name, days)
        return [DayFinding(day, day not in still_open) for day in days]

    def recipients_were_told(stack: Stack, days: Sequence[date]) -> list[DayFinding]:
        """Each recipient of the report was sent one mail about it."""
        findings: list[DayFinding] = []
        for day, files in _delivered(stack, days).items():
            told = mailing.num_told(stack.warehouse, files, report.recipients)
            facts = {"num_recipients": len(report.recipients), "num_told": told}
            findings.append(DayFinding(day, told == len(report.recipients), facts))
        return findings

    def _delivered(stack: Stack, days: Sequence[date]) -> dict[date, list[DeliveredFile]]:
        found = delivered.current(stack.warehouse, report.name, (min(days), max(days)))
        of_day = {day: [file for file in found if file.report_date == day] for day in days}
        return {day: files for day, files in of_day.items() if files}

    return [
        day_check(asset, lies_as_delivered, severity=_ERROR),
        day_check(asset, can_be_made_again, severity=_ERROR),
        day_check(asset, leaves_nothing_open, severity=_ERROR),
        day_check(asset, recipients_were_told, severity=_WARN),
    ]


def _finding(day: date, files: Sequence[DeliveredFile], faults: Sequence[str]) -> DayFinding:
    return DayFinding(day, not faults, {"num_files": len(files), "faults": "; ".join(faults) or "none"})


report_checks = [
    check
    for asset, report in zip(report_assets, report_types, strict=True)
    for check in checks_of_report(asset, report)
]
