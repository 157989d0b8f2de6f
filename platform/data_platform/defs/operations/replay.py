"""Replay: derives again, from the evidence, what a fixed rule, layout or mapping may read otherwise.

Which days and tables those are, what is made of them, and what the replay won. What does not belong here: how one run
is started and shown (`replay_job.py`, `console/`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import dagster as dg
import polars as pl

from data_platform import contracts
from data_platform.contracts.contract import Contract
from data_platform.defs.describe import LANDING_FOLDER, TABLE_NAME
from data_platform.defs.partitions import stretches
from data_platform.publish import arrivals, currency, messages, reading, rejects
from data_platform.publish.rejects import Scope
from data_platform.stack import Stack

Days = frozenset[date] | None
"""Days of a table; None for a table that is published whole."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to: a sentence for each thing that failed or warns, and whether a day of it may be at fault."""

    failures: tuple[str, ...] = ()
    has_bad_day: bool = False
    warnings: tuple[str, ...] = ()


Execute = Callable[[dg.AssetKey, tuple[date, date] | None], Outcome]
"""Runs one asset, with its checks, over a stretch of days or, without any, whole."""

Asked = Callable[[dg.AssetKey], set[date]]
"""The days of an asset that the sensors of its product ask for."""


@dataclass(frozen=True)
class Work:
    """Why an asset is derived again: each reason with the days that it holds for.

    Attributes:
        days: All of them; None for a table that is published whole.
        num_with_rejects: Days that hold rejects of the scope.
        num_of_other_code: Days that another version of the code derived.
        num_waiting: Days that are not made of what counts as delivered on them: a delivery was held, or not read yet.
    """

    days: Days
    num_with_rejects: int
    num_of_other_code: int
    num_waiting: int

    def __str__(self) -> str:
        """One line for people."""
        if self.days is None:
            why = {
                "holds such rejects": self.num_with_rejects,
                "was derived by another version of the code, or from older inputs": self.num_of_other_code,
            }
            return f"the whole table, which {' and '.join(reason for reason, num in why.items() if num)}"
        counts = {
            "with such rejects": self.num_with_rejects,
            "derived by another version of the code": self.num_of_other_code,
            "with a delivery that waits": self.num_waiting,
        }
        why = ", ".join(f"{num} {reason}" for reason, num in counts.items() if num)
        return f"{len(self.days)} {'day' if len(self.days) == 1 else 'days'}, {_spelt(self.days)} ({why})"


@dataclass(frozen=True)
class Change:
    """One table before and after a replay; `reasons` as `publish.rejects.count` gives them."""

    asset: str
    rows_before: int
    rows_after: int
    reasons_before: pl.DataFrame
    reasons_after: pl.DataFrame

    @property
    def rejected_before(self) -> int:
        """Records that were rejects."""
        return int(self.reasons_before["num_records"].sum())

    @property
    def rejected_after(self) -> int:
        """Records that are rejects."""
        return int(self.reasons_after["num_records"].sum())


@dataclass(frozen=True)
class Report:
    """What a replay did; `num_published` counts the days and whole tables of which there is a new version."""

    changes: tuple[Change, ...]
    num_published: int
    failures: tuple[str, ...]


