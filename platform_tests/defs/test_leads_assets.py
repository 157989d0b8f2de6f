"""The leads product through Dagster: one day or a range, any order, again and again."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from data_platform import contracts
from data_platform.contracts.outcome import Outcome
from data_platform.defs.partitions import daily
from data_platform.leads import conform
from data_platform.leads.sources import Source
from data_platform.publish import reading
from platform_tests.defs.conftest import JULY_7, JULY_14, Platform

RAW, LEADS = contracts.of_table("leads.raw_leads"), contracts.of_table("leads.leads")


def hashes(platform: Platform) -> dict[tuple[str, date | None], str]:
    return {
        (contract.table, version.day): version.content_hash
        for contract in (RAW, LEADS)
        for version in reading.publications(platform.warehouse, contract)
    }


def failure(result: dg.ExecuteInProcessResult) -> str:
    [event] = result.get_step_failure_events()
    error = event.step_failure_data.error
    assert error
    return error.message


def test_a_range_is_one_run_with_metadata_and_checks_for_each_day(platform: Platform) -> None:
    platform.drop()
    result = platform.run(JULY_7, JULY_14)
    assert result.success
    made = {e.partition: e.materialization.metadata for e in result.get_asset_materialization_events() if e.partition}
    assert list(made) == [(JULY_7 + timedelta(days=n)).isoformat() for n in range(8)]
    counts = [metadata["dagster/partition_row_count"].value for metadata in made.values()]
    assert counts == [119, 0, 0, 0, 0, 0, 0, 126]
    assert all({"num_rejected", "num_bytes", "dagster/uri", "preview"} <= metadata.keys() for metadata in made.values())
    assert all(check.passed for check in result.get_asset_check_evaluations())
    of_the_range = [check for check in result.get_asset_check_evaluations() if check.partition is None]
    assert len(of_the_range) == 7


def test_a_range_leaves_a_check_of_every_day(platform: Platform) -> None:
    platform.drop()
    platform.run(JULY_7, JULY_14)
    key = dg.AssetCheckKey(dg.AssetKey("raw_leads"), "loses_nothing")
    records = platform.instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
    data = [r.event.dagster_event.event_specific_data for r in records if r.event and r.event.dagster_event]
    assert {evaluation.partition for evaluation in data if isinstance(evaluation, dg.AssetCheckEvaluation)} >= {
        (JULY_7 + timedelta(days=n)).isoformat() for n in range(8)
    }


def test_days_in_any_order_and_alone_give_the_tables_of_the_range(platform: Platform) -> None:
    platform.drop()
    assert platform.run(JULY_14).success
    assert platform.run(JULY_7).success
    alone = hashes(platform)
    assert platform.run(JULY_7, JULY_14).success
    assert hashes(platform).items() >= alone.items()


def test_a_second_run_changes_nothing(platform: Platform) -> None:
    platform.drop()
    platform.run(JULY_7)
    before = platform.query("SELECT publication_id, content_hash FROM ops.publications ORDER BY 1")
    result = platform.run(JULY_7)
    statuses = [e.materialization.metadata["status"].value for e in result.get_asset_materialization_events()]
    assert statuses == ["unchanged", "unchanged"]
    assert platform.query("SELECT publication_id, content_hash FROM ops.publications ORDER BY 1") == before


def test_a_late_delivery_of_an_earlier_day_gives_the_same_table(platform: Platform) -> None:
    platform.drop("NV", "OK")
    assert platform.run(JULY_7, JULY_14).success
    platform.drop("TX")
    assert platform.run(JULY_7, JULY_14).success
    late = hashes(platform)
    with platform.warehouse.transaction() as transaction:
        transaction.run("TRUNCATE ops.publications, ops.tallies, ops.rejects, ops.arrivals, ops.evidence, leads.leads")
    assert platform.run(JULY_7, JULY_14).success
    assert hashes(platform) == late


def test_a_table_that_somebody_emptied_is_put_right_by_the_next_run(platform: Platform) -> None:
    platform.drop()
    platform.run(JULY_7, JULY_14)
    before = platform.query("SELECT * FROM leads.leads ORDER BY lead_id")
    with platform.warehouse.transaction() as transaction:
        transaction.run("DELETE FROM leads.leads WHERE source = 'texas'")
        transaction.run("UPDATE leads.leads SET company = 'Another' WHERE record_no = 1")
    result = platform.run(assets=("leads",))
    assert result.success
    [made] = result.get_asset_materialization_events()
    assert made.materialization.metadata["status"].value == "restored"
    assert platform.query("SELECT * FROM leads.leads ORDER BY lead_id") == before


def test_evidence_that_was_damaged_is_an_error_and_not_fewer_records(platform: Platform) -> None:
    platform.drop(days=(JULY_7,))
    platform.run(JULY_7)
    before = hashes(platform)
    [entry, *_] = platform.lake.list("evidence")
    path = Path(platform.lake.location(entry.key))
    path.write_bytes(path.read_bytes()[:2000])
    assert "is not the content that arrived" in failure(platform.run(JULY_7))
    assert hashes(platform) == before


def test_a_parquet_object_that_was_cut_is_written_again(platform: Platform) -> None:
    platform.drop(days=(JULY_7,))
    platform.run(JULY_7)
    [entry] = platform.lake.list("tables")
    path = Path(platform.lake.location(entry.key))
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    assert platform.run(JULY_7).success
    assert path.read_bytes() == whole


def test_in_is_leads_and_rejects_and_duplicates_for_every_file(platform: Platform) -> None:
    platform.drop()
    platform.run(JULY_7, JULY_14)
    rows = platform.query(
        "SELECT r.num_in, r.num_rejected + l.num_rejected + l.num_duplicate + l.num_used FROM ops.tallies r"
        " JOIN ops.tallies l ON l.evidence_id = r.evidence_id AND l.table_name = 'leads.leads'"
        " WHERE r.table_name = 'leads.raw_leads'"
    )
    assert len(rows) == 6
    assert all(came_in == accounted for came_in, accounted in rows)


def test_a_missing_upstream_day_is_named_with_the_command_that_fills_it(platform: Platform) -> None:
    platform.drop()
    assert platform.run(JULY_7, assets=("raw_leads",)).success

    @dg.asset(partitions_def=daily, backfill_policy=dg.BackfillPolicy.single_run())
    def reader(raw_leads: pl.LazyFrame) -> None:
        raw_leads.collect()

    result = dg.materialize(
        [*[a for a in platform.definitions.assets or () if isinstance(a, dg.AssetsDefinition)], reader],
        selection=[reader], instance=platform.instance, resources=dict(platform.definitions.resources or {}),
        tags={"dagster/asset_partition_range_start": "2023-07-07", "dagster/asset_partition_range_end": "2023-07-09"},
        raise_on_error=False,
    )  # fmt: skip
    assert "raw_leads has not been published for 2023-07-08 and 1 more" in failure(result)
    assert "data-platform run --assets raw_leads --days 2023-07-08..2023-07-09" in failure(result)


@pytest.mark.parametrize(
    ("tamper", "check"),
    [
        ("UPDATE leads.leads SET zip = 'nowhere' WHERE record_no = 1", "keeps_its_contract"),
        ("DELETE FROM leads.leads WHERE record_no = 1", "is_as_published"),
        ("UPDATE leads.leads SET company = 'Another' WHERE record_no = 1", "is_as_published"),
        ("DELETE FROM ops.rejects WHERE table_name = 'leads.leads'", "loses_nothing"),
    ],
)
def test_a_check_fails_when_a_table_is_changed_behind_the_platforms_back(
    platform: Platform, tamper: str, check: str
) -> None:
    platform.drop()
    platform.run(JULY_7, JULY_14)
    with platform.warehouse.transaction() as transaction:
        transaction.run(tamper)
    result = dg.materialize(
        [a for a in [*(platform.definitions.asset_checks or ())] if isinstance(a, dg.AssetChecksDefinition)],  # pyright: ignore[reportArgumentType]
        selection=dg.AssetSelection.checks_for_assets("leads"), instance=platform.instance,
        resources=dict(platform.definitions.resources or {}), raise_on_error=False,
    )  # fmt: skip
    assert check in {
        evaluation.check_name for evaluation in result.get_asset_check_evaluations() if not evaluation.passed
    }


def test_a_permanent_error_is_tried_once_and_a_transient_one_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.drop()
    platform.run(JULY_7)
    with platform.warehouse.transaction() as transaction:
        transaction.run("ALTER TABLE leads.leads DROP COLUMN zip")
    with platform.warehouse.transaction() as transaction:
        transaction.run("UPDATE ops.publications SET code_version = 'older'")
        transaction.run("UPDATE ops.publications SET content_hash = repeat('0', 64) WHERE table_name = 'leads.leads'")
    result = platform.run(assets=("leads",))
    assert not result.success
    assert "refused" in failure(result)
    assert result.retry_attempts_for_node("leads") == 0
    monkeypatch.setenv("WAREHOUSE_URL", "postgresql://u:p@127.0.0.1:9/x")
    unreachable = platform.run(assets=("leads",))
    assert unreachable.retry_attempts_for_node("leads") == 2


def test_a_run_that_was_overtaken_reads_again_and_publishes_what_both_have_seen(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.drop(days=(JULY_7,))
    platform.run(JULY_7)
    read_alone = conform.conform
    calls: list[int] = []

    def overtaken_once(raw: pl.DataFrame, known: Sequence[Source]) -> Outcome:
        calls.append(raw.height)
        if len(calls) == 1:  # another run delivers and publishes while this one works
            platform.drop(days=(JULY_14,))
            monkeypatch.setattr(conform, "conform", read_alone)
            assert platform.run(JULY_14).success
            monkeypatch.setattr(conform, "conform", overtaken_once)
        return read_alone(raw, known)

    monkeypatch.setattr(conform, "conform", overtaken_once)
    result = platform.run(assets=("leads",))
    assert result.success
    assert result.retry_attempts_for_node("leads") == 1
    assert calls == [119, 245]
    assert platform.query("SELECT max(last_seen_on) FROM leads.leads") == [(JULY_14,)]


def test_no_event_shows_who_a_provider_is(platform: Platform) -> None:
    platform.drop()
    result = platform.run(JULY_7, JULY_14)
    events = "".join(str(entry) for entry in platform.instance.all_logs(result.run_id))
    people = platform.query(
        "SELECT unnest(ARRAY[first_name, last_name, phone, email, company, address1]) FROM leads.leads"
    )
    names = {str(name) for (name,) in people if name and len(str(name)) > 6}
    assert len(names) > 100
    assert not [name for name in names if name in events]


def test_a_run_says_nothing_of_the_password(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    platform.drop()
    result = platform.run(JULY_7)
    password = platform.warehouse.url.get_secret_value().split(":")[2].split("@")[0]
    assert result.success
    events = "".join(str(entry) for entry in platform.instance.all_logs(result.run_id))
    assert password not in events
    assert password not in caplog.text
