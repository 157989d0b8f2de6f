"""What a field looks like, by itself: a number, a date, a name. Only ever used to find the shape of a file.

The idea that the right dialect is the one under which fields look like values is that of CleverCSV (van den Burg,
Nazabal and Sutton, "Wrangling messy CSV files by detecting row and type patterns", 2019).
"""

import re
from collections.abc import Sequence

_NUMBER = r"[-+(]?[$€£¥]?\s?[-+]?(?:\d{1,3}(?:[,.' ]\d{3})+|\d+)?(?:[.,]\d+)?(?:[eE][-+]?\d+)?\s?[%$€£¥)]?"
_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[AaPp][Mm])?"
_DATE = (
    r"(?:\d{1,2}[-/. ]\d{1,2}[-/. ](?:\d{4}|\d{2})|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}"
    r"|\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{2,4})"
)
_ZONE = r"(?:\s?(?:Z|UTC|GMT|[-+]\d{2}:?\d{2}))?"
_TYPED = re.compile(rf"(?=.*\d)(?:{_NUMBER}|(?:{_DATE}[ T]?)?{_TIME}{_ZONE}|{_DATE})")
_ID = re.compile(
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[^\s@,;|]+@[^\s@,;|]+\.\w+|(?:https?|ftp)://\S+"
)
_WORDS = re.compile(r"[\w#$%(<&+*@\[/.~-][^\t;|\x00-\x1f\"]*")
_YEAR = re.compile(r"(?:18|19|20|21)\d\d")


def is_typed(field: str) -> bool:
    """Whether a field is a number, an amount, a date or a time."""
    return _TYPED.fullmatch(field.strip()) is not None


def is_data(field: str) -> bool:
    """Whether a field is typed, or an address or identifier that no column would be named after."""
    return is_typed(field) or _ID.fullmatch(field.strip()) is not None


def is_year(field: str) -> bool:
    """Whether a field may be a year, which columns of sums are often named after."""
    return _YEAR.fullmatch(field.strip()) is not None


def plausibility(field: str) -> float:
    """How much a field without quotes looks like one value, from 0 to 1."""
    bare = field.strip(" ")
    if not bare or is_data(bare):
        value = 1.0
    elif not _WORDS.fullmatch(bare) or bare[-1] in "'`":
        return 0.0
    else:
        value = 0.5 if "," in bare else 0.9
    return value if len(bare) == len(field) else value * 0.8


def reads_like_header(fields: Sequence[str]) -> bool:
    """Whether fields are distinct, none is blank, and none is typed."""
    return (
        len(set(fields)) == len(fields)
        and all(field.strip() for field in fields)
        and not any(is_typed(field) for field in fields)
    )
