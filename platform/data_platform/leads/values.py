"""How the text of a file becomes a value of `leads`: one function a reading, text in, value or null out.

A null for a text that is not blank means that the text could not be read. What does not belong here: which column of
which source is read how (`leads/sources/`).
"""

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import cast

import ftfy
import phonenumbers
import polars as pl
import zipcodes

from data_platform.leads.sources import FieldLayout

_DATE_FORMATS = ("%m/%d/%Y", "%m/%d/%y", "%Y-%m-%d")
_YEARS = (1900, 2100)
_NO_SUCH_AREA = re.compile(r"\+1[01]")
_ONE_LINE_ADDRESS = r"^(?<place>.*?),?\s*(?<state>[A-Z]{2})\s+(?<zip>[0-9]{5}(?:-[0-9]{4})?)$"
_TWO_FULL_NAMES = r"^(\S+) (\S+) & (\S+) (\S+)$"
_SEVERAL_PEOPLE = r"^(.*?\s&\s\S+)\s+(.+)$"
_LAST_NAME_FIRST = r"^([^,&]+),\s*([^,&]+)$"
_ONE_PERSON = r"^(.+?)\s+(\S+)$"


def tidy(text: pl.Expr) -> pl.Expr:
    """Text without stray spaces and broken characters; null where nothing is left.

    Curly and wrongly decoded apostrophes become plain ones, so that the same name delivered in two encodings is equal.
    """
    mended = _each(text, lambda value: ftfy.fix_text(value) if not value.isascii() else value)
    return mended.str.replace_all(r"\s+", " ").str.strip_chars().replace("", None)


def text(value: pl.Expr, field: FieldLayout) -> pl.Expr:  # noqa: ARG001
    """The text as it is."""
    return value


def capitals(value: pl.Expr, field: FieldLayout) -> pl.Expr:  # noqa: ARG001
    """The text in capitals."""
    return value.str.to_uppercase()


