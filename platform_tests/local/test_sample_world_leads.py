"""The sample world's lead files carry every oddity of the real ones, and the numbers they promise are true."""

import csv
import io
import re
from collections import Counter
from dataclasses import replace
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_platform.local.sample_world.leads import FIRST_DAY, MIN_PROVIDERS, SECOND_DAY, Delivery, deliveries
from data_platform.local.sample_world.names import AREA_CODES, CITIES

LICENCE_COLUMNS = {"NV": "Credential Number", "OK": "Type License", "TX": "Operation #"}
NAMES_OF_THE_FIRST_DAY = {
    "NV": {"Phone": "Phone#"},
    "OK": {},
    "TX": {"Operation": "Operation #", "Operation Name": "Operation/Caregiver Name"},
}
WEEK = {(delivery.state, delivery.day): delivery for delivery in deliveries()}
NEVADA, NEVADA_LATER = WEEK["NV", FIRST_DAY], WEEK["NV", SECOND_DAY]
OKLAHOMA, OKLAHOMA_LATER = WEEK["OK", FIRST_DAY], WEEK["OK", SECOND_DAY]
TEXAS, TEXAS_LATER = WEEK["TX", FIRST_DAY], WEEK["TX", SECOND_DAY]
INTACT = [NEVADA, TEXAS, NEVADA_LATER, OKLAHOMA_LATER, TEXAS_LATER]

Record = dict[str, str]


def rows(delivery: Delivery) -> list[list[str]]:
    encoding = "cp1252" if delivery.day == FIRST_DAY else "utf-8"
    return list(csv.reader(io.StringIO(delivery.content.decode(encoding), newline="")))


def records(delivery: Delivery) -> list[Record]:
    header, *body = rows(delivery)
    return [dict(zip(header, row, strict=True)) for row in body if len(row) == len(header)]


def column(delivery: Delivery, name: str) -> list[str]:
    return [record[name] for record in records(delivery)]


def licence_of(record: Record, state: str) -> str:
    licence = record[LICENCE_COLUMNS[state]]
    return licence.rpartition(" - ")[2] if state == "OK" else licence


def meaning_of(name: str, value: str) -> str | date:
    if name in {"Expiration Date", "First Issue Date", "Issue Date"} and value:
        year = "%y" if re.search(r"/\d\d$", value) else "%Y"
        return datetime.strptime(value, f"%m/%d/{year}").date()  # noqa: DTZ007 - a calendar day has no zone
    return value.encode("cp1252").decode("utf-8") if "\u00e2\u20ac" in value else value


def usable(delivery: Delivery) -> dict[str, dict[str, str | date]]:
    """The slow oracle: what each usable record means, by licence number, whatever the layout."""
    renamed = NAMES_OF_THE_FIRST_DAY[delivery.state]
    by_licence: dict[str, dict[str, str | date]] = {}
    for later_record in records(delivery):
        record = {renamed.get(name, name): value for name, value in later_record.items() if name}
        if licence := licence_of(record, delivery.state):
            by_licence[licence] = {name: meaning_of(name, value) for name, value in record.items()}
    return by_licence


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert deliveries() == deliveries()
    for delivery, other in zip(deliveries(), deliveries(seed=1), strict=True):
        assert delivery.content != other.content
        assert replace(delivery, content=b"").file_name == other.file_name


def test_two_days_bring_three_states_each_under_the_names_that_the_states_use() -> None:
    assert [delivery.file_name for delivery in deliveries()] == [
        "07-07-2023 Nevada Dept of Public _ Behavioral Health.csv",
        "07-07-2023 Oklahoma Human Services.csv",
        "07-07-2023 Texas DHHS.csv",
        "07-14-2023 Nevada Dept of Public _ Behavioral Health.csv",
        "07-14-2023 Oklahoma Human Services.csv",
        "07-14-2023 Texas DHHS.csv",
    ]


def test_the_first_headers_are_those_of_the_states() -> None:
    assert NEVADA.content.split(b"\r\n")[0] == (
        b"Name,Credential Type,Credential Number,Status,Expiration Date,Disciplinary Action,Address,,State,County,"
        b"Phone#,First Issue Date,Primary Contact Name,Primary Contact Role"
    )
    assert OKLAHOMA.content.split(b"\r\n")[0] == (
        b"Type License,Company,Accepts Subsidy,Year Round,Daytime Hours,Star Level,Mon,Tues,Wed,Thurs,Friday,Saturday,"
        b"Sunday,Primary Caregiver,Phone,Email,Address1,Address2,City,State,Zip,Subsidy Contract Number,Total Cap,"
        b"Ages Accepted 1,AA2,AA3,AA4,License Monitoring Since,School Year Only,Evening Hours"
    )
    assert TEXAS.content.split(b"\r\n")[0] == (
        b"Operation #,Agency Number,Operation/Caregiver Name,Address,City,State,Zip,County,Phone,Type,Status,"
        b"Issue Date,Capacity,Email Address,Facility ID,Monitoring Frequency,Infant,Toddler,Preschool,School"
    )


