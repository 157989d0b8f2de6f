"""The rejects of what is published now, for people and for replay: which there are, and the bytes of each.

What does not belong here: how one is shown (`console/`), and how it is derived again (`defs/operations/`).
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from data_platform import contracts
from data_platform.errors import PermanentError
from data_platform.intake.gzipped import readable
from data_platform.lake import evidence
from data_platform.lake.store import Store
from data_platform.privacy.sealing import is_sealed
from data_platform.warehouse.connection import Value, Warehouse

_BOOKS = {"ops", "reports"}

SHORT = 12
"""Digits of an evidence id that are shown: enough to be the only ones of many million."""

# A reject of a table that is published whole has the day on which its evidence was first delivered.
_FOUND = """
WITH delivered AS (
    SELECT DISTINCT ON (evidence_id, day) evidence_id, day, landing_key FROM ops.deliveries
    ORDER BY evidence_id, day, landing_key
), first_delivered AS (
    SELECT DISTINCT ON (evidence_id) * FROM delivered ORDER BY evidence_id, day
), found AS (
    SELECT split_part(r.table_name, '.', 2) AS asset, coalesce(r.day, f.day) AS day, r.day AS partition_day,
           coalesce(regexp_replace(coalesce(d.landing_key, f.landing_key), '^.*/', ''), e.kind) AS file_name,
           r.evidence_id, r.record_no, r.line, r.byte_from, r.byte_to, r.num_records, r.reason, r.detail,
           r.rule_version, r.table_name
    FROM ops.rejects r
    LEFT JOIN delivered d ON d.evidence_id = r.evidence_id AND d.day = r.day
    LEFT JOIN first_delivered f ON f.evidence_id = r.evidence_id
    LEFT JOIN ops.evidence e ON e.evidence_id = r.evidence_id
)
"""
_WITHIN = """
FROM found
WHERE ($1 = '' OR table_name = ANY (string_to_array($1, ',')))
  AND ($2 = '' OR day BETWEEN nullif($2, '')::date AND nullif($3, '')::date)
  AND ($4 = '' OR reason = $4)
  AND starts_with(evidence_id, $5)