def find_work(definitions: dg.Definitions, stack: Stack, scope: Scope) -> dict[dg.AssetKey, Work]:
    """What a replay derives again before anything else, in the order of the graph; empty when there is nothing to do.

    Exactly the days that hold rejects of the scope, those that another version of the code derived (a fixed mapping
    changes accepted records too), and, unless a reason narrows it, those with a delivery that was held. A table that is
    published whole is in it when it holds such rejects, or is no longer what its inputs and the present code make.

    Raises:
        PermanentError: The warehouse refused.
    """
    graph = definitions.resolve_asset_graph()
    with_rejects = rejects.partition_days(stack.warehouse, scope)
    found: dict[dg.AssetKey, Work] = {}
    for key, contract in _tables(definitions):
        if scope.tables and contract.table not in scope.tables:
            continue
        own = {version.day: version for version in reading.publications(stack.warehouse, contract)}
        matching = with_rejects.get(contract.table, set())
        if contract.day is None:
            parents = _publications_of_parents(definitions, stack, key)
            is_old = bool(own) and currency.is_behind(own[None], graph.get(key).code_version, parents)
            work = Work(None, len(matching), int(is_old or (not own and bool(parents))), 0)
            needed = work.num_with_rejects or work.num_of_other_code
        else:
            of_other_code = {
                day
                for day, version in own.items()
                if day and scope.has_day(day) and currency.is_behind(version, graph.get(key).code_version, ())
            }
            waiting = _waiting_days(definitions, stack, key, scope)
            days = frozenset(day for day in {*matching, *of_other_code, *waiting} if day)
            work = Work(days, len(matching), len(of_other_code), len(waiting))
            needed = days
        if needed:
            found[key] = work
    return found


def replay(
    definitions: dg.Definitions,
    stack: Stack,
    scope: Scope,
    work: dict[dg.AssetKey, Work],
    execute: Execute,
    asked: Asked,
) -> Report:
    """Derives the work again, then everything that is made of what changed, and compares.

    What of other days a change touches, the product's sensor knows, so it is asked.

    What fails stays as it was; a second replay finds what is left.
    """
    graph = definitions.resolve_asset_graph()
    touched: list[tuple[Contract, int, pl.DataFrame]] = []
    failed: list[str] = []
    changed: dict[dg.AssetKey, set[date | None]] = {}
    for key, contract in _tables(definitions):
        node = graph.get(key)
        of_other_days = node.partition_mappings.keys()
        above = {day for parent in node.parent_keys - of_other_days for day in changed.get(parent, set())}
        if any(changed.get(parent) for parent in of_other_days):
            above |= asked(key)
        if contract.from_messages and any(changed.values()):  # a message may have become one of another table
            above |= messages.days_behind(stack.warehouse, contract).keys()
        days = _days_to_derive(contract, work.get(key), above)
        if days is not None and not days:
            continue
        before = _versions(stack, contract)
        touched.append((contract, _num_rows(stack, contract), _reasons(stack, contract, scope)))
        failed += [failure for outcome in derive(key, days, execute) for failure in outcome.failures]
        changed[key] = {day for day, at in _versions(stack, contract).items() if before.get(day) != at}
    changes = tuple(
        Change(contract.name, rows, _num_rows(stack, contract), reasons, _reasons(stack, contract, scope))
        for contract, rows, reasons in touched
    )
    return Report(changes, sum(len(days) for days in changed.values()), tuple(dict.fromkeys(failed)))


def around_bad_days(days: Sequence[date], execute: Callable[[tuple[date, date]], Outcome]) -> Iterator[Outcome]:
    """Runs days together; where one of them cannot be made, in halves, so that it does not hold the others.

    Args:
        days: In order, at least one.
        execute: Runs everything from one day to another.

    Yields:
        What the runs came to that were not split further.
    """
    yield from _split(days, execute((days[0], days[-1])), execute)


def _split(
    days: Sequence[date], outcome: Outcome, execute: Callable[[tuple[date, date]], Outcome]
) -> Iterator[Outcome]:
    if not outcome.has_bad_day or len(days) == 1:
        yield outcome
        return
    middle = len(days) // 2
    halves = [(half, execute((half[0], half[-1]))) for half in (days[:middle], days[middle:])]
    if all(of_half.failures == outcome.failures for _, of_half in halves):
        yield outcome  # the cause lies in no day: a layout file that cannot be read, say
        return
    for half, of_half in halves:
        yield from _split(half, of_half, execute)


