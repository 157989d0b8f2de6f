"""Users and lessons of the sample world: whom the app knows, and which lessons were completed on which day.

Here: names, statuses and completions, with every oddity that a report of them must survive. Not here: where those are
put (`app` and `lessons_database`), or what is counted of them (the product).
"""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import cycle

from data_platform.local.sample_world.names import Inventor

SEED = 20260801
FIRST_DAY = date(2026, 8, 1)
LONG_AGO = tuple(date(2019, month, 28) for month in range(1, 13))
"""All round the year, so that who compares days without their year takes them for this year's."""
FREE_DAY = 13
"""On this day of each month nobody completes anything."""
STOPPED_AFTER = date(2026, 8, 20)

NUM_USERS, NUM_LESSONS, NUM_MARATHON_LESSONS = 60, 40, 128
NAMESAKES = (15, 16)
INACTIVE, SUSPENDED, NEVER = range(41, 47), range(47, 49), range(49, 53)
STOPPED, ONLY_LONG_AGO = range(53, 56), range(56, 58)
METRONOME, QUARTERLY, MARATHON = 58, 59, 60
"""One lesson each thirtieth day; the first days of each quarter only; on the first of each month 128 lessons."""
UNKNOWN = (901, 902)
"""They complete lessons, and no user has their id."""
PERIOD = timedelta(days=30)

_NAMESAKE = "Mabel Elmsworth"
_ODD_NAMES = (
    *("Larkenby, Una", 'Otis "Puddle" Corvane', "Sylvie\nMossgrave", "Petra 🦉 Hollowbeck"),
    *("=1+1", "+1 Fern Dunmarrow", "-2 Kite Ardleigh", "@Clover Ivesgate"),
    *("Зоряна Ліхтарик", "雲野 灯", "نور الوادي", "Zoë Nettlefold-Ångdal"),
    *("=\"a\",\n'b'", "Wendell " + "Gorsefield-" * 22 + "Heath", _NAMESAKE, _NAMESAKE),
)
_ACTIVE, _INACTIVE = ("active", "ACTIVE", "Active"), ("inactive", "INACTIVE", "Inactive")
_SHARE_LEARNING, _SHARE_LEARNING_AT_WEEKENDS, _SHARE_TWICE = 0.3, 0.12, 0.06
_QUARTER_MONTHS, _QUARTER_DAYS = (1, 4, 7, 10), 5

Completion = tuple[int, int, date]


def users() -> list[tuple[int, str, str]]:
    """Every user of the app: id, name and `active_status`."""
    inventor = Inventor("TX", SEED, NUM_USERS)
    active, inactive = cycle(_ACTIVE), cycle(_INACTIVE)
    found: list[tuple[int, str, str]] = []
    for user_id in range(1, NUM_USERS + 1):
        name = _ODD_NAMES[user_id - 1] if user_id <= len(_ODD_NAMES) else inventor.person().full_name
        status = "suspended" if user_id in SUSPENDED else next(inactive if user_id in INACTIVE else active)
        found.append((user_id, name, status))
    return found


def completions(last_day: date) -> list[Completion]:
    """Every completed lesson through a day, in order of days: user, lesson and day.

    What happened on a day does not depend on `last_day`: the world goes on, and its past stays.
    """
    days = (FIRST_DAY + timedelta(days=n) for n in range((last_day - FIRST_DAY).days + 1))
    return [
        *((user_id, lesson_id, day) for user_id, lesson_id, day in _long_ago() if day <= last_day),
        *(completion for day in days for completion in _of(day)),
    ]


def _long_ago() -> Iterator[Completion]:
    learners = (1, METRONOME, *ONLY_LONG_AGO, INACTIVE[0])
    return ((user_id, day.month, day) for day in LONG_AGO for user_id in learners)


def _of(day: date) -> list[Completion]:
    """The completions of one day; some are written down twice, the second time at the end of the day."""
    if day.day == FREE_DAY:
        return []
    rng = random.Random(f"{SEED} {day}")  # noqa: S311 (an invented world, no secret)
    share = _SHARE_LEARNING if day.isoweekday() <= 5 else _SHARE_LEARNING_AT_WEEKENDS  # noqa: PLR2004 (Friday)
    found: list[Completion] = []
    for user_id in _learners(day):
        if rng.random() < share:
            lessons = rng.sample(range(1, NUM_LESSONS + 1), k=rng.choice((1, 1, 2, 3)))
            found += [(user_id, lesson_id, day) for lesson_id in lessons]
    if (day - FIRST_DAY) % PERIOD == timedelta():
        found.append((METRONOME, rng.randint(1, NUM_LESSONS), day))
    if day.month in _QUARTER_MONTHS and day.day <= _QUARTER_DAYS:
        found.append((QUARTERLY, day.day, day))
    if day.day == 1:
        found += [(MARATHON, lesson_id, day) for lesson_id in range(1, NUM_MARATHON_LESSONS + 1)]
    return found + [completion for completion in found if rng.random() < _SHARE_TWICE]


def _learners(day: date) -> Iterator[int]:
    """Who may complete lessons on any day, whatever the app thinks of them."""
    yield from range(1, NEVER[0])
    if day <= STOPPED_AFTER:
        yield from STOPPED
    yield from UNKNOWN