"""
_ADDRESS = re.compile(r"([0-9a-f]{4,64})(?:([:@])([0-9]{1,18}))?")


class Sealed(PermanentError):
    """The bytes of a reject hold personal data."""


@dataclass(frozen=True)
class Scope:
    """Which rejects are meant.

    Attributes:
        tables: Names with schema; none for all.
        days: First and last delivery day; None for all.
        reason: A reason code; empty for all.
        evidence: First digits of an evidence id; empty for all.
    """

    tables: tuple[str, ...] = ()
    days: tuple[date, date] | None = None
    reason: str = ""
    evidence: str = ""

    @property
    def parameters(self) -> tuple[Value, ...]:
        """The five parameters of the query."""
        first, last = self.days or (None, None)
        return ",".join(self.tables), str(first or ""), str(last or ""), self.reason, self.evidence

    def has_day(self, day: date) -> bool:
        """Whether a day is among those meant."""
        return self.days is None or self.days[0] <= day <= self.days[1]


@dataclass(frozen=True)
class Reject:
    """One reject with all that is known of it; the columns of `ops.rejects` and the delivery that it came in."""

    asset: str
    day: date | None
    partition_day: date | None
    file_name: str | None
    evidence_id: str
    record_no: int | None
    line: int | None
    byte_from: int
    byte_to: int
    num_records: int
    reason: str
    detail: str
    rule_version: str

    @property
    def address(self) -> str:
        """What `rejects show` takes: the evidence, and the record or, for a span that is no record, its first byte."""
        place = f"@{self.byte_from}" if self.record_no is None else f":{self.record_no}"
        return self.evidence_id[:SHORT] + place

    @property
    def num_bytes(self) -> int:
        """Length of its span."""
        return self.byte_to - self.byte_from

    def span(self, lake: Store) -> Iterator[bytes]:
        """Its bytes out of the evidence, in chunks; proven to be what arrived once the last one is read.

        Where a file came in gzip, the span of a reject that has a line is of the content.

        Raises:
            EvidenceDamaged: The evidence is not what arrived.
            NoSuchObject: The evidence is gone.
            Sealed: It holds personal data.
        """
        chunks = evidence.read(lake, self.evidence_id)
        first = next(chunks, b"")
        if is_sealed(first):
            raise Sealed(
                f"{self.address} is sealed, since it holds personal data; `data-platform reveal {self.address} --reason"
                " ...` opens it for those who have the key."
            )
        chunks = itertools.chain([first], chunks)
        return evidence.span(chunks if self.line is None else readable(chunks), self.byte_from, self.byte_to)


@dataclass(frozen=True)
class Waiting:
    """A delivery of which nothing is published: it was held, its run failed, or no run has read it yet."""

    kind: str
    day: date
    file_name: str
    evidence_id: str


def scope_of(assets: Sequence[str], days: tuple[date, date] | None, reason: str = "", evidence: str = "") -> Scope:
    """The scope that the words of a command mean; an asset bears the name of its table.

    Raises:
        PermanentError: There is no such asset.
    """
    known = {contract.name: contract.table for contract in contracts.every() if contract.schema not in _BOOKS}
    if strangers := sorted(set(assets) - known.keys()):
        raise PermanentError(f"There is no asset {strangers[0]!r}; there are {', '.join(sorted(known))}.")
    return Scope(tuple(known[name] for name in assets), days, reason, evidence.strip().lower())


def find(warehouse: Warehouse, scope: Scope, *, limit: int) -> list[Reject]:
    """The first rejects of a scope, by asset, day and place."""
    columns = ", ".join(Reject.__dataclass_fields__)
    with warehouse.transaction() as transaction:
        found = transaction.query(
            f"{_FOUND} SELECT {columns} {_WITHIN} ORDER BY asset, day, evidence_id, byte_from LIMIT $6",
            *scope.parameters,
            limit,
        )
    return [Reject(**row) for row in found.to_dicts()]


def count(warehouse: Warehouse, scope: Scope) -> pl.DataFrame:
    """How many rejects of a scope there are.

    Returns:
        Columns `asset`, `reason`, `num_rejects`, `num_records`, the most frequent reason of an asset first, with the
        `detail` of the first reject.
    """
    with warehouse.transaction() as transaction:
        return transaction.query(
            f"{_FOUND} SELECT asset, reason, count(*) AS num_rejects, sum(num_records)::bigint AS num_records,"
            f" (array_agg(detail ORDER BY day, evidence_id, byte_from))[1] AS detail {_WITHIN}"
            " GROUP BY asset, reason ORDER BY asset, num_records DESC, reason",
            *scope.parameters,
        )


def partition_days(warehouse: Warehouse, scope: Scope) -> dict[str, set[date | None]]:
    """For each table with rejects of a scope the days that hold them; None stands for a table published whole."""
    with warehouse.transaction() as transaction:
        found = transaction.query(f"{_FOUND} SELECT DISTINCT table_name, partition_day {_WITHIN}", *scope.parameters)
    days: dict[str, set[date | None]] = {}
    for table, day in found.iter_rows():
        days.setdefault(table, set()).add(day)
    return days


def at(warehouse: Warehouse, address: str) -> Reject:
    """The reject at an address, as a list of them shows it.

    Args:
        warehouse: Holds the books.
        address: `1a2b3c4d5e6f:12` for record 12 of the evidence that begins so, `1a2b3c4d5e6f@0` for the span that
            begins at byte 0; the evidence alone where it has one reject only.

    Raises:
        PermanentError: That is no address, or there is not exactly one such reject; the sentence says what there is.
    """
    parts = _ADDRESS.fullmatch(address.strip().lower())
    if not parts:
        raise PermanentError(
            f"{address!r} is no address of a reject; take one from the first column of `data-platform rejects list`,"
            " such as 1a2b3c4d5e6f:12."
        )
    digits, mark, number = parts.groups()
    column = {":": "record_no", "@": "byte_from"}.get(mark or "", "0")
    columns = ", ".join(Reject.__dataclass_fields__)
    with warehouse.transaction() as transaction:
        found = transaction.query(
            f"{_FOUND} SELECT {columns} {_WITHIN} AND {column} = $6 ORDER BY partition_day, record_no LIMIT 100",
            *Scope(evidence=digits).parameters,
            int(number or 0),
        )
    rejects = [Reject(**row) for row in found.to_dicts()]
    # The same content delivered on two days has the same rejects twice: the bytes and the reason are one.
    different = {(reject.evidence_id, reject.byte_from, reject.byte_to, reject.reason) for reject in rejects}
    if not rejects:
        raise PermanentError(
            f"There is no reject {address} among what is published now; `data-platform rejects list` shows those there"
            " are, and one that a replay won is none any more."
        )
    if len(different) > 1:
        examples = ", ".join(list(dict.fromkeys(reject.address for reject in rejects))[:3])
        raise PermanentError(f"{address} names more than one reject; add to it, such as {examples}.")
    return rejects[0]


def waiting(warehouse: Warehouse, scope: Scope) -> list[Waiting]:
    """Deliveries of which nothing is published, by day and name."""
    with warehouse.transaction() as transaction:
        found = transaction.query(
            "SELECT d.kind, d.day, regexp_replace(d.landing_key, '^.*/', '') AS file_name, d.evidence_id"
            " FROM ops.deliveries d WHERE ($1 = '' OR d.day BETWEEN nullif($1, '')::date AND nullif($2, '')::date)"
            " AND starts_with(d.evidence_id, $3)"
            " AND NOT EXISTS (SELECT FROM ops.tallies t WHERE t.day = d.day AND t.evidence_id = d.evidence_id)"
            " ORDER BY d.day, d.landing_key",
            *scope.parameters[1:3],
            scope.evidence,
        )
    return [Waiting(**row) for row in found.to_dicts()]
