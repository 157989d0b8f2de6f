"""The leads product, slow and obvious: plain Python over Python's own csv, one value at a time.

Reads well-formed files only (the sample world's writers); what a damaged file gives is the reader's oracle's business.
"""

import csv
import io
import re
import uuid
from collections.abc import Iterable
from datetime import date, datetime

DATE_FORMATS = ("%m/%d/%Y", "%m/%d/%y")
OKLAHOMA_AGES = {
    "Infants (0-11 months)": ("Infants", 0, 11),
    "Toddlers (12-23 months; 1yr.)": ("Toddlers", 12, 23),
    "Preschool (24-48 months; 2-4 yrs.)": ("Preschool", 24, 48),
    "School-age (5 years-older)": ("School-age", 60, None),
}
TEXAS_AGES = {
    "Infant": ("Infants", 0, 17),
    "Toddler": ("Toddlers", 18, 35),
    "Preschool": ("Preschool", 36, 59),
    "School": ("School-age", 60, None),
}


def records(content: bytes) -> list[dict[str, str]]:
    """The records of a file as dictionaries; cp1252 where it is not UTF-8; those of another width are left out."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("cp1252")
    header, *rows = list(csv.reader(io.StringIO(text, newline="")))
    return [dict(zip(header, row, strict=True)) for row in rows if len(row) == len(header)]


def clean(text: str) -> str | None:
    text = text.replace("\u00e2\u20ac\u2122", "'").replace("\u2019", "'")
    return " ".join(text.split()) or None


def day(text: str) -> date | None:
    for form in DATE_FORMATS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007
        except ValueError:
            continue
    return None


def phone(text: str) -> str:
    return "+1" + re.sub(r"\D", "", text)


def ages(groups: Iterable[tuple[str, int, int | None]]) -> dict[str, object]:
    chosen = list(groups)
    if not chosen:
        return {"ages_served": None, "min_age": None, "max_age": None}
    tops = [top for _, _, top in chosen]
    return {
        "ages_served": ", ".join(name for name, _, _ in chosen),
        "min_age": min(low for _, low, _ in chosen),
        "max_age": None if None in tops else max(top for top in tops if top is not None),
    }


def nevada(record: dict[str, str]) -> dict[str, object]:
    return {
        "source": "nevada", "state": "NV",
        "license_number": clean(record["Credential Number"]),
        "company": clean(record["Name"]),
        "license_status": clean(record["Status"]),
        "license_issued": day(record["First Issue Date"]),
        "certificate_expiration_date": day(record["Expiration Date"]),
        "phone": phone(record.get("Phone#") or record["Phone"]),
        "zip": record["Address"].split()[-1],
        "county": record["County"],
        "title": clean(record["Primary Contact Role"]),
    }  # fmt: skip


def oklahoma(record: dict[str, str]) -> dict[str, object]:
    kind, _, number = record["Type License"].partition(" - ")
    said = [record[column] for column in ("Ages Accepted 1", "AA2", "AA3", "AA4")]
    name, _, title = record["Primary Caregiver"].partition("\r\n")
    return {
        "source": "oklahoma", "state": "OK",
        "license_number": clean(number), "license_type": clean(kind), "company": clean(record["Company"]),
        "accepts_financial_aid": record["Accepts Subsidy"] == "Accepts Subsidy",
        "phone": phone(record["Phone"]), "city": record["City"], "zip": record["Zip"],
        "capacity": int(record["Total Cap"]),
        "title": clean(title), "first_name": clean(name.rsplit(" ", 1)[0]), "last_name": clean(name.rsplit(" ", 1)[-1]),
        **ages(group for text, group in OKLAHOMA_AGES.items() if text in said),
    }  # fmt: skip


def texas(record: dict[str, str]) -> dict[str, object]:
    return {
        "source": "texas", "state": "TX",
        "license_number": clean(record.get("Operation #", record.get("Operation", ""))),
        "company": clean(record.get("Operation/Caregiver Name", record.get("Operation Name", ""))),
        "address1": clean(record["Address"]), "city": record["City"], "zip": record["Zip"],
        "phone": phone(record["Phone"]),
        "license_status": clean(record["Status"]), "license_issued": day(record["Issue Date"]),
        "capacity": int(record["Capacity"]) if record["Capacity"] else None,
        "email": clean(record["Email Address"].lower()), "provider_id": clean(record["Facility ID"]),
        **ages(group for column, group in TEXAS_AGES.items() if record[column] == "Y"),
    }  # fmt: skip


READERS = {"NV": nevada, "OK": oklahoma, "TX": texas}


def leads(files: Iterable[tuple[str, date, bytes]]) -> dict[str, dict[str, object]]:
    """Leads by id, of files given as state, delivery day and content; of one provider the last delivery counts."""
    known: dict[str, dict[str, object]] = {}
    for state, delivered, content in sorted(files, key=lambda file: file[1]):
        for record in records(content):
            fields = READERS[state](record)
            if not fields["license_number"]:
                continue
            lead_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{fields['source']}\x1f{fields['license_number']}"))
            before = known.get(lead_id)
            history = {"first_seen_on": before["first_seen_on"] if before else delivered, "last_seen_on": delivered}
            changed = before is None or any(before[name] != value for name, value in fields.items())
            updated = delivered if changed else before["updated_on"]  # pyright: ignore[reportOptionalSubscript]
            known[lead_id] = {**fields, **history, "updated_on": updated}
    return known
