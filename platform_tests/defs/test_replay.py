"""Replay through Dagster: exactly the days that need it, again and again, whatever happens meanwhile."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from data_platform import settings as settings_module
from data_platform import stack
from data_platform.definitions import bound
from data_platform.defs.checks import checks_of
from data_platform.defs.leads.assets import lead_assets, lead_files
from data_platform.defs.operations import replay as replaying
from data_platform.defs.operations.replay_job import QUIET
from data_platform.publish import protocol
from data_platform.publish.rejects import Scope
from platform_tests.defs.conftest import JULY_7, JULY_14, Platform

LAYOUT = {
    "title": "A state", "state": "TX",
    "fields": {"license_number": {"as": "text", "of": "Number"}, "phone": {"as": "phone", "of": "Phone"}},
}  # fmt: skip
GOOD, OTHER = b"Number,Phone\n1,512-555-0100\n2,512-555-0101\n", b"Number,Telephone\n3,512-555-0102\n"
BAD = b"Number,Phone\n1,call me\n2,512-555-0101\n"

Of = Callable[..., Platform]


@pytest.fixture
def of_layout(platform: Platform, tmp_path: Path) -> Of:
    """The platform with the rules of a layout: each call is another version of its code."""

    def definitions(**changes: object) -> Platform:
        folder = tmp_path / f"layouts_{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / "somewhere.yaml").write_text(yaml.safe_dump(LAYOUT | changes))
        assets = lead_assets(folder)
        parts = dg.Definitions(assets=[lead_files, *assets], asset_checks=[checks_of(asset) for asset in assets])
        return Platform(bound(parts), platform.instance, platform.warehouse, platform.lake, platform.landing)

    return definitions


FIX: dict[str, object] = {"renamed": {"Telephone": "Phone"}}


def deliver(platform: Platform, **files: bytes) -> None:
    for day, content in files.items():
        platform.landing.create(f"leads/{day[1:3]}-{day[3:]}-2023 a.csv", content)


def work(platform: Platform, scope: Scope = Scope()) -> dict[str, set[date] | None]:  # noqa: B008
    opened = stack.open_stack(settings_module.load())
    found = replaying.find_work(platform.definitions, opened, scope)
    return {key.to_user_string(): set(one.days) if one.days is not None else None for key, one in found.items()}


def replay(platform: Platform, **config: object) -> dg.ExecuteInProcessResult:
    return platform.definitions.resolve_job_def("replay_rejects").execute_in_process(
        run_config=QUIET | {"ops": {"derive_again": {"config": config}}},
        instance=platform.instance,
        raise_on_error=False,
    )


def log(platform: Platform, result: dg.ExecuteInProcessResult) -> str:
    return "\n".join(entry.user_message for entry in platform.instance.all_logs(result.run_id))


def published(platform: Platform) -> list[tuple[object, ...]]:
    return platform.query("SELECT table_name, day, content_hash, code_version FROM ops.publications ORDER BY 1, 2, 4")


def test_a_fix_and_a_replay_win_the_held_file_and_all_that_is_made_of_it(of_layout: Of) -> None:
    before = of_layout()
    deliver(before, d0707=GOOD, d0714=OTHER)
    assert before.run(JULY_7, JULY_14).success
    after = of_layout(**FIX)
    result = replay(after)
    assert result.success
    assert after.query("SELECT license_number FROM leads.leads ORDER BY 1") == [("1",), ("2",), ("3",)]
    assert after.query("SELECT * FROM ops.rejects") == []
    told = log(after, result)
    assert "raw_leads: rows 2 -> 3 (+1), rejected records 1 -> 0 (-1)" in told
    assert "gone: unknown_layout 1 -> 0" in told
    assert "leads: rows 2 -> 3 (+1)" in told
    runs = after.instance.get_runs(dg.RunsFilter(tags={"data_platform/replay": result.run_id}))
    entries = [entry for run in runs for entry in after.instance.all_logs(run.run_id)]
    checks = [e for e in entries if e.dagster_event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION]
    assert len(checks) >= 6
    versions = published(after)
    again = replay(after)
    assert again.success
    assert "There is nothing to replay; nothing was changed." in log(after, again)
    assert published(after) == versions


def test_exactly_the_days_that_hold_rejects_or_that_other_code_derived_are_derived_again(of_layout: Of) -> None:
    rules = of_layout()
    deliver(rules, d0707=GOOD, d0710=OTHER, d0714=GOOD.replace(b"1,", b"7,"))
    rules.run(JULY_7, JULY_14)
    july_10 = JULY_7 + timedelta(days=3)
    assert work(rules) == {"raw_leads": {july_10}}
    assert work(rules, Scope(reason="unclosed_quote")) == {}
    assert work(rules, Scope(tables=("leads.leads",))) == {}
    assert work(rules, Scope(days=(JULY_14, JULY_14))) == {}
    other = of_layout(**FIX)
    assert work(other) == {"raw_leads": {JULY_7 + timedelta(days=n) for n in range(8)}, "leads": None}
    assert work(other, Scope(days=(JULY_14, JULY_14))) == {"raw_leads": {JULY_14}, "leads": None}


def test_a_dry_run_changes_nothing_and_a_config_that_makes_no_sense_is_refused(of_layout: Of) -> None:
    rules = of_layout()
    deliver(rules, d0707=OTHER)
    rules.run(JULY_7, JULY_7)
    after, before = of_layout(**FIX), published(rules)
    result = replay(after, dry_run=True)
    assert "Would derive raw_leads: 1 day, 2023-07-07 (1 with such rejects" in log(after, result)
    assert published(after) == before
    assert not replay(after, assets=["lead"]).success
    assert not replay(after, first_day="2023-07-14", last_day="2023-07-07").success
    with pytest.raises(dg.DagsterInvalidConfigError):
        replay(after, colour="red")
    assert published(after) == before


def test_a_held_delivery_leaves_its_day_and_its_neighbours_alone_and_a_replay_reads_it_after_the_fix(
    of_layout: Of,
) -> None:
    strict = of_layout()
    deliver(strict, d0707=GOOD, d0714=BAD)
    assert strict.run(JULY_7, JULY_7).success
    before = published(strict)
    held = strict.run(JULY_14, JULY_14)
    assert not held.success
    assert held.retry_attempts_for_node("raw_leads") == 0
    assert published(strict) == before
    assert work(strict) == {"raw_leads": {JULY_14}}
    assert not replay(strict).success
    assert published(strict) == before
    lenient = of_layout(max_reject_share=0.5)
    assert replay(lenient).success
    assert lenient.query("SELECT reason FROM ops.rejects") == [("phone_unreadable",)]
    assert lenient.query("SELECT license_number, last_seen_on FROM leads.leads ORDER BY 1") == [
        ("1", JULY_7),
        ("2", JULY_14),
    ]


def test_a_layout_that_reads_published_records_worse_changes_nothing(of_layout: Of) -> None:
    rules = of_layout()
    deliver(rules, d0707=GOOD)
    rules.run(JULY_7, JULY_7)
    before = published(rules)
    worse = of_layout(fields=LAYOUT["fields"] | {"license_issued": {"as": "date", "of": "Phone"}})  # pyright: ignore[reportOperatorIssue]
    assert not replay(worse).success
    assert not worse.run(assets=("leads",)).success
    assert published(worse) == before


def test_one_bad_day_does_not_hold_the_others_of_its_stretch(of_layout: Of) -> None:
    days = [JULY_7 + timedelta(days=n) for n in range(8)]
    tried: list[tuple[date, date]] = []

    def execute(stretch: tuple[date, date]) -> replaying.Outcome:
        tried.append(stretch)
        bad = stretch[0] <= days[5] <= stretch[1]
        return replaying.Outcome(("day 5 is held",), has_bad_day=True) if bad else replaying.Outcome()

    outcomes = list(replaying.around_bad_days(days, execute))
    assert [failure for outcome in outcomes for failure in outcome.failures] == ["day 5 is held"]
    assert len(tried) == 7
    tried.clear()
    everywhere = replaying.Outcome(("the layout cannot be read",), has_bad_day=True)
    assert list(replaying.around_bad_days(days, lambda stretch: tried.append(stretch) or everywhere)) == [everywhere]
    assert len(tried) == 3


@pytest.mark.parametrize("moment", range(4))
def test_a_replay_that_dies_at_any_publication_is_finished_by_the_next(
    of_layout: Of, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Before and after each of the two tables becomes visible."""
    before = of_layout()
    deliver(before, d0707=GOOD, d0714=OTHER)
    before.run(JULY_7, JULY_14)
    after, publish, calls = of_layout(**FIX), protocol.publish, list[str]()

    class Killed(BaseException):
        pass

    def dying(*arguments: object, **options: object) -> object:
        calls.append("before")
        if len(calls) > moment:
            raise Killed
        done = publish(*arguments, **options)  # pyright: ignore[reportArgumentType, reportCallIssue]
        calls.append("after")
        if len(calls) > moment:
            raise Killed
        return done

    monkeypatch.setattr(protocol, "publish", dying)
    with pytest.raises(BaseException):  # noqa: B017, PT011
        result = replay(after)
        raise Killed(result.success)
    monkeypatch.undo()
    monkeypatch.setenv("WAREHOUSE_URL", after.warehouse.url.get_secret_value())
    monkeypatch.setenv("LAKE_URI", after.lake.uri)
    assert replay(after).success
    assert after.query("SELECT license_number FROM leads.leads ORDER BY 1") == [("1",), ("2",), ("3",)]
    assert work(after) == {}


