"""A sentence for each oddity that real deliveries have shown; the rows are invented."""

import pytest

from platform_tests.intake.account import checked
from platform_tests.intake.good_files import among_good_rows

NEVADA = (
    "Name,Credential Type,Credential Number,Status,Expiration Date,Disciplinary Action,Address,,State,County,Phone#,"
    "First Issue Date,Primary Contact Name,Primary Contact Role"
)
OKLAHOMA = (
    "Type License,Company,Accepts Subsidy,Year Round,Daytime Hours,Star Level,Mon,Tues,Wed,Thurs,Friday,Saturday,"
    "Sunday,Primary Caregiver,Phone,Email,Address1,Address2,City,State,Zip,Subsidy Contract Number,Total Cap,"
    "Ages Accepted 1,AA2,AA3,AA4,License Monitoring Since,School Year Only,Evening Hours"
)
TEXAS = (
    "Operation #,Agency Number,Operation/Caregiver Name,Address,City,State,Zip,County,Phone,Type,Status,Issue Date,"
    "Capacity,Email Address,Facility ID,Monitoring Frequency,Infant,Toddler,Preschool,School"
)
EVENTS = (
    "anonymous_id;business_zoned;context_app_version;context_device_id;context_os_name;event_name;"
    "received_at;created_at"
)
AGES = "Infants (0-11 months)", "Toddlers (12-23 months; 1yr.)", "Preschool (24-48 months; 2-4 yrs.)", "School-age"


def nevada(name: str, number: int, *, expires: str = "12/31/2023") -> str:
    who = "ANNA & MARIA SMITH & JONES,Person in Charge" if number % 2 else "Zed Roe,Director"
    place = '"12 N. EXAMPLE ST BOULDER CITY, NV 89005",,Nevada,CLARK'
    return f"{name},Center,{number:06},Active,{expires},N,{place},(702) 555-0{number:03},1/1/1999,{who}"


def oklahoma(number: int) -> str:
    days = ",".join(["7:30AM - 5:30PM"] * 5 + ["CLOSED"] * 2)
    return (
        f'CHILD CARE FAMILY - K82000{number:04},"DOE, JANE",Accepts Subsidy,Year Round,Daytime Hours,2 Star,{days},'
        f'"Jane Doe\r\nPrimary Caregiver",(405) 555-{number:04},jane{number}@example.org,{number} NW 38TH TER,,YUKON,'
        f"OK,73099,S{number},12,{','.join(AGES)},Monitoring since 2020-09-02,,"
    )


def texas(number: int, *, name: str = "Kids", rest: str = "Active,7/7/2003,12") -> str:
    return (
        f"{number},0042-22,{name},{number} MAIN ST  ,AUSTIN,TX,01234,TRAVIS,512-555-{number:04},Licensed Center,{rest},"
        f"kids{number}@example.org,{number + 1000},Annual,Y,Y,,"
    )


def event(number: int) -> str:
    id_ = f"{number:08x}-AbCd-4000-8000-00000000000{number % 10}" if number % 5 else ""
    device = f"2.{number}.0;{number:032x};iOS;Ride Started - Failed"
    return f"{id_};2023-07-0{number % 9 + 1};{device};2023-07-10 10:0{number % 10}:00;2023-07-09 23:59:0{number % 10}"


def joined(*lines: str, line_end: str = "\r\n", ends: bool = True) -> bytes:
    return (line_end.join(lines) + (line_end if ends else "")).encode()


def test_nevada_has_an_empty_header_and_a_cp1252_apostrophe_in_ascii() -> None:
    data = joined(NEVADA, *(nevada("TOTS", number) for number in range(8)), nevada("KID@S CLUB", 9))
    account = checked(data.replace(b"@", b"\x92"))
    assert account.header is not None
    assert account.header.names[7] == ""
    assert account.said.records[-1][4][0] == "KID\u2019S CLUB"
    assert [record[5] for record in account.said.records] == [None] * 8 + ["decoded_as_cp1252"]
    assert account.values[0][6] == "12 N. EXAMPLE ST BOULDER CITY, NV 89005"
    assert account.reasons == []


def test_nevada_s_later_delivery_has_lf_two_digit_years_mojibake_and_a_column_less() -> None:
    names = NEVADA.replace("Phone#", "Phone").replace(",,", ",")
    rows = [nevada("KID\u201a\u00c4\u00f4s", number, expires="12/31/86").replace(",,", ",") for number in range(8)]
    account = checked(joined(names, *rows, line_end="\n"))
    assert (account.width, len(account.values), account.reasons) == (13, 8, [])
    assert account.values[0][4] == "12/31/86"


