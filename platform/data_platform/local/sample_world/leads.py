"""Lead deliveries of the sample world: three states, two Fridays, every file a full refresh.

Here: which providers exist, which oddities they carry, what changes within the week. Not here: how a state writes a
provider down (`lead_layouts`), what a phone or street looks like (`names`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import cycle
from typing import Generic, TypeVar

from data_platform.local.sample_world import lead_layouts as layouts
from data_platform.local.sample_world.lead_layouts import NevadaProvider, OklahomaProvider, Provider, TexasProvider
from data_platform.local.sample_world.names import Inventor, Person

SEED = 20230707
FIRST_DAY = date(2023, 7, 7)
SECOND_DAY = date(2023, 7, 14)
MIN_PROVIDERS, MAX_PROVIDERS = 40, 9_000
NUM_CHANGED, NUM_VANISHED, NUM_NEW = 6, 3, 4
ROLES = ("Director", "Owner", "Person in Charge", "Other")
_SPARE = 100  # phones, houses and numbers beyond the providers of the first day: newcomers, bad records, changed phones
_AGENCY = "40817"
_FILE_NAMES = {
    "NV": "Nevada Dept of Public _ Behavioral Health.csv",
    "OK": "Oklahoma Human Services.csv",
    "TX": "Texas DHHS.csv",
}
_P = TypeVar("_P", bound=Provider)


@dataclass(frozen=True)
class Delivery:
    """One file as it arrives, and what is true of it by construction.

    Attributes:
        file_name: Name with the delivery date, such as `07-07-2023 Texas DHHS.csv`.
        state: NV, OK or TX.
        day: The delivery date.
        content: The bytes of the file.
        num_records: Data records in the file, bad and repeated ones included.
        num_rejects: Records that cannot be used. A bad record stands for nobody else: its provider is in no set below.
        num_duplicates: Records that repeat an earlier one of the file byte for byte.
        changed: Licence numbers of providers that mean something else than a week before; empty for a first delivery.
        vanished: Licence numbers that were usable a week before and are gone.
        new: Licence numbers that are usable now and were not a week before, the record that was cut off among them.
    """

    file_name: str
    state: str
    day: date
    content: bytes
    num_records: int
    num_rejects: int
    num_duplicates: int = 0
    changed: frozenset[str] = frozenset()
    vanished: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Week(Generic[_P]):
    first: list[_P]
    second: list[_P]
    changed: frozenset[str]
    vanished: frozenset[str]
    new: frozenset[str]

    def second_delivery(self, state: str, content: bytes, num_records: int, *, num_duplicates: int = 0) -> Delivery:
        """The second delivery, which holds one reject in each state."""
        return Delivery(
            _file_name(state, SECOND_DAY),
            state,
            SECOND_DAY,
            content,
            num_records,
            num_rejects=1,
            num_duplicates=num_duplicates,
            changed=self.changed,
            vanished=self.vanished,
            new=self.new,
        )


def deliveries(seed: int = SEED, providers_per_state: int = 120) -> list[Delivery]:
    """Two deliveries of three states, by day and state; the same arguments give the same bytes.

    Args:
        seed: Another seed gives other providers with the same oddities.
        providers_per_state: Records in each file of the first day.

    Raises:
        ValueError: Too few providers to hold every oddity, or more than a state has invented numbers for.
    """
    if not MIN_PROVIDERS <= providers_per_state <= MAX_PROVIDERS:
        raise ValueError(f"providers_per_state is {providers_per_state}: give {MIN_PROVIDERS} to {MAX_PROVIDERS}")
    weeks = [state(seed, providers_per_state) for state in (_nevada, _oklahoma, _texas)]
    return [first for first, _ in weeks] + [second for _, second in weeks]


def _file_name(state: str, day: date) -> str:
    return f"{day:%m-%d-%Y} {_FILE_NAMES[state]}"


def _first_delivery(state: str, content: bytes, num_records: int, *, num_rejects: int = 0) -> Delivery:
    return Delivery(_file_name(state, FIRST_DAY), state, FIRST_DAY, content, num_records, num_rejects)


def _week(
    draw: Inventor, odd: list[_P], plain: list[_P], newcomers: list[_P], changes: Sequence[Callable[[_P], _P]]
) -> _Week[_P]:
    """What a state knows on either day. Only plain providers change or vanish; order says nothing."""
    before, gone = plain[:NUM_CHANGED], plain[NUM_CHANGED : NUM_CHANGED + NUM_VANISHED]
    after = [change(provider) for provider, change in zip(before, cycle(changes), strict=False)]
    first = [*odd, *plain]
    second = [*odd, *after, *plain[NUM_CHANGED + NUM_VANISHED :], *newcomers]
    draw.rng.shuffle(first)
    draw.rng.shuffle(second)
    return _Week(first, second, _licences(before), _licences(gone), _licences(newcomers))


def _licences(providers: Sequence[Provider]) -> frozenset[str]:
    return frozenset(provider.licence for provider in providers)


def _day_between(draw: Inventor, first: date, last: date) -> date:
    return date.fromordinal(draw.rng.randint(first.toordinal(), last.toordinal()))


def _nevada(seed: int, size: int) -> tuple[Delivery, Delivery]:
    draw = Inventor("NV", seed, size + _SPARE)
    serials = draw.serials(range(100, 10_000), size + _SPARE)

    def provider() -> NevadaProvider:
        return NevadaProvider(
            licence=f"{next(serials)}-{draw.rng.choice(('22', '23'))}",
            company=draw.company().upper(),
            kind=draw.rng.choice(("CENTER", "CENTER (PROVISIONAL)", "FAMILY CARE", "GROUP CARE", "ACCOMMODATION")),
            phone=draw.phone(),
            place=draw.place(),
            status="Active",
            expires=_day_between(draw, date(2023, 7, 31), date(2024, 6, 30)),
            first_issued=_day_between(draw, date(1990, 1, 1), date(2023, 6, 30)),
            contact=draw.person().full_name.upper(),
            role=draw.rng.choice(ROLES),
        )

    odd = [
        replace(provider(), company="MOTHER THIMBLE\N{RIGHT SINGLE QUOTATION MARK}S LITTLE OTTERS"),
        replace(provider(), company="CLOVER & KITE, A PRESCHOOL"),
        replace(provider(), contact="FARAH & GIDEON OSTERBY & LARKENBY"),
        replace(provider(), contact="RAMON AND PETRA IVESGATE AND CORVANE"),
        replace(provider(), first_issued=date(1986, 3, 1)),
        replace(provider(), licence="0042-22"),
        *(replace(provider(), role=role) for role in ROLES),
        *_five_branches_on_one_phone(provider),
        *_two_licences_at_one_address(provider),
    ]
    plain = [provider() for _ in range(size - len(odd))]
    changes: list[Callable[[NevadaProvider], NevadaProvider]] = [
        lambda known: replace(known, phone=draw.phone()),
        lambda known: replace(known, status="Inactive"),
        lambda known: replace(known, expires=known.expires + timedelta(days=365)),
    ]
    week = _week(draw, odd, plain, [provider() for _ in range(NUM_NEW)], changes)

    first = [layouts.nevada_record(known, layouts.NEVADA_FIRST) for known in week.first]
    second = [layouts.nevada_record(known, layouts.NEVADA_SECOND) for known in week.second]
    with_comma = replace(provider(), company="PUDDLE, HOME CARE")
    quoted = layouts.nevada_record(with_comma, layouts.NEVADA_SECOND)
    second.insert(len(second) // 2, layouts.without_quotes_round_the_name(quoted, with_comma))
    return (
        _first_delivery("NV", layouts.NEVADA_FIRST.content(first), len(first)),
        week.second_delivery("NV", layouts.NEVADA_SECOND.content(second), len(second)),
    )


def _five_branches_on_one_phone(provider: Callable[[], NevadaProvider]) -> list[NevadaProvider]:
    branches = [replace(provider(), company=f"PINWHEEL TEACUP ACADEMY #{number}") for number in range(1, 6)]
    return [replace(branch, phone=branches[0].phone) for branch in branches]


def _two_licences_at_one_address(provider: Callable[[], NevadaProvider]) -> list[NevadaProvider]:
    centre = replace(provider(), kind="CENTER")
    return [centre, replace(provider(), kind="ACCOMMODATION", place=centre.place)]


def _oklahoma(seed: int, size: int) -> tuple[Delivery, Delivery]:
    draw = Inventor("OK", seed, size + _SPARE)
    serials = draw.serials(range(820_000_000, 830_000_000), size + _SPARE)
    contracts = draw.serials(range(100, 100_000), size + _SPARE)

    def provider() -> OklahomaProvider:
        caregiver = draw.person()
        at_home = draw.often(0.7)
        open_hours = f"{draw.rng.choice(('6:00', '6:30', '7:30'))}AM - {draw.rng.choice(('5:00', '5:30', '6:00'))}PM"
        return OklahomaProvider(
            licence=f"K{next(serials)}",
            company=(f"{caregiver.surname}, {caregiver.given}" if at_home else f"{draw.company()}, LLC").upper(),
            kind="CHILD CARE FAMILY" if at_home else "CHILD CARE CENTER",
            phone=draw.phone(),
            place=draw.place(),
            subsidy_contract=next(contracts) if draw.often(0.6) else "",
            year_round=draw.often(0.9),
            daytime=draw.often(0.9),
            school_year_only=False,
            evening=draw.often(0.1),
            stars=draw.rng.randint(1, 5),
            hours=(*[open_hours] * 5, layouts.CLOSED, layouts.CLOSED),
            caregiver=caregiver,
            title="Primary Caregiver" if at_home else "Director",
            email=draw.email(caregiver),
            capacity=draw.rng.choice((7, 12)) if at_home else draw.rng.randint(20, 150),
            ages=layouts.AGES[: draw.rng.choice((3, 4, 4))],
            monitored_since=_day_between(draw, date(2020, 8, 1), date(2023, 6, 30)),
        )

    infants, toddlers, preschool, school_age = layouts.AGES
    weekend_only = (*[layouts.CLOSED] * 5, "6:00AM - 6:00PM", "6:00AM - 6:00PM")
    odd = [
        replace(provider(), subsidy_contract="00042", daytime=True, evening=False),
        replace(provider(), subsidy_contract="", year_round=True, evening=False),
        replace(provider(), subsidy_contract="", year_round=False, evening=False),
        replace(provider(), year_round=False, school_year_only=True, evening=True),
        replace(provider(), hours=weekend_only),
        replace(provider(), ages=(infants,)),
        replace(provider(), ages=(toddlers, preschool, school_age)),
        replace(provider(), ages=(preschool, school_age)),
    ]
    plain = [provider() for _ in range(size - len(odd) - 1)]
    last = replace(provider(), caregiver=Person("Wendell", "Hollowbeck"), title="Primary Caregiver")
    changes: list[Callable[[OklahomaProvider], OklahomaProvider]] = [
        lambda known: replace(known, phone=draw.phone()),
        lambda known: replace(known, capacity=known.capacity + 5),
    ]
    week = _week(draw, odd, plain, [last, *(provider() for _ in range(NUM_NEW))], changes)

    layout = layouts.OKLAHOMA_BOTH
    first = [layouts.oklahoma_record(known, layout) for known in (*week.first, last)]
    second = [layouts.oklahoma_record(known, layout) for known in week.second]
    without_number = replace(provider(), kind="CHILD CARE FAMILY", licence="")
    second.insert(len(second) // 2, layouts.oklahoma_record(without_number, layout))
    cut_off = layouts.cut_inside_the_last_caregiver(layout.content(first), last)
    return (
        _first_delivery("OK", cut_off, len(first), num_rejects=1),
        week.second_delivery("OK", layout.content(second), len(second)),
    )


def _texas(seed: int, size: int) -> tuple[Delivery, Delivery]:
    draw = Inventor("TX", seed, size + _SPARE)
    operations = draw.serials(range(100_000, 10_000_000), size + _SPARE)
    facilities = draw.serials(range(10_000, 10_000_000), size + _SPARE)

    def provider() -> TexasProvider:
        at_home = draw.often(0.25)
        return TexasProvider(
            licence=next(operations),
            company=draw.company(),
            kind="Licensed Child-Care Home" if at_home else "Licensed Center - Child Care Program",
            phone=draw.phone(),
            place=draw.place(),
            agency=_AGENCY if draw.often(0.05) else "",
            status="Full Permit",
            issued=_day_between(draw, date(1990, 1, 1), date(2023, 6, 30)),
            capacity=12 if at_home else draw.rng.randint(20, 330),
            email=draw.email(draw.person()) if draw.often(0.6) else "",
            facility=next(facilities),
            age_flags=("N" if draw.often(0.1) else "Y", "Y", "Y", "N" if draw.often(0.1) else "Y"),
        )

    odd = [
        replace(provider(), company='A" Street Learning LLC"'),
        replace(provider(), company='"K" Learning'),
        replace(provider(), status="", issued=None, capacity=None, age_flags=("", "", "", "")),
        replace(provider(), age_flags=("", "Y", "Y", "Y")),
        replace(provider(), age_flags=("", "", "Y", "")),
        replace(provider(), age_flags=("N", "N", "Y", "N"), status="Initial", email=""),
        replace(provider(), licence="0012345", facility="000256"),
        replace(provider(), issued=date(1986, 5, 21), agency=_AGENCY),
    ]
    plain = [provider() for _ in range(size - len(odd))]
    changes: list[Callable[[TexasProvider], TexasProvider]] = [
        lambda known: replace(known, phone=draw.phone()),
        lambda known: replace(known, capacity=(known.capacity or 0) + 5),
        lambda known: replace(known, status="Initial"),
    ]
    week = _week(draw, odd, plain, [provider() for _ in range(NUM_NEW)], changes)

    first = [layouts.texas_record(known, layouts.TEXAS_FIRST) for known in week.first]
    second = [layouts.texas_record(known, layouts.TEXAS_SECOND) for known in week.second]
    without_number = replace(provider(), licence="")
    second.insert(len(second) // 2, layouts.texas_record(without_number, layouts.TEXAS_SECOND))
    second.insert(len(second) // 3, second[2 * len(second) // 3])
    return (
        _first_delivery("TX", layouts.TEXAS_FIRST.content(first), len(first)),
        week.second_delivery("TX", layouts.TEXAS_SECOND.content(second), len(second), num_duplicates=1),
    )