def test_a_replay_that_another_run_overtakes_reads_again(of_layout: Of, monkeypatch: pytest.MonkeyPatch) -> None:
    before = of_layout()
    deliver(before, d0707=OTHER)
    before.run(JULY_7, JULY_7)
    after, publish, calls = of_layout(**FIX), protocol.publish, list[int]()

    def overtaken(*arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            deliver(before, d0714=GOOD)
            assert before.run(JULY_7, JULY_14).success
            with before.warehouse.transaction() as transaction:  # as if it had published something else
                transaction.run("UPDATE ops.publications SET published_at = clock_timestamp(), code_version = 'x'")
        return publish(*arguments, **options)  # pyright: ignore[reportArgumentType, reportCallIssue]

    monkeypatch.setattr(protocol, "publish", overtaken)
    assert replay(after).success
    assert replay(after).success
    assert after.query("SELECT license_number FROM leads.leads ORDER BY 1") == [("1",), ("2",), ("3",)]
    assert work(after) == {}


def test_damaged_evidence_stops_its_day_alone_and_is_named(of_layout: Of) -> None:
    before = of_layout()
    deliver(before, d0707=OTHER, d0708=OTHER.replace(b"3,", b"4,"))
    before.run(JULY_7, JULY_14)
    [delivered] = before.query("SELECT evidence_id FROM ops.deliveries WHERE day = '2023-07-07'")
    [entry] = [entry for entry in before.lake.list("evidence") if entry.name == delivered[0]]
    Path(before.lake.location(entry.key)).write_bytes(OTHER[:-3])
    after = of_layout(**FIX)
    result = replay(after)
    assert not result.success
    assert "is not the content that arrived" in str(result.get_step_failure_events()[0].step_failure_data.error)
    assert after.query("SELECT license_number FROM leads.leads") == [("4",)]
    assert after.query("SELECT day FROM ops.rejects") == [(JULY_7,)]
