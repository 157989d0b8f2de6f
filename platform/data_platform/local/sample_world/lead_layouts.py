"""How each state writes its licensed providers down, in the layout of either delivery.

Here: what a provider is, the columns of each state, and the damage that happens to written text. Not here: which
providers exist and which of them change (`leads`).
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from data_platform.local.sample_world.names import Person, Place

AGES = (
    "Infants (0-11 months)",
    "Toddlers (12-23 months; 1yr.)",
    "Preschool (24-48 months; 2-4 yrs.)",
    "School-age (5 years-older)",
)
CLOSED = "CLOSED"


@dataclass(frozen=True, kw_only=True)
class Provider:
    """What every state says of a provider. `phone` is `702-555-0142`; `licence` is empty in a record without one."""

    licence: str
    company: str
    kind: str
    phone: str
    place: Place


@dataclass(frozen=True, kw_only=True)
class NevadaProvider(Provider):
    """A credential of Nevada's Department of Public and Behavioral Health."""

    status: str
    expires: date
    first_issued: date
    contact: str
    role: str


@dataclass(frozen=True, kw_only=True)
class OklahomaProvider(Provider):
    """A licence of Oklahoma Human Services. `subsidy_contract` is empty for one that takes no subsidy."""

    subsidy_contract: str
    year_round: bool
    daytime: bool
    school_year_only: bool
    evening: bool
    stars: int
    hours: tuple[str, ...]
    caregiver: Person
    title: str
    email: str
    capacity: int
    ages: tuple[str, ...]
    monitored_since: date


@dataclass(frozen=True, kw_only=True)
class TexasProvider(Provider):
    """An operation of the Texas DHHS. `age_flags` are Y, N or blank for infant, toddler, preschool and school."""

    agency: str
    status: str
    issued: date | None
    capacity: int | None
    email: str
    facility: str
    age_flags: tuple[str, str, str, str]


def four_digit_year(day: date) -> str:
    """Format a day as `7/1/1986`."""
    return f"{day.month}/{day.day}/{day.year}"


def two_digit_year(day: date) -> str:
    """Format a day as `7/1/86`."""
    return f"{day.month}/{day.day}/{day.year % 100:02d}"


def as_cp1252(text: str) -> bytes:
    """Encode as Windows does: the apostrophe U+2019 is the one byte 0x92."""
    return text.encode("cp1252")


def as_mojibake(text: str) -> bytes:
    """Encode as UTF-8, misread that as cp1252, encode again: the apostrophe U+2019 becomes three characters."""
    return text.encode("utf-8").decode("cp1252").encode("utf-8")


@dataclass(frozen=True)
class Layout:
    """One version of one state's file. `columns` are the names of the first delivery; `renamed` holds later ones."""

    columns: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    line_end: str = "\r\n"
    final_line_end: bool = True
    written_day: Callable[[date], str] = four_digit_year
    encode: Callable[[str], bytes] = as_cp1252

    def record(self, values: Mapping[str, str]) -> str:
        """One record as CSV text without its line end; columns that are not in `values` stay blank."""
        return self._joined([values.get(column, "") for column in self.columns])

    def content(self, records: Sequence[str]) -> bytes:
        """The whole file: a header row and these records."""
        header = self._joined([self.renamed.get(column, column) for column in self.columns])
        text = self.line_end.join((header, *records))
        return self.encode(text + self.line_end if self.final_line_end else text)

    def _joined(self, fields: Sequence[str]) -> str:
        written = io.StringIO()
        csv.writer(written, lineterminator=self.line_end).writerow(fields)
        return written.getvalue().removesuffix(self.line_end)


_NEVADA = (
    *("Name", "Credential Type", "Credential Number", "Status", "Expiration Date", "Disciplinary Action", "Address"),
    *("", "State", "County", "Phone#", "First Issue Date", "Primary Contact Name", "Primary Contact Role"),
)
_DAYS = ("Mon", "Tues", "Wed", "Thurs", "Friday", "Saturday", "Sunday")
_OKLAHOMA_AGES = ("Ages Accepted 1", "AA2", "AA3", "AA4")
_OKLAHOMA = (
    *("Type License", "Company", "Accepts Subsidy", "Year Round", "Daytime Hours", "Star Level", *_DAYS),
    *("Primary Caregiver", "Phone", "Email", "Address1", "Address2", "City", "State", "Zip", "Subsidy Contract Number"),
    *("Total Cap", *_OKLAHOMA_AGES, "License Monitoring Since", "School Year Only", "Evening Hours"),
)
_TEXAS_AGES = ("Infant", "Toddler", "Preschool", "School")
_TEXAS = (
    *("Operation #", "Agency Number", "Operation/Caregiver Name", "Address", "City", "State", "Zip", "County", "Phone"),
    *("Type", "Status", "Issue Date", "Capacity", "Email Address", "Facility ID", "Monitoring Frequency", *_TEXAS_AGES),
)

