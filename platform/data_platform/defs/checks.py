"""The checks that every published table has: contract, content and conservation, for each day.

Publishing refuses rows that break the contract before anyone sees them; these look again at what is stored, so that a
table changed behind the platform's back shows in the UI.
"""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from data_platform import contracts
from data_platform.defs.day_checks import DayFinding, report_day
from data_platform.defs.describe import TABLE_NAME
from data_platform.defs.resources import Storage
from data_platform.publish.verify import Finding, verify

_CHECKS = {
    "keeps_its_contract": "Every stored row keeps every rule of the table's contract.",
    "is_as_published": "Number and content hash of the stored rows are those of the publication.",
    "loses_nothing": "Records in = used + rejected + duplicate, and each reject is in ops.rejects.",
}


def checks_of(asset: dg.AssetsDefinition) -> dg.AssetChecksDefinition:
    """The standard checks of an asset whose contract is named in its metadata."""
    key = asset.key
    contract = contracts.of_table(asset.specs_by_key[key].metadata[TABLE_NAME])
    specs = [
        dg.AssetCheckSpec(name, asset=key, description=text, partitions_def=asset.partitions_def)
        for name, text in _CHECKS.items()
    ]

    @dg.multi_asset_check(name=f"{key.to_python_identifier()}_checks", specs=specs)
    def standard_checks(context: dg.AssetCheckExecutionContext, storage: Storage) -> Iterator[dg.AssetCheckResult]:
        days = [date.fromisoformat(day) for day in context.partition_keys] if asset.partitions_def else None
        stack = storage.open()
        findings = verify(stack.warehouse, stack.lake, contract, days)
        for name in _CHECKS:
            for finding in findings if len(findings) > 1 else ():
                facts = {"num_rows": finding.num_rows, "num_in": finding.num_in, "num_lost": finding.num_lost}
                if finding.day:
                    report_day(context, key, name, DayFinding(finding.day, _passed(name, finding), facts))
            yield _result(key, name, findings)

    return standard_checks


def _passed(name: str, finding: Finding) -> bool:
    match name:
        case "keeps_its_contract":
            return not finding.broken_rules
        case "is_as_published":
            return finding.is_as_published
        case _:
            return finding.num_lost == 0


def _result(key: dg.AssetKey, name: str, findings: list[Finding]) -> dg.AssetCheckResult:
    failed = [str(finding.day) for finding in findings if not _passed(name, finding)]
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=name,
        passed=not failed,
        metadata={
            "num_rows": sum(finding.num_rows for finding in findings),
            "num_in": sum(finding.num_in for finding in findings),
            "num_lost": sum(finding.num_lost for finding in findings),
            "broken_rules": {rule: n for finding in findings for rule, n in finding.broken_rules.items()},
            "failed_days": failed,
        },
    )