def email(value: pl.Expr, field: FieldLayout) -> pl.Expr:  # noqa: ARG001
    """A mail address in lower case."""
    lower = value.str.to_lowercase()
    return pl.when(lower.str.contains(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")).then(lower)


def phone(value: pl.Expr, field: FieldLayout) -> pl.Expr:  # noqa: ARG001
    """A number of the United States or with a country code, in E.164; an extension has no place in it."""
    return _each(value, _e164)


def zip_code(value: pl.Expr, field: FieldLayout) -> pl.Expr:  # noqa: ARG001
    """Five digits, or five and four with a hyphen."""
    return pl.when(value.str.contains(r"^[0-9]{5}(-[0-9]{4})?$")).then(value)


def day(value: pl.Expr, field: FieldLayout) -> pl.Expr:  # noqa: ARG001
    """A date as month/day/year, the year of four or two digits (69 to 99 are of the last century), or in ISO form."""
    formats = [value.str.to_date(form, strict=False) for form in _DATE_FORMATS]
    # `%Y` reads "86" as the year 86, and a slip of the pen as the year 202.
    return pl.coalesce(pl.when(form.dt.year().is_between(*_YEARS)).then(form) for form in formats)


def integer(value: pl.Expr, field: FieldLayout) -> pl.Expr:  # noqa: ARG001
    """A whole number, thousands separated by commas or not."""
    written = pl.when(value.str.contains(r"^-?[0-9]{1,3}(,[0-9]{3})*$|^-?[0-9]+$")).then(value)
    return written.str.replace_all(",", "").cast(pl.Int32, strict=False)


def flag(value: pl.Expr, field: FieldLayout) -> pl.Expr:
    """True or false, by the texts that the layout gives for each; blank counts as a text here."""
    said = value.fill_null("")
    return (
        pl.when(said.is_in(field.true_when))
        .then(statement=True)
        .when(said.is_in(field.false_when))
        .then(statement=False)
    )


def first_name(value: pl.Expr, field: FieldLayout) -> pl.Expr:  # noqa: ARG001
    """First name; of several people (`Ann & Mary Smith & Jones`) all first names."""
    return _person(value, 1)


def last_name(value: pl.Expr, field: FieldLayout) -> pl.Expr:  # noqa: ARG001
    """Last name; of several people (`Ann & Mary Smith & Jones`) all last names."""
    return _person(value, 2)


def street_of_address(value: pl.Expr, field: FieldLayout) -> pl.Expr:  # noqa: ARG001
    """Street out of `12 N. EXAMPLE ST BOULDER CITY, NV 89005`."""
    return _each(value, lambda address: _split_address(address)[0])


def city_of_address(value: pl.Expr, field: FieldLayout) -> pl.Expr:  # noqa: ARG001
    """City, in capitals, out of `12 N. EXAMPLE ST BOULDER CITY, NV 89005`."""
    return _each(value, lambda address: _split_address(address)[1])


def zip_of_address(value: pl.Expr, field: FieldLayout) -> pl.Expr:  # noqa: ARG001
    """ZIP code out of `12 N. EXAMPLE ST BOULDER CITY, NV 89005`."""
    return value.str.to_uppercase().str.extract_groups(_ONE_LINE_ADDRESS).struct.field("zip")


READINGS: Mapping[str, Callable[[pl.Expr, FieldLayout], pl.Expr]] = {
    "text": text, "capitals": capitals, "email": email, "phone": phone, "zip": zip_code, "date": day,
    "integer": integer, "flag": flag, "first_name": first_name, "last_name": last_name,
    "street_of_address": street_of_address,
    "city_of_address": city_of_address, "zip_of_address": zip_of_address,
}  # fmt: skip
"""Every reading of one text. A schedule is made of seven (`schedule`)."""


def schedule(days: Mapping[str, pl.Expr]) -> pl.Expr:
    """Opening hours as `Mon 7:30AM - 5:30PM; ...; Sun CLOSED`; days without hours are left out."""
    parts = [pl.format("{} {}", pl.lit(name), hours) for name, hours in days.items()]
    return pl.concat_str(parts, separator="; ", ignore_nulls=True).replace("", None)


def _each(value: pl.Expr, function: Callable[[str], str | None]) -> pl.Expr:
    """Applies a library's function once to each distinct text: such libraries know one value at a time."""

    def batch(series: pl.Series) -> pl.Series:
        distinct = series.drop_nulls().unique()
        results = pl.Series([function(value) for value in distinct], dtype=pl.String)
        return series.replace_strict(distinct, results, default=None, return_dtype=pl.String)

    return value.map_batches(batch, return_dtype=pl.String)


def _e164(number: str) -> str | None:
    try:
        parsed = phonenumbers.parse(number, "US")
    except phonenumbers.NumberParseException:
        return None
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    # "Possible" includes numbers without an area code, and in North America any ten digits.
    meant = reason == phonenumbers.ValidationResult.IS_POSSIBLE and not _NO_SUCH_AREA.match(written)
    return written if meant else None


def _person(value: pl.Expr, part: int) -> pl.Expr:
    joined = value.str.replace_all(r"(?i)\s+and\s+", " & ")
    both = [joined.str.extract(_TWO_FULL_NAMES, part), joined.str.extract(_TWO_FULL_NAMES, part + 2)]
    named = pl.coalesce(
        pl.concat_str(both, separator=" & "),
        joined.str.extract(_SEVERAL_PEOPLE, part),
        joined.str.extract(_LAST_NAME_FIRST, 3 - part),
        joined.str.extract(_ONE_PERSON, part),
    )
    found = pl.coalesce(named, joined) if part == 1 else named
    return pl.when(found.str.contains("[a-z]")).then(found).otherwise(found.str.to_titlecase())


@lru_cache(maxsize=100_000)
def _split_address(address: str) -> tuple[str | None, str | None]:
    """Street and city; the city is the longest of the ZIP code, else of the state, that the place ends with."""
    found = re.match(_ONE_LINE_ADDRESS.replace("(?<", "(?P<"), address, re.IGNORECASE)
    if not found:
        return None, None
    place = found["place"]
    for cities in (_cities_of_zip(found["zip"][:5]), _cities_of_state(found["state"].upper())):
        ending = [city for city in cities if place.upper().endswith(f" {city}")]
        if ending:
            city = max(ending, key=len)
            return place[: -len(city)].strip(" ,"), city
    return place.strip(" ,"), None


@cache
def _cities_of_state(state: str) -> frozenset[str]:
    return _names(zipcodes.filter_by_state(state))


@cache
def _cities_of_zip(code: str) -> frozenset[str]:
    return _names(zipcodes.matching(code))


def _names(places: list[dict[str, object]]) -> frozenset[str]:
    return frozenset(
        str(name).upper()
        for place in places
        for name in (place["city"], *cast("list[str]", place["acceptable_cities"]))
    )
