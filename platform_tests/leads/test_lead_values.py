"""One function a reading: text in, value or null out."""

from datetime import date

import polars as pl
import pytest

from data_platform.leads import values
from data_platform.leads.sources import FieldLayout

FLAG = FieldLayout.model_validate({"as": "flag", "of": "x", "true_when": ["Y"], "false_when": ["", "N"]})
TEXT = FieldLayout.model_validate({"as": "text", "of": "x"})


def read(reading: str, *texts: str | None, field: FieldLayout = TEXT) -> list[object]:
    return (
        pl.DataFrame({"x": texts}, schema={"x": pl.String})
        .select(values.READINGS[reading](pl.col("x"), field))
        .to_series()
        .to_list()
    )


@pytest.mark.parametrize(
    ("reading", "text", "value"),
    [
        ("phone", "702-555-0199", "+17025550199"),
        ("phone", "(918) 555-1521", "+19185551521"),
        ("phone", "+44 20 7946 0018", "+442079460018"),
        ("phone", "555", None),
        ("phone", "call me", None),
        ("zip", "89005", "89005"),
        ("zip", "501", None),
        ("phone", "555-0100", None),
        ("phone", "000-000-0000", None),
        ("date", "1/2/0202", None),
        ("integer", "1,2", None),
        ("integer", "-1", -1),
        ("first_name", "ANNA SMITH & MARIA JONES", "Anna & Maria"),
        ("last_name", "ANNA SMITH & MARIA JONES", "Smith & Jones"),
        ("first_name", "DOE, JANE", "Jane"),
        ("last_name", "DOE, JANE", "Doe"),
        ("street_of_address", "12 STRA\u00dfE ST BOULDER CITY, NV 89005", "12 STRA\u00dfE ST"),
        ("zip", "89030-1234", "89030-1234"),
        ("zip", "8900A", None),
        ("date", "12/1/2013", date(2013, 12, 1)),
        ("date", "7/1/86", date(1986, 7, 1)),
        ("date", "6/30/24", date(2024, 6, 30)),
        ("date", "2020-09-02", date(2020, 9, 2)),
        ("date", "13/1/2020", None),
        ("date", "2/30/2020", None),
        ("integer", "1,200", 1200),
        ("integer", "12.5", None),
        ("integer", "99999999999", None),
        ("email", "Jane@Example.ORG", "jane@example.org"),
        ("email", "jane at example", None),
        ("capitals", "Las Vegas", "LAS VEGAS"),
        ("first_name", "ANNA & MARIA SMITH & JONES", "Anna & Maria"),
        ("last_name", "ANNA & MARIA SMITH & JONES", "Smith & Jones"),
        ("first_name", "RICHARD AND RYAN FARMER AND JOINER", "Richard & Ryan"),
        ("last_name", "RICHARD AND RYAN FARMER AND JOINER", "Farmer & Joiner"),
        ("first_name", "MARY ANN O'NEIL", "Mary Ann"),
        ("last_name", "MARY ANN O'NEIL", "O'Neil"),
        ("first_name", "Jane McDonald", "Jane"),
        ("last_name", "Jane McDonald", "McDonald"),
        ("first_name", "CHER", "Cher"),
        ("last_name", "CHER", None),
        ("street_of_address", "12 N. EXAMPLE ST BOULDER CITY, NV 89005", "12 N. EXAMPLE ST"),
        ("city_of_address", "12 N. EXAMPLE ST BOULDER CITY, NV 89005", "BOULDER CITY"),
        ("zip_of_address", "12 N. EXAMPLE ST BOULDER CITY, NV 89005", "89005"),
        ("city_of_address", "5 OAK AVE STE 4 NORTH LAS VEGAS, NV 89030-1234", "NORTH LAS VEGAS"),
        ("zip_of_address", "5 OAK AVE STE 4 NORTH LAS VEGAS, NV 89030-1234", "89030-1234"),
        ("city_of_address", "9 ELM RD HENDERSON, NV 89123", "HENDERSON"),
        ("city_of_address", "1 MAIN ST NOWHERE AT ALL, NV 89005", None),
        ("street_of_address", "1 MAIN ST NOWHERE AT ALL, NV 89005", "1 MAIN ST NOWHERE AT ALL"),
        ("street_of_address", "no address", None),
    ],
)
def test_a_text_is_read(reading: str, text: str, value: object) -> None:
    assert read(reading, text, None) == [value, None]


def test_a_flag_is_what_the_layout_says() -> None:
    assert read("flag", "Y", "N", "", None, "maybe", field=FLAG) == [True, False, False, False, None]


def test_an_apostrophe_is_the_same_in_every_encoding_it_comes_in() -> None:
    curly, mojibake, plain = "TOT\u2019S", "TOT\u00e2\u20ac\u2122S", "TOT'S"
    frame = pl.DataFrame({"x": [curly, mojibake, plain, "  a\r\n b ", "", " "]}).select(values.tidy(pl.col("x")))
    assert frame["x"].to_list() == [plain, plain, plain, "a b", None, None]


def test_a_schedule_leaves_out_days_without_hours() -> None:
    frame = pl.DataFrame(
        {"a": ["7-5", None, None], "b": ["CLOSED", "CLOSED", None]}, schema={"a": pl.String, "b": pl.String}
    )
    said = frame.select(x=values.schedule({"Mon": pl.col("a"), "Tue": pl.col("b")}))["x"].to_list()
    assert said == ["Mon 7-5; Tue CLOSED", "Tue CLOSED", None]