def test_nevada_and_texas_rename_columns_and_nevada_loses_its_empty_one_while_oklahoma_stays() -> None:
    assert rows(NEVADA_LATER)[0] == [name.replace("Phone#", "Phone") for name in rows(NEVADA)[0] if name]
    assert rows(TEXAS_LATER)[0] == ["Operation", "Agency Number", "Operation Name", *rows(TEXAS)[0][3:]]
    assert rows(OKLAHOMA_LATER)[0] == rows(OKLAHOMA)[0]


def test_line_ends_are_crlf_first_and_lf_later_except_in_oklahoma() -> None:
    for delivery in (NEVADA, OKLAHOMA, TEXAS, OKLAHOMA_LATER):
        assert delivery.content.count(b"\n") == delivery.content.count(b"\r\n") > delivery.num_records - 1
    for delivery in (NEVADA_LATER, TEXAS_LATER):
        assert b"\r" not in delivery.content


def test_only_texas_and_the_cut_file_lack_a_final_line_end() -> None:
    assert NEVADA.content.endswith(b"\r\n")
    assert NEVADA_LATER.content.endswith(b"\n")
    assert OKLAHOMA_LATER.content.endswith(b"\r\n")
    assert not TEXAS.content.endswith(b"\n")
    assert not TEXAS_LATER.content.endswith(b"\n")


def test_nevadas_only_byte_beyond_ascii_is_a_cp1252_apostrophe() -> None:
    assert [byte for byte in NEVADA.content if byte > 127] == [0x92]
    assert b"MOTHER THIMBLE\x92S LITTLE OTTERS" in NEVADA.content
    with pytest.raises(UnicodeDecodeError):
        NEVADA.content.decode("utf-8")


def test_nevadas_apostrophe_comes_back_as_utf_8_mojibake() -> None:
    assert "THIMBLE\u00e2\u20ac\u2122S".encode() in NEVADA_LATER.content
    assert sum(byte > 127 for byte in NEVADA_LATER.content) == len("\u00e2\u20ac\u2122".encode())


@pytest.mark.parametrize("delivery", [OKLAHOMA, TEXAS, OKLAHOMA_LATER, TEXAS_LATER], ids=lambda d: d.file_name)
def test_oklahoma_and_texas_are_pure_ascii(delivery: Delivery) -> None:
    assert delivery.content.isascii()


def test_nevada_gives_the_address_in_one_string_that_ends_in_city_state_and_zip() -> None:
    places = {(city, zip_code) for city, zip_code, _ in CITIES["NV"]}
    for address in column(NEVADA, "Address"):
        assert any(address.endswith(f" {city}, NV {zip_code}") for city, zip_code in places), address
    assert {len(city.split()) for city, zip_code in places if f" {city}, NV {zip_code}" in str(rows(NEVADA))} == {
        1,
        2,
        3,
    }


def test_some_nevada_addresses_have_a_direction_a_unit_or_no_street_suffix() -> None:
    addresses = column(NEVADA, "Address")
    assert any(re.match(r"\d+ [NESW]\.? ", address) for address in addresses)
    assert any(", STE " in address for address in addresses)
    assert any(" SUITE B " in address for address in addresses)
    suffix = re.compile(r" (ST|AVE|DR|RD\.|BLVD|LN|COURT|PKWY)[, ]")
    assert any(not suffix.search(address.replace(" ST. ", " ")) for address in addresses)


def test_nevada_contacts_may_be_two_people_and_have_one_of_four_roles() -> None:
    contacts = column(NEVADA, "Primary Contact Name")
    assert any(re.fullmatch(r"\w+ & \w+ \w+ & \w+", contact) for contact in contacts)
    assert any(re.fullmatch(r"\w+ AND \w+ \w+ AND \w+", contact) for contact in contacts)
    assert set(column(NEVADA, "Primary Contact Role")) == {"Director", "Owner", "Person in Charge", "Other"}


def test_nevada_dates_go_back_to_1986_and_lose_their_century_later() -> None:
    assert min(int(day[-4:]) for day in column(NEVADA, "First Issue Date")) == 1986
    assert "3/1/1986" in column(NEVADA, "First Issue Date")
    assert "3/1/86" in column(NEVADA_LATER, "First Issue Date")
    for name in ("First Issue Date", "Expiration Date"):
        assert all(re.fullmatch(r"[1-9]\d?/[1-9]\d?/\d{4}", day) for day in column(NEVADA, name))
        assert all(re.fullmatch(r"[1-9]\d?/[1-9]\d?/\d{2}", day) for day in column(NEVADA_LATER, name))


