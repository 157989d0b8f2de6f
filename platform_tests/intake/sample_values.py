"""What stands in the columns of sample files: invented names and places, numbers, dates, and what is hard to quote."""

from random import Random

NAMES = tuple(
    "Name|City|State|Zip Code|County|Phone#|Email Address|Status|Issue Date|Expiration Date|Operation #|Capacity|"
    "Operation/Caregiver Name|Type License|Primary Contact Role|Stars|Remarks|license_number|created_at|received_at|"
    "event_name|Max Age|Balance|Title|Agency|Fax".split("|")
)
FOOTERS = ("End of report", "Total 25 records", "Source Health Department", "* provisional licence", "Page 1 of 1")
PREAMBLES = ("Report of licensed providers", "Created 2023-07-07", "All licences", "Department of Human Services")
WORDS = tuple("Director|Owner|Person in Charge|OPEN|CLOSED|RENO|Las Vegas|Home|Center|n/a|Other".split("|"))
PEOPLE = ("Anna Smith", "JOHN DOE", "Maria de la Cruz", "O'Hara", "Roe, Jane", "Zoë Poe", "ANNA & MARIA SMITH & JONES")
PLACES = (
    "12 N. EXAMPLE ST BOULDER CITY, NV 89005",
    "1 Main St., Apt. 4",
    "PO Box 7",
    "77 RUE D\u2019ÉTÉ, TULSA",
    "5 Elm Ave",
)
TEXTS = (
    '"A" Street Learning LLC',
    "half: 7-8 | full; 9",
    "it's fine",
    "a ^ b",
    'the 5" pipe',
    "x\ty",
    "Kid\u2019s Club \u2013 east",
)
LINES = (
    "Jane Doe{}Primary Caregiver",
    "12 Oak St{}{}Tulsa, OK",
    'says "no"{}and goes',
    "{}starts below",
    "ends below{}",
)


def a_number(random: Random) -> str:
    return str(random.randrange(10 ** random.randrange(1, 7)))


def a_date(random: Random) -> str:
    month, day, year = random.randrange(1, 13), random.randrange(1, 29), random.randrange(1986, 2027)
    return f"{month}/{day}/{year}"


def an_iso_date(random: Random) -> str:
    return f"{random.randrange(1986, 2027)}-{random.randrange(1, 13):02}-{random.randrange(1, 29):02}"


def a_time(random: Random) -> str:
    return f"{an_iso_date(random)} {random.randrange(24):02}:{random.randrange(60):02}:{random.randrange(60):02}"


def an_amount(random: Random) -> str:
    return f"{random.randrange(1000)}.{random.randrange(100):02}"


def a_phone(random: Random) -> str:
    return f"555-{random.randrange(10_000):04}"


VALUES = (a_number, a_date, an_iso_date, a_time, an_amount)
COLUMNS = (
    *VALUES,
    a_phone,
    *(lambda random, pool=pool: random.choice(pool) for pool in (WORDS, PEOPLE, PLACES, TEXTS)),
)
