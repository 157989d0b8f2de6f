"""A file with too many bad records is held: by the share of its source, with a sentence that says what to do."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_platform.leads import conform, raw, sources
from data_platform.leads.sources import Source
from data_platform.leads.threshold import DeliveryHeld
from data_platform.local.sample_world.leads import deliveries
from platform_tests.leads.conftest import File, as_file

JULY_7 = date(2023, 7, 7)
HEADER = "Number,Phone\n"


def somewhere(max_reject_share: float) -> Source:
    return Source.model_validate(
        {
            "name": "somewhere", "title": "A state", "state": "TX", "max_reject_share": max_reject_share,
            "fields": {"license_number": {"as": "text", "of": "Number"}, "phone": {"as": "phone", "of": "Phone"}},
        }
    )  # fmt: skip


def file(good: int, *, unreadable: int = 0, ragged: int = 0, name: str = "a.csv") -> File:
    lines = ["9,call me"] * unreadable + ["1"] * ragged + [f"{n},512-555-0100" for n in range(good)]
    return File(name, JULY_7, (HEADER + "\n".join(lines) + "\n").encode())


def test_the_sample_world_is_never_held() -> None:
    for delivery in deliveries(providers_per_state=40):
        raw.read([as_file(delivery)], sources.every())


@settings(max_examples=100)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 100))
def test_a_file_is_held_exactly_when_more_of_it_is_bad_than_its_source_allows(
    good: int, unreadable: int, ragged: int, percent: int
) -> None:
    num_bad, num_records = unreadable + ragged, good + unreadable + ragged
    source = somewhere(percent / 100)
    held = 100 * num_bad > percent * num_records
    try:
        outcome = raw.read([file(good, unreadable=unreadable, ragged=ragged)], [source])
    except DeliveryHeld:
        assert held
        return
    assert not held
    # What `raw_leads` let in, `leads` lets in by the same rules.
    assert conform.conform(outcome.rows, [source]).rejects.height == unreadable


def test_the_sentence_says_which_how_many_why_where_and_what_to_do() -> None:
    with pytest.raises(DeliveryHeld) as caught:
        raw.read([file(6, unreadable=3, ragged=1, name="07-07-2023 A.csv")], [somewhere(0.25)])
    assert str(caught.value) == (
        "07-07-2023 A.csv, delivered on 2023-07-07 by somewhere: 4 of 10 records (40%) cannot be used, which is more"
        " than the 25% that `max_reject_share` of somewhere.yaml allows, most often (3) for phone_unreadable, first on"
        " line 2; nothing of 2023-07-07 was published, so correct somewhere.yaml, have the sender put a corrected file"
        " in its place under the same name, or raise `max_reject_share`, then run `data-platform run`."
    )


def test_every_file_that_is_held_is_named() -> None:
    bad = [file(0, ragged=2, name=f"{n}.csv") for n in range(3)]
    with pytest.raises(DeliveryHeld) as caught:
        raw.read([bad[0], file(3), *bad[1:]], [somewhere(0.1)])
    assert [name in str(caught.value) for name in ("0.csv", "1.csv", "2.csv", "a.csv")] == [True, True, True, False]


def test_a_file_whose_layout_nobody_knows_is_a_reject_and_holds_nothing() -> None:
    outcome = raw.read([File("b.csv", JULY_7, b"x,y\n1,2\n"), file(3)], [somewhere(0)])
    assert (outcome.rows.height, outcome.rejects["reason"].to_list()) == (3, ["unknown_layout"])


def test_records_that_a_later_layout_reads_worse_hold_the_leads() -> None:
    rows = raw.read([file(5)], [somewhere(0)]).rows
    worse = somewhere(0.5).model_copy(
        update={"fields": somewhere(0).fields | {"license_issued": somewhere(0).fields["phone"].model_copy(
            update={"reading": "date"})}}
    )  # fmt: skip
    with pytest.raises(DeliveryHeld, match=r"Evidence [0-9a-f]{12}, delivered .*license_issued_unreadable"):
        conform.conform(rows, [worse])


def test_a_held_file_shows_no_value() -> None:
    with pytest.raises(DeliveryHeld) as caught:
        raw.read([file(1, unreadable=3)], [somewhere(0)])
    assert "call me" not in str(caught.value)
