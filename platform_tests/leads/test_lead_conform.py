"""Records into leads: the oracle's rows, for any order, repetition and split of the deliveries."""

import random
from datetime import UTC, date, datetime, time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_platform.contracts.leads import Leads
from data_platform.contracts.outcome import Outcome
from data_platform.errors import PermanentError
from data_platform.leads import conform, raw, sources
from data_platform.local.sample_world.leads import Delivery, deliveries
from data_platform.publish.content_hash import content_hash
from platform_tests.leads.conftest import NEVER_HELD, File, as_file
from platform_tests.oracles import leads as oracle

SOURCES = {"NV": "nevada", "OK": "oklahoma", "TX": "texas"}


def made_of(*files: File) -> Outcome:
    return conform.conform(raw.read(files, NEVER_HELD).rows, NEVER_HELD)


def intact(delivery: Delivery) -> tuple[str, date, bytes]:
    """Without a record that is cut at the end of the file, which Python's csv would take for a short one."""
    return delivery.state, delivery.day, delivery.content


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(40, 60))
def test_leads_are_those_of_the_oracle(seed: int, providers: int) -> None:
    files = deliveries(seed, providers)
    expected = oracle.leads(intact(delivery) for delivery in files)
    found = {row["lead_id"]: row for row in made_of(*map(as_file, files)).rows.to_dicts()}
    assert found.keys() == expected.keys()
    for lead_id, fields in expected.items():
        updated_on = fields.pop("updated_on")
        for name, value in fields.items():
            assert found[lead_id][name] == value, (name, lead_id)
        assert found[lead_id]["updated_at"] == datetime.combine(updated_on, time(), UTC)  # pyright: ignore[reportArgumentType]
        assert found[lead_id]["created_at"] == datetime.combine(fields["first_seen_on"], time(), UTC)  # pyright: ignore[reportArgumentType]


@settings(max_examples=10)
@given(st.randoms(use_true_random=False))
def test_order_repetition_and_names_of_files_do_not_matter(shuffle: random.Random) -> None:
    files = [as_file(delivery) for delivery in deliveries(providers_per_state=40)]
    expected = made_of(*files)
    mixed = [File(f"{shuffle.random()}.csv", file.day, file.content) for file in files]
    shuffle.shuffle(mixed)
    found = made_of(*mixed)
    assert content_hash(found.rows) == content_hash(expected.rows)
    assert content_hash(found.tally.sort("evidence_id")) == content_hash(expected.tally.sort("evidence_id"))


def test_a_later_delivery_in_another_layout_changes_only_what_changed() -> None:
    """Renamed headers, LF, two-digit years and mojibake: a hash of the text would call every record changed."""
    files = deliveries()
    rows = made_of(*map(as_file, files)).rows
    for second in files[3:]:
        of_source = rows.filter(pl.col("source") == SOURCES[second.state])
        since = of_source.filter(pl.col("updated_at").dt.date() == second.day)
        new = since.filter(pl.col("first_seen_on") == second.day)
        assert set(new["license_number"]) == second.new
        assert set(since["license_number"]) - second.new == second.changed
        assert set(of_source.filter(pl.col("last_seen_on") < second.day)["license_number"]) == second.vanished


def test_in_is_used_and_rejected_and_duplicate_for_every_file() -> None:
    files = deliveries()
    records = raw.read(map(as_file, files), sources.every())
    outcome = conform.conform(records.rows, sources.every())
    account = {row["evidence_id"]: row for row in outcome.tally.to_dicts()}
    for delivery in files:
        tally = account[as_file(delivery).evidence_id]
        read = records.tally.filter(pl.col("evidence_id") == as_file(delivery).evidence_id)
        assert tally["num_in"] == read["num_used"].item()
        assert tally["num_in"] == tally["num_used"] + tally["num_rejected"] + tally["num_duplicate"]
        assert read["num_rejected"].item() + tally["num_rejected"] == delivery.num_rejects
    assert outcome.rows.height == outcome.tally["num_used"].sum()
    assert outcome.rejects.height == outcome.tally["num_rejected"].sum()


