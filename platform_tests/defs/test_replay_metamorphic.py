"""Replay is as good as having had the fix from the first day, whatever the rules, deliveries and their order were."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg2 import sql

from data_platform import contracts, stack
from data_platform import settings as settings_module
from data_platform.definitions import bound
from data_platform.defs.checks import checks_of
from data_platform.defs.leads.assets import lead_assets, lead_files
from data_platform.defs.leads.landing import lead_arrivals
from data_platform.defs.operations import replay as replaying
from data_platform.defs.operations.asked import days_asked
from data_platform.defs.operations.failures import a_day_cannot_be_made, failures
from data_platform.defs.operations.replay_job import EVERYTHING, QUIET
from data_platform.defs.partitions import range_tags
from data_platform.local import postgres
from data_platform.publish import reading
from data_platform.publish.rejects import Scope
from platform_tests.conftest import administer

RAW = contracts.of_table("leads.raw_leads")
FIRST = date(2023, 7, 7)


@dataclass(frozen=True)
class Rules:
    """What the layouts of the two sources say at one time."""

    renamed: bool
    needs_issued: bool
    issued_says_on: bool
    reads_phone: bool
    flag_says_yes: bool
    knows_beta: bool
    max_reject_share: float

    def layouts(self) -> dict[str, dict[str, object]]:
        alpha: dict[str, object] = {
            "license_number": {"as": "text", "of": "Number"},
            "company": {"as": "text", "of": "Name"},
            "accepts_financial_aid": {
                "as": "flag",
                "of": "Aid",
                "true_when": ["Y", "yes"] if self.flag_says_yes else ["Y"],
                "false_when": ["", "N"],
            },
            "phone" if self.reads_phone else "operator": {
                "as": "phone" if self.reads_phone else "text",
                "of": "Phone",
            },
        }
        if self.needs_issued:
            alpha["license_issued"] = {"as": "date", "of": "Issued"} | (
                {"extract": "^(?:on )?(.*)$"} if self.issued_says_on else {}
            )
        common = {"max_reject_share": self.max_reject_share}
        sources: dict[str, dict[str, object]] = {
            "alpha": {
                "title": "Alpha", "state": "TX", "fields": alpha,
                "renamed": {"Telephone": "Phone"} if self.renamed else {},
            }
        }  # fmt: skip
        if self.knows_beta:
            beta = {"license_number": {"as": "text", "of": "Licence"}, "capacity": {"as": "integer", "of": "Places"}}
            sources["beta"] = {"title": "Beta", "state": "NV", "fields": beta}
        return {name: layout | common for name, layout in sources.items()}


@dataclass(frozen=True)
class Step:
    """A while in the life of a platform: rules, files that arrive, and days that are run."""

    rules: Rules
    files: tuple[tuple[str, bytes], ...]
    days: tuple[int, int] | None


def rules(shares: Sequence[float] = (0.0, 0.3, 0.6, 1.0)) -> st.SearchStrategy[Rules]:
    yes_or_no = st.booleans()
    return st.builds(Rules, yes_or_no, yes_or_no, yes_or_no, yes_or_no, yes_or_no, yes_or_no, st.sampled_from(shares))


@st.composite
def alpha_file(draw: st.DrawFn) -> bytes:
    header = ["Number", "Name", "Aid", draw(st.sampled_from(["Phone", "Telephone", "Tel."]))]
    header += draw(st.sampled_from([["Issued"], ["Issued"], []]))
    lines = [header]
    for _ in range(draw(st.integers(0, 5))):
        line = [
            draw(st.sampled_from(["1", "2", "3", "3", ""])),
            draw(st.sampled_from(["Wren", "Otter"])),
            draw(st.sampled_from(["Y", "N", "yes", "", "maybe"])),
            draw(st.sampled_from(["512-555-0100", "702-555-0142", "", "call me"])),
            *([draw(st.sampled_from(["1/2/2003", "on 3/4/2005", "31/31/2020", ""]))] if len(header) == 5 else []),
        ]
        lines.append(line[: draw(st.sampled_from([9, 9, 9, 2]))])
    return "\n".join(",".join(line) for line in lines).encode() + draw(st.sampled_from([b"\n", b"\n", b'\n4,"cut']))


@st.composite
def beta_file(draw: st.DrawFn) -> bytes:
    places = draw(st.lists(st.sampled_from(["10", "1,000", "many", "-1", ""]), max_size=4))
    return "\r\n".join(["Licence,Places", *(f'{n},"{value}"' for n, value in enumerate(places))]).encode()


def files() -> st.SearchStrategy[tuple[str, bytes]]:
    day = st.integers(0, 4).map(lambda n: f"{FIRST + timedelta(days=n):%m-%d-%Y} ")
    name = st.tuples(day | st.just(""), st.sampled_from(["a.csv", "b.csv", "c.csv"])).map("".join)
    few = [b"", b"no\x00text", b"Licence,Places\r\n1,10\r\n"]  # what arrives twice under different names
    return st.tuples(name, alpha_file() | beta_file() | st.sampled_from(few))


STEP = st.builds(
    Step, rules(), st.lists(files(), max_size=4).map(tuple), st.none() | st.tuples(st.integers(0, 4), st.integers(0, 4))
)


@dataclass
class Platform:
    """A platform with a warehouse and a lake of its own, whose rules can change."""

    database: postgres.Server
    name: str
    folder: Path
    instance: dg.DagsterInstance

    @cached_property
    def stack(self) -> stack.Stack:
        return stack.open_stack(settings_module.load())

    def __enter__(self) -> None:
        os.environ["WAREHOUSE_URL"] = self.database.url(self.name)
        os.environ["LAKE_URI"] = self.folder.as_uri()

    def __exit__(self, *_: object) -> None:
        del os.environ["WAREHOUSE_URL"], os.environ["LAKE_URI"]

    def receive(self, name: str, content: bytes) -> None:
        arrivals = lead_arrivals(self.stack)
        arrivals.landing.create(f"leads/{name}", content, replace=True)
        for landed in arrivals.unseen():
            arrivals.receive(landed)

    def execute(
        self, definitions: dg.Definitions, days: tuple[date, date] | None, *assets: dg.AssetKey
    ) -> replaying.Outcome:
        result = definitions.resolve_job_def(EVERYTHING).execute_in_process(
            run_config=QUIET, instance=self.instance, raise_on_error=False, tags=range_tags(days),
            asset_selection=list(assets) or None,
        )  # fmt: skip
        return replaying.Outcome(tuple(failures(result)), a_day_cannot_be_made(result, definitions))

    def replay(self, definitions: dg.Definitions) -> list[str]:
        work = replaying.find_work(definitions, self.stack, Scope())
        report = replaying.replay(
            definitions, self.stack, Scope(), work,
            lambda key, days: self.execute(definitions, days, key),
            lambda key: days_asked(definitions, self.instance, key),
        )  # fmt: skip
        return list(report.failures)

    def deliver_all_and_run(self, definitions: dg.Definitions, arrived: Sequence[tuple[str, bytes]]) -> list[str]:
        """What a platform does that has these rules from the first day on, in the order of days."""
        for name, content in arrived:
            self.receive(name, content)
        days = sorted({delivery.day for delivery in lead_arrivals(self.stack).deliveries()})
        outcomes = [
            outcome
            for first, last in replaying.stretches(days)
            for outcome in replaying.around_bad_days(
                [day for day in days if first <= day <= last], lambda stretch: self.execute(definitions, stretch)
            )
        ]
        return [failure for outcome in outcomes for failure in outcome.failures]

    def tables(self) -> dict[str, pl.DataFrame]:
        """Everything that is published, without the history of its publication."""
        raw = reading.read(self.stack.warehouse, self.stack.lake, RAW).collect()
        with self.stack.warehouse.transaction() as transaction:
            tables = {
                name: transaction.query(f"SELECT * FROM {name}")
                for name in ("leads.leads", "ops.rejects", "ops.tallies")
            }
        plain = {name: table.select(pl.exclude("publication_id")) for name, table in tables.items()}
        plain["leads.raw_leads"] = raw.with_columns(pl.col("headers", "values").list.join("\x1f"))
        return {name: table.sort(pl.all(), nulls_last=True) for name, table in plain.items()}

    def forget_everything(self) -> None:
        with self.stack.warehouse.transaction() as transaction:
            transaction.run("TRUNCATE ops.publications, ops.tallies, ops.rejects, ops.arrivals, ops.evidence")
            transaction.run("TRUNCATE leads.leads")
        for path in self.folder.iterdir():
            shutil.rmtree(path)


@dataclass(frozen=True)
class World:
    """Two platforms, and definitions for every set of rules, made once."""

    folder: Path
    one: Platform
    other: Platform
    definitions: dict[str, dg.Definitions] = field(default_factory=dict[str, dg.Definitions])

    def by(self, rules: Rules) -> dg.Definitions:
        layouts = {name: yaml.safe_dump(layout, sort_keys=False) for name, layout in rules.layouts().items()}
        key = hashlib.sha256(repr(layouts).encode()).hexdigest()[:12]
        if key not in self.definitions:
            folder = self.folder / f"layouts_{key}"
            folder.mkdir()
            for name, text in layouts.items():
                (folder / f"{name}.yaml").write_text(text)
            assets = lead_assets(folder)
            self.definitions[key] = bound(
                dg.Definitions(assets=[lead_files, *assets], asset_checks=[checks_of(asset) for asset in assets])
            )
        return self.definitions[key]


@pytest.fixture(scope="module")
def world(postgres_server: postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("metamorphic")
    with dg.DagsterInstance.ephemeral() as instance:
        platforms: list[Platform] = []
        for name in ("lives_through_changes", "had_the_fix"):
            create = sql.SQL("CREATE DATABASE {} TEMPLATE template_of_tests").format(sql.Identifier(name))
            administer(postgres_server, create)
            (folder / name).mkdir()
            platforms.append(Platform(postgres_server, name, folder / name, instance))
        yield World(folder, platforms[0], platforms[1])


def lives_through(world: World, steps: Sequence[Step]) -> None:
    for step in steps:
        for name, content in step.files:
            world.one.receive(name, content)
        if step.days:
            first, last = (FIRST + timedelta(days=n) for n in sorted(step.days))
            world.one.execute(world.by(step.rules), (first, last))


def contract(world: World, steps: Sequence[Step], final: Rules) -> None:
    with world.one:
        world.one.forget_everything()
        lives_through(world, steps)
        held = world.one.replay(world.by(final))
    # By name, which leaves the contents that one name had in their order.
    arrived = sorted((file for step in steps for file in step.files), key=lambda file: file[0])
    with world.other:
        world.other.forget_everything()
        held_there = world.other.deliver_all_and_run(world.by(final), arrived)
        raw = {failure for failure in held if failure.startswith("raw_leads")}
        assert raw == {failure for failure in held_there if failure.startswith("raw_leads")}
        there = world.other.tables()
    if raw:  # as long as a delivery is held its day stays as it was, which the other platform never had
        return
    assert held == held_there == []
    with world.one:
        here = world.one.tables()
    for name, table in there.items():
        assert here[name].equals(table, null_equal=True), (name, here[name], table)


@settings(max_examples=3)
@given(st.lists(STEP, min_size=1, max_size=3), rules(shares=(1.0, 1.0, 1.0, 0.3)))
def test_a_replay_gives_the_tables_of_a_platform_that_had_the_fix_from_the_first_day(
    world: World, steps: list[Step], final: Rules
) -> None:
    contract(world, steps, final)


@pytest.mark.soak
@settings(max_examples=200)
@given(st.lists(STEP, min_size=1, max_size=5), rules(shares=(1.0, 1.0, 1.0, 0.6, 0.3)))
def test_so_it_does_over_long_lives(world: World, steps: list[Step], final: Rules) -> None:
    contract(world, steps, final)