def test_oklahoma_has_line_ends_in_quoted_values() -> None:
    account = checked(joined(OKLAHOMA, *(oklahoma(number) for number in range(8))))
    assert (account.width, len(account.values), account.reasons) == (30, 8, [])
    assert {values[13] for values in account.values} == {"Jane Doe\r\nPrimary Caregiver"}
    assert [record[1] for record in account.said.records] == list(range(2, 18, 2))


def test_oklahoma_was_cut_off_inside_a_quoted_value_of_its_last_record() -> None:
    whole = joined(OKLAHOMA, *(oklahoma(number) for number in range(8)))
    data = whole[: whole.rindex(b"\r\nPrimary Caregiver") + 9]
    account = checked(data)
    assert len(account.values) == 7
    assert account.reasons == [(16, "unclosed_quote")]
    assert account.text_of(account.said.rejects)[0].endswith(b"\r\nPrimary")


def test_texas_has_escaped_quotes_trailing_blanks_an_incomplete_record_and_no_final_line_end() -> None:
    rows = [texas(number) for number in range(8)]
    odd = [texas(98, name='"A"" Street Learning LLC"""'), texas(99, rest=",,").replace("Y,Y", ",")]
    account = checked(joined(TEXAS, *rows, *odd, ends=False))
    assert account.values[-2][2] == 'A" Street Learning LLC"'
    assert account.values[-1][10:13] == ["", "", ""]
    assert account.values[0][3:7] == ["0 MAIN ST  ", "AUSTIN", "TX", "01234"]
    assert account.reasons == []


def test_mobile_events_are_parted_by_semicolons_and_some_ids_are_blank() -> None:
    rows = [event(number) for number in range(20)]
    account = checked(joined(EVENTS, *rows, *rows[:3], line_end="\n"))
    assert account.dialect.delimiter == ";"
    assert account.header is not None
    assert account.header.names == tuple(EVENTS.split(";"))
    assert account.values == [row.split(";") for row in [*rows, *rows[:3]]]


def test_values_keep_their_blanks_and_stay_text() -> None:
    assert [" 007 ", "n/a", ""] in checked(among_good_rows(" 007 ,n/a,")).values


def test_a_quote_inside_an_unquoted_field_is_text() -> None:
    assert ['5" pipe', 'x"y"', "1"] in checked(among_good_rows('5" pipe,x"y",1')).values


def test_escaped_quotes_are_undone() -> None:
    account = checked(among_good_rows('"A"" Street Learning LLC""",1,x', '"""","",2'))
    assert account.values[5:7] == [['A" Street Learning LLC"', "1", "x"], ['"', "", "2"]]


def test_a_missing_final_line_end_is_no_fault() -> None:
    account = checked(among_good_rows()[:-1])
    assert (len(account.values), account.reasons) == (10, [])


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_each_style_of_line_end_is_read_and_belongs_to_the_value_inside_quotes(line_end: str) -> None:
    account = checked(among_good_rows(f'"x{line_end}y",1,2', "", line_end=line_end))
    assert account.values[5] == [f"x{line_end}y", "1", "2"]
    assert [record[1] for record in account.said.records[4:7]] == [6, 7, 10]
    assert account.reasons == []


def test_lf_and_crlf_may_be_mixed() -> None:
    account = checked(among_good_rows().replace(b"Elko\n", b"Elko\r\n"))
    assert {values[2] for values in account.values} == {"Reno", "Reno, NV", "Elko", "Ely"}


def test_a_lone_cr_is_text_in_a_file_whose_lines_end_with_lf() -> None:
    assert ["1\r2", "3", "4"] in checked(among_good_rows("1\r2,3,4")).values


def test_a_header_may_have_an_empty_and_a_repeated_name() -> None:
    header = checked(among_good_rows().replace(b"name,age,city", b"Address,,Address")).header
    assert header is not None
    assert header.names == ("Address", "", "Address")


def test_a_cp1252_header_is_read() -> None:
    header = checked(among_good_rows().replace(b"name", b"Provider\x92s name")).header
    assert header is not None
    assert header.names == ("Provider\u2019s name", "age", "city")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(encoding: str) -> None:
    account = checked(among_good_rows().decode().encode(encoding))
    assert account.header is not None
    assert account.header.names == ("name", "age", "city")
    assert account.said.structure[0][0] == "bom"
    assert account.said.structure[0][3] == len("".encode(encoding))
    assert len(account.values) == 10
