"""What the main job has to do: which days and tables no longer agree with what they are made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

from data_platform import contracts
from data_platform.contracts.contract import Contract
from data_platform.defs.describe import LANDING_FOLDER, QUEUE, REPORT_TYPE, TABLE_NAME
from data_platform.defs.logins.draining import has_messages
from data_platform.defs.operations.asked import days_asked
from data_platform.defs.operations.replay import Days
from data_platform.publish import reading
from data_platform.publish.currency import days_not_stored, is_behind
from data_platform.publish.reading import Publication
from data_platform.stack import Stack

_LONGEST_GAP = timedelta(days=31)


@dataclass(frozen=True)
class Task:
    """An asset that is not current.

    Attributes:
        days: Those that are out of date; None for a table that is published whole.
        longest_gap: Days that lie no further apart share a run.
    """

    key: dg.AssetKey
    days: Days
    longest_gap: timedelta


def tasks(
    definitions: dg.Definitions, stack: Stack, instance: dg.DagsterInstance, within: tuple[date, date] | None = None
) -> Iterator[Task]:
    """What is not current, asset by asset; each is looked at when those that it is made of are done.

    Args:
        definitions: Every asset and sensor.
        stack: What they work with.
        instance: Where sensors keep their cursors.
        within: First and last day to look at, and then those of them are tasks that are current too; None for all days.
    """
    graph = definitions.resolve_asset_graph()
    for key in graph.toposorted_asset_keys:
        metadata = graph.get(key).metadata
        if REPORT_TYPE in metadata:
            days = days_asked(definitions, instance, key)
            if within:  # what is delivered is only made again when its asset is named
                days = {day for day in days if within[0] <= day <= within[1]}
            if days:
                yield Task(key, frozenset(days), timedelta(days=1))
        elif QUEUE in metadata:
            if not within and has_messages(stack):
                yield Task(key, None, timedelta(days=1))
        elif TABLE_NAME in metadata:
            yield from _of_table(definitions, stack, instance, key, within)


def _of_table(
    definitions: dg.Definitions,
    stack: Stack,
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    within: tuple[date, date] | None,
) -> Iterator[Task]:
    graph = definitions.resolve_asset_graph()
    node = graph.get(key)
    # Which days a parent of other days touches, its product's sensor knows.
    parents = [graph.get(parent).metadata for parent in node.parent_keys - node.partition_mappings.keys()]
    books = _Books(stack, node.metadata, parents)
    if not node.is_partitioned:
        if books.whole_is_behind(node.code_version):
            yield Task(key, None, timedelta(days=1))
        return
    asked = days_asked(definitions, instance, key)
    days = books.days_behind(node.code_version) | asked
    if within:
        days = {day for day in books.days | asked if within[0] <= day <= within[1]}
    if days:
        # Days on which nothing was delivered can be made too, and one run of many is far cheaper than many runs.
        yield Task(key, frozenset(days), _LONGEST_GAP if books.are_of_files else timedelta(days=1))


class _Books:
    """What is published of a table and of those that it is made of."""

    def __init__(
        self, stack: Stack, metadata: Mapping[str, object], of_parents: Sequence[Mapping[str, object]]
    ) -> None:
        contract = _contract(metadata)
        above = [_contract(facts) for facts in of_parents if TABLE_NAME in facts]
        self.are_of_files = any(LANDING_FOLDER in facts for facts in of_parents)
        self._own = {version.day: version for version in reading.publications(stack.warehouse, contract)}
        self._above = [version for parent in above for version in reading.publications(stack.warehouse, parent)]
        self._not_stored = days_not_stored(stack.warehouse, stack.lake, contract)

    @property
    def days(self) -> set[date]:
        """Days that the table, or one that it is made of, has."""
        return {day for day in self._own if day} | {version.day for version in self._above if version.day}

    def whole_is_behind(self, code_version: str | None) -> bool:
        """Whether a table that is published whole is not current."""
        return bool(self._not_stored) or is_behind(self._own.get(None), code_version, self._above)

    def days_behind(self, code_version: str | None) -> set[date]:
        """Days that are not current by what was published of the same day, or whole."""
        stale = {day for day in self.days if is_behind(self._own.get(day), code_version, self._parents_of(day))}
        return stale | {day for day in self._not_stored if day}

    def _parents_of(self, day: date) -> list[Publication]:
        return [version for version in self._above if version.day in {day, None}]


def _contract(metadata: Mapping[str, object]) -> Contract:
    return contracts.of_table(str(metadata[TABLE_NAME]))