@pytest.mark.parametrize(("delivery", "phone"), [(NEVADA, "Phone#"), (NEVADA_LATER, "Phone")], ids=["first", "later"])
def test_five_nevada_branches_share_one_phone_at_five_addresses(delivery: Delivery, phone: str) -> None:
    (shared, times), (_, next_most) = Counter(column(delivery, phone)).most_common(2)
    assert (times, next_most) == (5, 1)
    assert len({record["Address"] for record in records(delivery) if record[phone] == shared}) == 5


def test_two_nevada_licences_share_one_address_and_not_their_phone() -> None:
    (shared, times), (_, next_most) = Counter(column(NEVADA, "Address")).most_common(2)
    assert (times, next_most) == (2, 1)
    assert len({record["Phone#"] for record in records(NEVADA) if record["Address"] == shared}) == 2


def test_phone_and_address_together_are_unique_within_a_state() -> None:
    for delivery, phone, street in (
        (NEVADA, "Phone#", "Address"),
        (OKLAHOMA, "Phone", "Address1"),
        (TEXAS, "Phone", "Address"),
    ):
        pairs = [(record[phone], record[street]) for record in records(delivery)]
        assert len(pairs) == len(set(pairs))


def test_licence_numbers_are_text_some_with_leading_zeros() -> None:
    assert all(re.fullmatch(r"\d{4}-2[23]", licence) for licence in usable(NEVADA))
    assert "0042-22" in usable(NEVADA)
    assert all(re.fullmatch(r"K\d{9}", licence) for licence in usable(OKLAHOMA))
    assert "0012345" in usable(TEXAS)
    assert "000256" in column(TEXAS, "Facility ID")


def test_oklahoma_puts_a_line_end_inside_the_quoted_caregiver() -> None:
    caregivers = column(OKLAHOMA_LATER, "Primary Caregiver")
    assert all(re.fullmatch(r"\w+ \w+\r\n(Primary Caregiver|Director)", caregiver) for caregiver in caregivers)
    assert re.search(rb',"\w+ \w+\r\nPrimary Caregiver",', OKLAHOMA.content)


def test_oklahoma_is_cut_off_inside_the_quoted_caregiver_of_its_last_record() -> None:
    assert OKLAHOMA.content.endswith(b',"Wendell Hollowbeck')
    assert OKLAHOMA.content.count(b'"') % 2 == 1
    body = rows(OKLAHOMA)[1:]
    assert [len(row) for row in body] == [30] * (OKLAHOMA.num_records - 1) + [14]


def test_the_oklahoma_record_that_was_cut_arrives_whole_a_week_later_as_new() -> None:
    cut_licence = rows(OKLAHOMA)[-1][0].rpartition(" - ")[2]
    assert usable(OKLAHOMA_LATER)[cut_licence]["Primary Caregiver"] == "Wendell Hollowbeck\r\nPrimary Caregiver"
    assert cut_licence in OKLAHOMA_LATER.new


def test_oklahoma_ages_are_shifted_left() -> None:
    ages = ["Ages Accepted 1", "AA2", "AA3", "AA4"]
    seen = {tuple(record[name] for name in ages) for record in records(OKLAHOMA)}
    assert ("Infants (0-11 months)", "", "", "") in seen
    assert ("Preschool (24-48 months; 2-4 yrs.)", "School-age (5 years-older)", "", "") in seen
    for row in seen:
        given = [age for age in row if age]
        assert row == (*given, *[""] * (4 - len(given)))


def test_oklahomas_last_columns_sometimes_hold_values_that_belong_elsewhere() -> None:
    assert {"Accepts Subsidy", "Year Round", "Daytime Hours", "School Year Only"} == set(
        column(OKLAHOMA, "School Year Only")
    )
    evening = set(column(OKLAHOMA, "Evening Hours"))
    assert {"Daytime Hours", "Evening Hours"} < evening
    assert any(" months" in value or "years-older" in value for value in evening)


def test_oklahoma_says_closed_or_hours_and_subsidy_numbers_as_text() -> None:
    hours = set(column(OKLAHOMA, "Mon")) | set(column(OKLAHOMA, "Sunday"))
    assert "CLOSED" in column(OKLAHOMA, "Mon")
    assert all(re.fullmatch(r"CLOSED|\d+:\d\d[AP]M - \d+:\d\d[AP]M", value) for value in hours)
    contracts = set(column(OKLAHOMA, "Subsidy Contract Number"))
    assert {"Subsidy Contract Number: N/A", "Subsidy Contract Number: 00042"} <= contracts


def test_texas_escapes_quotes_inside_company_names() -> None:
    assert b',"A"" Street Learning LLC""",' in TEXAS.content
    assert b',"""K"" Learning",' in TEXAS.content


