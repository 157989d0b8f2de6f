"""Invented people, companies, streets and numbers of a state; cities and ZIP codes are real and match each other.

Here: what single values look like. Not here: what a provider is (`lead_layouts`), or how many there are (`leads`).
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

LINES_PER_AREA_CODE = 9_900
"""555-0100 to 555-9999: the exchange that belongs to fiction."""

CITIES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "NV": (
        ("LAS VEGAS", "89101", "CLARK"),
        ("LAS VEGAS", "89146", "CLARK"),
        ("NORTH LAS VEGAS", "89031", "CLARK"),
        ("HENDERSON", "89015", "CLARK"),
        ("BOULDER CITY", "89005", "CLARK"),
        ("MESQUITE", "89027", "CLARK"),
        ("LAUGHLIN", "89029", "CLARK"),
        ("ELKO", "89801", "ELKO"),
        ("SPRING CREEK", "89815", "ELKO"),
        ("CARSON CITY", "89701", "CARSON CITY"),
        ("RENO", "89502", "WASHOE"),
        ("SPARKS", "89431", "WASHOE"),
        ("INCLINE VILLAGE", "89451", "WASHOE"),
    ),
    "OK": (
        ("OKLAHOMA CITY", "73120", "OKLAHOMA"),
        ("EDMOND", "73013", "OKLAHOMA"),
        ("YUKON", "73099", "CANADIAN"),
        ("NORMAN", "73069", "CLEVELAND"),
        ("MOORE", "73160", "CLEVELAND"),
        ("TULSA", "74105", "TULSA"),
        ("BROKEN ARROW", "74012", "TULSA"),
        ("OWASSO", "74055", "TULSA"),
        ("CHICKASHA", "73018", "GRADY"),
        ("LAWTON", "73505", "COMANCHE"),
        ("ENID", "73703", "GARFIELD"),
        ("STILLWATER", "74074", "PAYNE"),
    ),
    "TX": (
        ("HOUSTON", "77036", "HARRIS"),
        ("DALLAS", "75224", "DALLAS"),
        ("SAN ANTONIO", "78201", "BEXAR"),
        ("EL PASO", "79938", "EL PASO"),
        ("LUBBOCK", "79414", "LUBBOCK"),
        ("FORT WORTH", "76104", "TARRANT"),
        ("KILLEEN", "76541", "BELL"),
        ("PFLUGERVILLE", "78660", "TRAVIS"),
        ("THE COLONY", "75056", "DENTON"),
        ("SAN MARCOS", "78666", "HAYS"),
        ("BASTROP", "78602", "BASTROP"),
        ("NEW BRAUNFELS", "78130", "COMAL"),
    ),
}
AREA_CODES = {
    "NV": ("702", "725", "775"),
    "OK": ("405", "539", "580", "918"),
    "TX": ("210", "214", "512", "713", "806", "915"),
}
UNITS = {
    "NV": (", STE 104-106", ", STE 1", " SUITE B", " UNIT 7"),
    "OK": ("SUITE 200", "APT 4", "UNIT B"),
    "TX": ("STE 104", "BLDG 2", "ste 105", "A25"),
}

_GIVEN = (
    *("Anna", "Maria", "Otis", "Priya", "Lena", "Marcus", "Yolanda", "Edwin", "Farah", "Gideon", "Ingrid", "Jonah"),
    *("Keiko", "Luther", "Mabel", "Nadia", "Oscar", "Petra", "Ramon", "Sylvie", "Tobias", "Una", "Violet", "Wendell"),
)
_SURNAMES = (
    *(
        "Quillby",
        "Tamberlane",
        "Fenwickson",
        "Ardleigh",
        "Brackwater",
        "Corvane",
        "Dunmarrow",
        "Elmsworth",
        "Farthingay",
    ),
    *(
        "Gorsefield",
        "Hollowbeck",
        "Ivesgate",
        "Juniperson",
        "Kestleby",
        "Larkenby",
        "Mossgrave",
        "Nettlefold",
        "Osterby",
    ),
)
_FANCIES = (
    *(
        "Lantern",
        "Pebble",
        "Clover",
        "Marigold",
        "Otter",
        "Wren",
        "Acorn",
        "Thimble",
        "Puddle",
        "Kite",
        "Bumble",
        "Fern",
    ),
    *("Sparrow", "Pinwheel", "Button", "Dandelion", "Meadow", "Tadpole", "Willow", "Cricket", "Teacup", "Badger"),
)
_COMPANIES = ("Academy", "Learning Center", "Daycare", "Child Care", "Early Education", "Preschool", "Head Start")
_STREETS = (
    *("LANTERNFISH", "QUILLBERRY", "TUMBLEROCK", "MOSSGRAVE", "COPPERWREN", "THISTLEDOWN", "ST. ALDERBY", "SAGEHOLLOW"),
    *("PINWHEEL", "BRACKWATER", "JUNIPERSON", "OWLSGATE", "RED TEACUP", "DUNMARROW", "FARTHINGAY", "KESTLEBY"),
)
_DIRECTIONS = ("", "", "", "N. ", "S. ", "E ", "W. ")
_SUFFIXES = (" ST", " AVE", " DR", " RD.", " BLVD", " LN", " COURT", " PKWY", "")


@dataclass(frozen=True)
class Place:
    """Where a provider is; `unit` carries the separator that its state writes before it."""

    street: str
    unit: str
    city: str
    zip_code: str
    county: str


@dataclass(frozen=True)
class Person:
    """Somebody invented."""

    given: str
    surname: str

    @property
    def full_name(self) -> str:
        """Given name and surname."""
        return f"{self.given} {self.surname}"


class Inventor:
    """Draws invented facts of one state: no phone, house number or serial number comes twice."""

    def __init__(self, state: str, seed: int, size: int) -> None:
        self.rng = random.Random(f"{seed} {state}")  # noqa: S311 - reproducible on purpose, protects nothing
        self._state = state
        self._phones = self._distinct_phones(size)
        self._houses = iter(self.rng.sample(range(100, 100_000), size))
        self._cities = cycle(CITIES[state])
        self._directions = cycle(_DIRECTIONS)
        self._suffixes = cycle(_SUFFIXES)
        self._units = cycle([part for unit in UNITS[state] for part in ("", "", "", "", unit)])

    def _distinct_phones(self, size: int) -> Iterator[str]:
        codes = AREA_CODES[self._state]
        for drawn in self.rng.sample(range(len(codes) * LINES_PER_AREA_CODE), size):
            code, line = divmod(drawn, LINES_PER_AREA_CODE)
            yield f"{codes[code]}-555-{line + 100:04d}"

    def serials(self, numbers: range, size: int) -> Iterator[str]:
        """Distinct numbers as text, zero-padded to the width of the largest: about a tenth begin with a zero."""
        width = len(str(numbers[-1]))
        return (f"{number:0{width}d}" for number in self.rng.sample(numbers, size))

    def phone(self) -> str:
        """A phone such as `702-555-0142`, in an area code of the state."""
        return next(self._phones)

    def place(self) -> Place:
        """An address. Cities, directions, suffixes and units go round, so that a few dozen places hold them all."""
        street = f"{next(self._houses)} {next(self._directions)}{self.rng.choice(_STREETS)}{next(self._suffixes)}"
        return Place(street, next(self._units), *next(self._cities))

    def person(self) -> Person:
        """Somebody with a common given name and an invented surname."""
        return Person(self.rng.choice(_GIVEN), self.rng.choice(_SURNAMES))

    def email(self, person: Person) -> str:
        """A mail address in a domain that is reserved for examples."""
        domain = self.rng.choice(("com", "org", "net"))
        return f"{person.given}.{person.surname}{self.rng.randrange(100)}@example.{domain}".lower()

    def company(self) -> str:
        """A company name in title case."""
        return f"{' '.join(self.rng.sample(_FANCIES, 2))} {self.rng.choice(_COMPANIES)}"

    def often(self, share: float) -> bool:
        """True in this share of the draws."""
        return self.rng.random() < share