NEVADA_FIRST = Layout(_NEVADA)
NEVADA_SECOND = Layout(
    tuple(column for column in _NEVADA if column),
    renamed={"Phone#": "Phone"},
    line_end="\n",
    written_day=two_digit_year,
    encode=as_mojibake,
)
OKLAHOMA_BOTH = Layout(_OKLAHOMA)
TEXAS_FIRST = Layout(_TEXAS, final_line_end=False)
TEXAS_SECOND = Layout(
    _TEXAS,
    renamed={"Operation #": "Operation", "Operation/Caregiver Name": "Operation Name"},
    line_end="\n",
    final_line_end=False,
    written_day=two_digit_year,
)


def nevada_record(provider: NevadaProvider, layout: Layout) -> str:
    """Write a provider as Nevada does: the whole address in one string."""
    place = provider.place
    return layout.record(
        {
            "Name": provider.company,
            "Credential Type": provider.kind,
            "Credential Number": provider.licence,
            "Status": provider.status,
            "Expiration Date": layout.written_day(provider.expires),
            "Disciplinary Action": "N",
            "Address": f"{place.street}{place.unit} {place.city}, NV {place.zip_code}",
            "State": "NV",
            "County": place.county,
            "Phone#": provider.phone,
            "First Issue Date": layout.written_day(provider.first_issued),
            "Primary Contact Name": provider.contact,
            "Primary Contact Role": provider.role,
        }
    )


def oklahoma_record(provider: OklahomaProvider, layout: Layout) -> str:
    """Write a provider as Oklahoma does: type and number, and name and title, in one field each."""
    place = provider.place
    area_code, _, number = provider.phone.partition("-")
    school_year_only, evening_hours = _last_columns_with_values_from_elsewhere(provider)
    return layout.record(
        {
            "Type License": f"{provider.kind} - {provider.licence}",
            "Company": provider.company,
            "Accepts Subsidy": "Accepts Subsidy" if provider.subsidy_contract else "",
            "Year Round": "Year Round" if provider.year_round else "",
            "Daytime Hours": "Daytime Hours" if provider.daytime else "",
            "Star Level": f"{provider.stars} Star Level Program",
            **dict(zip(_DAYS, provider.hours, strict=True)),
            "Primary Caregiver": f"{provider.caregiver.full_name}\r\n{provider.title}",
            "Phone": f"({area_code}) {number}",
            "Email": provider.email,
            "Address1": place.street,
            "Address2": place.unit,
            "City": place.city,
            "State": "OK",
            "Zip": place.zip_code,
            "Subsidy Contract Number": f"Subsidy Contract Number: {provider.subsidy_contract or 'N/A'}",
            "Total Cap": str(provider.capacity),
            **_ages_shifted_left(provider.ages),
            "License Monitoring Since": f"Monitoring since {provider.monitored_since.isoformat()}",
            "School Year Only": school_year_only,
            "Evening Hours": evening_hours,
        }
    )


def _ages_shifted_left(ages: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(_OKLAHOMA_AGES, ages, strict=False))


def _last_columns_with_values_from_elsewhere(provider: OklahomaProvider) -> tuple[str, str]:
    evening = "Evening Hours" if provider.evening else ""
    if provider.school_year_only:
        return "School Year Only", evening
    if provider.subsidy_contract:
        return "Accepts Subsidy", evening or ("Daytime Hours" if provider.daytime else provider.ages[-1])
    return "Year Round" if provider.year_round else "Daytime Hours", evening or provider.ages[-1]


def texas_record(provider: TexasProvider, layout: Layout) -> str:
    """Write a provider as Texas does: street and unit with a blank between, which trails where there is no unit."""
    place = provider.place
    return layout.record(
        {
            "Operation #": provider.licence,
            "Agency Number": provider.agency,
            "Operation/Caregiver Name": provider.company,
            "Address": f"{place.street} {place.unit}",
            "City": place.city,
            "State": "TX",
            "Zip": place.zip_code,
            "County": place.county,
            "Phone": provider.phone,
            "Type": provider.kind,
            "Status": provider.status,
            "Issue Date": layout.written_day(provider.issued) if provider.issued else "",
            "Capacity": "" if provider.capacity is None else str(provider.capacity),
            "Email Address": provider.email,
            "Facility ID": provider.facility,
            **dict(zip(_TEXAS_AGES, provider.age_flags, strict=True)),
        }
    )


def cut_inside_the_last_caregiver(content: bytes, provider: OklahomaProvider) -> bytes:
    """Cut the file off after the caregiver's name of this last provider, before the quote closes."""
    last_caregiver = f'"{provider.caregiver.full_name}'.encode("ascii")
    return content[: content.rindex(last_caregiver) + len(last_caregiver)]


def without_quotes_round_the_name(record: str, provider: NevadaProvider) -> str:
    """Write a name that holds a comma without its quotes, so that the record has one field too many."""
    return record.replace(f'"{provider.company}"', provider.company, 1)
