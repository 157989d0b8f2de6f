"""What arrived in the landing prefix: seen, kept as evidence, and delivered on which day.

What does not belong here: what a file says (`intake/` and the products).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from data_platform.lake import evidence
from data_platform.lake.store import Entry, Store
from data_platform.publish.shelves import day_list
from data_platform.warehouse.connection import Transaction, Warehouse

NamedDay = Callable[[str, date], date | None]
"""From a file's name and the day it arrived to the delivery day that the name gives, or None."""


@dataclass(frozen=True)
class Landed:
    """An object in the landing prefix whose content has not been looked at."""

    entry: Entry
    arrived_on: date
    named_day: date | None

    @property
    def day(self) -> date:
        """The day that it is delivered on, unless its content turns out to be known already."""
        return self.named_day or self.arrived_on


@dataclass(frozen=True)
class Delivery:
    """A piece of evidence that counts as delivered on a day."""

    evidence_id: str
    day: date
    name: str
    num_bytes: int
    lake: Store

    def chunks(self) -> Iterator[bytes]:
        """The bytes as they arrived.

        Raises:
            EvidenceDamaged: What the lake holds is not what arrived.
        """
        return evidence.read(self.lake, self.evidence_id)


def note_evidence(transaction: Transaction, evidence_id: str, kind: str, num_bytes: int) -> None:
    """Notes that a piece of evidence is kept in the lake; a second time, nothing changes."""
    transaction.run(
        "INSERT INTO ops.evidence (evidence_id, kind, place, num_bytes) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        evidence_id, kind, evidence.key_of(evidence_id), num_bytes,
    )  # fmt: skip


def anything_arrived(warehouse: Warehouse) -> bool:
    """Whether any file of any kind was ever received."""
    with warehouse.transaction() as transaction:
        return transaction.query("SELECT EXISTS (SELECT FROM ops.arrivals) AS found").item()


def deliveries(warehouse: Warehouse, lake: Store, kind: str, days: Sequence[date] | None = None) -> list[Delivery]:
    """What counts as delivered of a kind of file, on all days or on some, in the order of days and content."""
    with warehouse.transaction() as transaction:
        found = transaction.query(
            "SELECT evidence_id, day, landing_key, num_bytes FROM ops.deliveries"
            " WHERE kind = $1 AND ops.is_among(day, $2) ORDER BY day, evidence_id",
            kind,
            day_list(days),
        )
    return [
        Delivery(
            row["evidence_id"],
            row["day"],
            row["landing_key"].rsplit("/", 1)[-1],
            row["num_bytes"],
            lake,
        )
        for row in found.iter_rows(named=True)
    ]


@dataclass(frozen=True)
class Arrivals:
    """The landing prefix of one kind of file, and the books about it.

    Attributes:
        kind: Folder below the landing prefix, such as `leads`.
        time_zone: IANA name of the zone that decides the day of an arrival.
        first_day: No arrival is older; a file whose time says so, or lies ahead, counts as arrived today.
        named_day: Reads the delivery day out of a name.
    """

    warehouse: Warehouse
    lake: Store
    landing: Store
    kind: str
    time_zone: str
    first_day: date
    named_day: NamedDay

    def unseen(self) -> list[Landed]:
        """Objects in the landing prefix that were never looked at, oldest first; one listing and one query."""
        with self.warehouse.transaction() as transaction:
            seen = set(transaction.query("SELECT landing_key, landing_version FROM ops.arrivals").iter_rows())
        entries = [e for e in self.landing.list(self.kind) if (e.key, e.version) not in seen]
        return [self._landed(entry) for entry in sorted(entries, key=lambda e: (e.modified_at, e.key))]

    def _landed(self, entry: Entry) -> Landed:
        zone = ZoneInfo(self.time_zone)
        today, arrived_on = datetime.now(zone).date(), entry.modified_at.astimezone(zone).date()
        if not self.first_day <= arrived_on <= today:  # a copy can keep an old time, and a clock can be wrong
            arrived_on = today
        return Landed(entry, arrived_on, self.named_day(entry.name, arrived_on))

    def receive(self, landed: Landed) -> str:
        """Keeps a landed object as evidence and notes its arrival; a second time, nothing changes.

        Returns:
            Its evidence id.

        Raises:
            ChangedWhileRead: It was still being written; nothing was kept.
        """
        entry = landed.entry
        evidence_id, num_bytes = evidence.fingerprint(self.landing.read(entry.key))
        called = self.landing.location(entry.key)
        evidence.keep(self.lake, evidence_id, self.landing.read(entry.key), num_bytes=num_bytes, called=called)
        with self.warehouse.transaction() as transaction:
            note_evidence(transaction, evidence_id, self.kind, num_bytes)
            transaction.run(
                "INSERT INTO ops.arrivals"
                " (landing_key, landing_version, evidence_id, arrived_at, arrived_on, named_day)"
                " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
                entry.key, entry.version, evidence_id, entry.modified_at, landed.arrived_on, landed.named_day,
            )  # fmt: skip
        return evidence_id

    def deliveries(self, days: Sequence[date] | None = None) -> list[Delivery]:
        """What counts as delivered, on all days or on some, in the order of days and content."""
        return deliveries(self.warehouse, self.lake, self.kind, days)

    def receive_days(self, days: Sequence[date]) -> list[Delivery]:
        """Keeps whatever landed for these days, and returns all that counts as delivered on them."""
        wanted = set(days)
        for landed in self.unseen():
            if landed.day in wanted:
                self.receive(landed)
        return self.deliveries(days)
