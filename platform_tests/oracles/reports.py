"""The customer's report of completed lessons, slow and obvious: one user and one day at a time, from the rules alone.

Active users are in the report, each with the number of different lessons on each day of a window that ends on the
report's day. Beside it, its CSV file, one character at a time.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal

DAY = timedelta(days=1)

User = tuple[int, str, str]
"""Id, name and status."""

Completion = tuple[int, int, date]
"""User, lesson and day; the same may stand there twice."""

Row = tuple[str, int, date]
"""Name, number of lessons completed, date."""

Days = Literal["every", "any"]

RUN_AS_FORMULA = {"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"}  # noqa: RUF001


def window(day: date, window_days: int) -> list[date]:
    """So many days, of which the report's day is the last."""
    days = [day]
    while len(days) < window_days:
        days.insert(0, days[0] - DAY)
    return days


def active(users: Sequence[User]) -> list[User]:
    """Who is in the report, by id."""
    return sorted(user for user in users if user[2].lower() == "active")


def num_lessons(completions: Sequence[Completion], user_id: int, day: date) -> int:
    """Different lessons that a user completed on a day."""
    lessons: set[int] = set()
    for who, lesson_id, completed_on in completions:
        if who == user_id and completed_on == day:
            lessons.add(lesson_id)
    return len(lessons)


def rows(
    users: Sequence[User], completions: Sequence[Completion], day: date, window_days: int, days: Days
) -> list[Row]:
    """The rows of the report, by user and day."""
    found: list[Row] = []
    for user_id, name, _ in active(users):
        of_user: list[Row] = []
        for of in window(day, window_days):
            number = num_lessons(completions, user_id, of)
            if number or days == "every":
                of_user.append((name, number, of))
        found += of_user or [(name, 0, day)]
    return found


def num_used(users: Sequence[User], completions: Sequence[Completion], day: date, window_days: int) -> dict[str, int]:
    """What of the two sources the report shows: users, and pairs of user and day with a lesson."""
    pairs = 0
    for user_id, _, _ in active(users):
        for of in window(day, window_days):
            pairs += num_lessons(completions, user_id, of) > 0
    return {"users": len(active(users)), "lessons": pairs}


def csv(header: Sequence[str], rows: Sequence[Row]) -> bytes:
    """The file of rows."""
    lines = [[_quoted(name) for name in header]]
    for name, number, day in rows:
        lines.append([_quoted(_harmless(name)), str(number), day.isoformat()])
    return "".join(",".join(line) + "\r\n" for line in lines).encode("utf-8")


def _harmless(text: str) -> str:
    return "'" + text if text[:1] in RUN_AS_FORMULA else text


def _quoted(text: str) -> str:
    """Between quotes where it must be; the empty text too, for nothing at all would be no text."""
    if text and not any(sign in text for sign in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'