def test_every_lead_keeps_its_contract_and_no_field_is_blank() -> None:
    rows = made_of(*map(as_file, deliveries())).rows
    assert Leads.is_valid(rows)
    texts = rows.select(pl.col(pl.String))
    assert not texts.select((pl.all().str.strip_chars() != pl.all()).any()).row(0).count(True)
    assert not texts.select(pl.all().is_in(["", "nan", "None"]).any()).row(0).count(True)


def test_an_incomplete_record_is_a_lead_with_nulls() -> None:
    rows = made_of(*map(as_file, deliveries()[:3])).rows
    incomplete = rows.filter((pl.col("source") == "texas") & pl.col("license_status").is_null())
    assert incomplete.select("license_issued", "capacity", "ages_served", "min_age").row(0) == (None, None, None, None)


TEXAS = {
    "Operation #": "0042", "Agency Number": "", "Operation/Caregiver Name": "A", "Address": "1 MAIN ST",
    "City": "AUSTIN", "State": "TX", "Zip": "78701", "County": "TRAVIS", "Phone": "512-555-0100",
    "Type": "Center", "Status": "Full", "Issue Date": "1/2/2003", "Capacity": "10", "Email Address": "",
    "Facility ID": "77", "Monitoring Frequency": "", "Infant": "Y", "Toddler": "", "Preschool": "", "School": "N",
}  # fmt: skip


def texas(**changes: str) -> File:
    text = ",".join(TEXAS) + "\n" + ",".join((TEXAS | changes).values()) + "\n"
    return File("07-07-2023 Texas.csv", date(2023, 7, 7), text.encode())


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"Phone": "call me"}, "phone_unreadable", ["phone from 'Phone'", "texas.yaml"]),
        ({"Zip": "?"}, "zip_unreadable", ["zip from 'Zip'"]),
        ({"Issue Date": "31/12/2020"}, "license_issued_unreadable", ["license_issued from 'Issue Date'"]),
        ({"Capacity": "many"}, "capacity_unreadable", ["capacity from 'Capacity'"]),
        ({"Infant": "perhaps"}, "ages_served_unreadable", ["Infant"]),
        ({"Operation #": ""}, "license_number_missing", ["has no license_number", "texas.yaml"]),
        ({"Capacity": "-1"}, "capacity_min", ["capacity|min"]),
    ],
)
def test_a_record_that_cannot_be_used_says_where_and_why(
    changes: dict[str, str], reason: str, words: list[str]
) -> None:
    outcome = made_of(texas(**changes))
    assert outcome.rows.height == 0
    [reject] = outcome.rejects.to_dicts()
    assert (reject["reason"], reject["record_no"], reject["line"]) == (reason, 1, 2)
    assert reject["detail"].startswith("Line 2 ")
    for word in words:
        assert word in reject["detail"]
    for value in changes.values():
        assert not value or value not in reject["detail"].replace("capacity|min", "")


def test_a_bad_later_record_does_not_hide_the_good_one_before_it() -> None:
    bad = texas(Phone="call me")
    outcome = made_of(texas(), File(bad.name, date(2023, 7, 14), bad.content))
    assert outcome.rows["last_seen_on"].to_list() == [date(2023, 7, 7)]
    assert outcome.rejects.height == 1


def test_no_records_give_no_leads() -> None:
    outcome = made_of()
    assert (outcome.rows.height, outcome.rejects.height, outcome.tally.height) == (0, 0, 0)
    assert outcome.rows.schema == Leads.create_empty().schema


def test_a_record_of_a_source_that_is_gone_is_an_error_that_says_so() -> None:
    rows = raw.read([texas()], sources.every()).rows
    with pytest.raises(PermanentError, match="'texas'.*materialise raw_leads"):
        conform.conform(rows, [source for source in sources.every() if source.name != "texas"])