def test_texas_addresses_without_a_unit_end_in_a_blank() -> None:
    addresses = column(TEXAS, "Address")
    assert any(address.endswith(" ") for address in addresses)
    assert any(address.endswith(" STE 104") for address in addresses)


def test_one_texas_record_has_no_status_date_capacity_or_age_flag() -> None:
    flags = ("Infant", "Toddler", "Preschool", "School")
    blank = [r for r in records(TEXAS) if not any(r[name] for name in ("Status", "Issue Date", "Capacity", *flags))]
    assert len(blank) == 1
    assert sum(not record["Status"] for record in records(TEXAS)) == 1


def test_texas_age_flags_are_yes_no_or_blank_and_emails_often_blank() -> None:
    for name in ("Infant", "Toddler"):
        assert set(column(TEXAS, name)) == {"Y", "N", ""}
    assert 0.2 < sum(not email for email in column(TEXAS, "Email Address")) / TEXAS.num_records < 0.6


def test_texas_dates_lose_their_century_later() -> None:
    assert "5/21/1986" in column(TEXAS, "Issue Date")
    assert "5/21/86" in column(TEXAS_LATER, "Issue Date")


@pytest.mark.parametrize("delivery", INTACT, ids=lambda d: d.file_name)
def test_an_intact_file_holds_the_promised_number_of_records(delivery: Delivery) -> None:
    header, *body = rows(delivery)
    assert len(body) == delivery.num_records
    too_wide = 1 if delivery is NEVADA_LATER else 0
    assert Counter(map(len, body)) == Counter({len(header): len(body) - too_wide, len(header) + 1: too_wide})


@pytest.mark.parametrize("delivery", list(WEEK.values()), ids=lambda d: d.file_name)
def test_records_are_usable_providers_rejects_and_duplicates(delivery: Delivery) -> None:
    assert len(usable(delivery)) == delivery.num_records - delivery.num_rejects - delivery.num_duplicates


def test_each_later_file_has_one_record_that_is_bad_in_its_own_way() -> None:
    header, *body = rows(NEVADA_LATER)
    assert [row[:2] for row in body if len(row) != len(header)] == [["PUDDLE", " HOME CARE"]]
    assert column(TEXAS_LATER, "Operation").count("") == 1
    assert column(OKLAHOMA_LATER, "Type License").count("CHILD CARE FAMILY - ") == 1


def test_one_texas_record_comes_twice_byte_for_byte() -> None:
    lines = Counter(TEXAS_LATER.content.split(b"\n"))
    assert sorted(lines.values())[-2:] == [1, 2]
    assert [delivery.num_duplicates for delivery in deliveries()] == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("seed", [20230707, 1, 2])
@pytest.mark.parametrize("state", ["NV", "OK", "TX"])
def test_the_sets_say_exactly_what_changed_vanished_and_came(state: str, seed: int) -> None:
    first, second = (delivery for delivery in deliveries(seed) if delivery.state == state)
    before, after = usable(first), usable(second)
    assert before.keys() - after.keys() == second.vanished
    assert after.keys() - before.keys() == second.new
    assert {licence for licence in before.keys() & after.keys() if before[licence] != after[licence]} == second.changed
    assert second.changed
    assert second.vanished
    assert not first.changed | first.vanished | first.new


def test_every_phone_is_a_fictional_one_of_its_own_state() -> None:
    for delivery in deliveries():
        phones = re.findall(r"\(?(\d{3})\)?[- ](\d{3})-(\d{4})(?!\d)", delivery.content.decode("cp1252"))
        assert len(phones) >= delivery.num_records - 1
        assert {exchange for _, exchange, _ in phones} == {"555"}
        assert {area_code for area_code, _, _ in phones} <= set(AREA_CODES[delivery.state])
        assert min(line for _, _, line in phones) >= "0100"


def test_every_email_is_in_a_domain_reserved_for_examples() -> None:
    for delivery in deliveries():
        assert set(re.findall(rb"@([\w.]+)", delivery.content)) <= {b"example.com", b"example.org", b"example.net"}


@pytest.mark.parametrize("size", [MIN_PROVIDERS - 1, 9_001])
def test_an_impossible_number_of_providers_is_refused_with_the_possible_ones(size: int) -> None:
    with pytest.raises(ValueError, match="give 40 to 9000"):
        deliveries(providers_per_state=size)


@given(seed=st.integers(0, 2**64), size=st.integers(MIN_PROVIDERS, 300))
@settings(max_examples=25, deadline=None)
def test_any_seed_and_size_keeps_the_promised_numbers(seed: int, size: int) -> None:
    for delivery in deliveries(seed, size):
        assert len(usable(delivery)) == delivery.num_records - delivery.num_rejects - delivery.num_duplicates
        assert delivery.day == SECOND_DAY or delivery.num_records == size