def sentences(report: Report) -> list[str]:
    """What a replay won, lost and left, in lines for people."""
    lines: list[str] = []
    if not report.num_published:
        lines.append("Nothing was changed: the same rules read the same out of the same evidence.")
    for change in report.changes:
        lines.append(
            f"{change.asset}: rows {change.rows_before:,} -> {change.rows_after:,}"
            f" ({change.rows_after - change.rows_before:+,}), rejected records {change.rejected_before:,} ->"
            f" {change.rejected_after:,} ({change.rejected_after - change.rejected_before:+,})"
        )
        both = change.reasons_before.join(
            change.reasons_after, on="reason", how="full", coalesce=True, suffix="_after", nulls_equal=True
        ).sort("reason")
        for row in both.iter_rows(named=True):
            before, after = row["num_records"] or 0, row["num_records_after"] or 0
            verb = "gone" if not after else "new" if not before else "stays"
            why = f"; the first: {row['detail_after']}" if after else ""
            lines.append(f"  {verb}: {row['reason']} {before:,} -> {after:,}{why}")
    return lines


def _tables(definitions: dg.Definitions) -> list[tuple[dg.AssetKey, Contract]]:
    graph = definitions.resolve_asset_graph()
    metadata = {key: graph.get(key).metadata for key in graph.toposorted_asset_keys}
    return [(key, contracts.of_table(facts[TABLE_NAME])) for key, facts in metadata.items() if TABLE_NAME in facts]


def _publications_of_parents(definitions: dg.Definitions, stack: Stack, key: dg.AssetKey) -> list[reading.Publication]:
    parents = definitions.resolve_asset_graph().get(key).parent_keys
    of_parents = [contract for parent, contract in _tables(definitions) if parent in parents]
    return [version for contract in of_parents for version in reading.publications(stack.warehouse, contract)]


def _waiting_days(definitions: dg.Definitions, stack: Stack, key: dg.AssetKey, scope: Scope) -> set[date]:
    graph = definitions.resolve_asset_graph()
    parents = [graph.get(parent).metadata for parent in graph.get(key).parent_keys]
    kinds = [facts[LANDING_FOLDER] for facts in parents if LANDING_FOLDER in facts]
    if not kinds or scope.reason:  # what waits has no reason yet
        return set()
    delivered = [found for kind in kinds for found in arrivals.deliveries(stack.warehouse, stack.lake, kind)]
    contract = contracts.of_table(graph.get(key).metadata[TABLE_NAME])
    behind = currency.days_behind_deliveries(stack.warehouse, contract, delivered)
    return {day for day in behind if scope.has_day(day)}


def _days_to_derive(contract: Contract, work: Work | None, above: set[date | None]) -> Days:
    if contract.day is None:
        return None if work or above else frozenset()
    own = work.days if work and work.days else frozenset[date]()
    return own | {day for day in above if day}


def derive(
    key: dg.AssetKey, days: Days, execute: Execute, *, longest_gap: timedelta = timedelta(days=1)
) -> Iterator[Outcome]:
    """Runs one asset over some days, each stretch of them in a run; or whole, without days."""
    if days is None:
        yield execute(key, None)
        return
    for first, last in stretches(days, longest_gap=longest_gap):
        of_stretch = [day for day in sorted(days) if first <= day <= last]
        yield from around_bad_days(of_stretch, lambda stretch: execute(key, stretch))


def _versions(stack: Stack, contract: Contract) -> dict[date | None, datetime]:
    return {version.day: version.published_at for version in reading.publications(stack.warehouse, contract)}


def _num_rows(stack: Stack, contract: Contract) -> int:
    return sum(version.num_rows for version in reading.publications(stack.warehouse, contract))


def _reasons(stack: Stack, contract: Contract, scope: Scope) -> pl.DataFrame:
    # Of all reasons: a record that is won as one kind of reject may come back as another.
    return rejects.count(stack.warehouse, Scope((contract.table,), scope.days)).drop("asset", "num_rejects")


def _spelt(days: frozenset[date]) -> str:
    groups = [str(first) if first == last else f"{first}..{last}" for first, last in stretches(days)]
    return ", ".join(groups[:3]) + (f" and {len(groups) - 3} more" if len(groups) > 3 else "")  # noqa: PLR2004
