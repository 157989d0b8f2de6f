"""What was delivered: its manifest, whether it still is what it was, and how it is found."""

from dataclasses import replace
from datetime import UTC, date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_platform.lake import evidence
from data_platform.publish import delivered
from data_platform.publish.delivered import DeliveryDamaged, Manifest, ManifestFile, NoSuchReport, ReadSource
from data_platform.publish.verification import faults_of_made, faults_of_stored
from platform_tests.publish.deliveries import MONDAY, NAME, TUESDAY, Stand
from platform_tests.publish.stands import halted, one_sentence

# Manifests


_names = st.text(min_size=1, max_size=8)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_counts = st.integers(0, 10**12)
_manifests = st.builds(
    Manifest, _names, st.dates(), st.integers(1, 9), _names,
    st.lists(
        st.builds(ManifestFile, _names, _names, _names, _names, _counts, _counts, st.none() | _names), max_size=3
    ).map(tuple),
    st.lists(_names, max_size=3).map(tuple),
    st.lists(
        st.builds(ReadSource, _names, _names, _counts, st.datetimes(timezones=st.just(UTC)), _counts, _counts),
        max_size=2,
    ).map(tuple),
    st.floats(0, 1e6), st.dictionaries(st.text(max_size=5), _json, max_size=3),
    st.dictionaries(_names, _names, max_size=3), _names, _names,
)  # fmt: skip


@given(_manifests)
def test_a_manifest_is_what_its_text_says(manifest: Manifest) -> None:
    text = manifest.text()
    assert Manifest.of(text) == manifest
    assert Manifest.of(text).text() == text


def test_the_manifest_that_lies_in_the_store_says_what_was_delivered(stand: Stand) -> None:
    [file, _] = stand.deliver("run").files
    manifest = delivered.manifest_of(stand.reports, file)
    assert manifest.text().encode() == stand.content(file.manifest_key)
    assert (manifest.run_id, manifest.code_version, manifest.skew_seconds) == ("run", "c1", 0.25)
    assert manifest.definition == stand.maker().definition
    [source] = manifest.sources
    assert b"".join(evidence.read(stand.lake, source.evidence_id)) == stand.source.read_bytes()
    assert (source.num_rows, source.num_used, manifest.columns) == (2, 2, ("meter", "amount"))


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{}", b"\xff", b'{"day": 5}'])
def test_a_manifest_that_is_none_any_more_is_one_sentence(local: Stand, text: bytes) -> None:
    [file, _] = local.deliver("run").files
    local.reports.create(file.manifest_key, text, replace=True)
    with pytest.raises(DeliveryDamaged) as caught:
        delivered.manifest_of(local.reports, file)
    assert file.manifest_key in one_sentence(caught.value)


# Verification


def faults(stand: Stand) -> list[str]:
    return faults_of_stored(stand.reports, stand.rows(MONDAY))


def test_what_lies_as_it_was_delivered_has_no_faults(stand: Stand) -> None:
    stand.deliver("first")
    stand.say("a,1")
    stand.deliver("second")
    assert faults(stand) == []
    for row in stand.rows():
        assert faults_of_made(delivered.manifest_of(stand.reports, row), stand.maker()) == []


def test_a_changed_byte_and_a_missing_file_are_named(stand: Stand) -> None:
    csv, parquet = stand.deliver("run").files
    content = stand.content(stand.key(csv))
    stand.reports.create(stand.key(csv), content.replace(b"a", b"b"), replace=True)
    stand.reports.delete(stand.key(parquet))
    changed, missing = faults(stand)
    assert stand.key(csv) in changed
    assert stand.key(parquet) in missing
    stand.reports.delete(csv.manifest_key)
    assert [csv.manifest_key in fault for fault in faults(stand)] == [True, True]


EDITS = {
    '"sha256": "': '"sha256": "0',
    '"num_rows": 2': '"num_rows": 3',
    '"num_bytes": ': '"num_bytes": 9',
    '_v1.csv"': '_v2.csv"',
    '"supersedes": null': '"supersedes": "7d8d3c0e-5f0a-5c63-9a54-2f1f6f0c7d11"',
    '"version": 1': '"version": 2',
    '"day": "2023-07-03"': '"day": "2023-07-04"',
    '"skew_seconds": 0.25': '"skew_seconds": 0.5',
    '"code_version": "c1"': '"code_version": "c2"',
    '"num_used": 2': '"num_used": 1',
    '"polars": "2.1.0"': '"polars": "2.1.1"',
    '"title": "': '"title": "Z',
    "{": "[",
}


def test_an_edited_manifest_is_named_whatever_was_edited(local: Stand) -> None:
    [file, _] = local.deliver("run").files
    text = local.content(file.manifest_key).decode()
    unnoticed: list[str] = []
    for was, edited in EDITS.items():
        assert was in text
        local.reports.create(file.manifest_key, text.replace(was, edited, 1).encode(), replace=True)
        found = faults(local)
        unnoticed += [] if found else [edited]
        assert all("_v1" in fault or "_v2" in fault for fault in found)
    assert not unnoticed, ", ".join(unnoticed)


def test_a_manifest_that_names_a_file_twice_is_named(local: Stand) -> None:
    [file, _] = local.deliver("run").files
    manifest = delivered.manifest_of(local.reports, file)
    twice = replace(manifest, files=(*manifest.files, manifest.files[0]))
    local.reports.create(file.manifest_key, twice.text().encode(), replace=True)
    assert faults(local)


def test_a_row_edited_in_the_books_is_named_whatever_was_edited(local: Stand) -> None:
    [file, _] = local.deliver("run").files
    edits: dict[str, Any] = {
        "sha256": "0" * 64, "num_rows": 3, "num_bytes": 3, "s3_object_key": "/elsewhere.csv", "s3_bucket": "elsewhere",
        "download_link": "file:///elsewhere.csv", "manifest_key": "elsewhere.json", "version": 2, "code_version": "c2",
        "skew_seconds": 0.5, "file_format": "xlsx", "supersedes": file.report_id, "report_date": TUESDAY,
    }  # fmt: skip
    found = {name: faults_of_stored(local.reports, [replace(file, **{name: value})]) for name, value in edits.items()}
    unnoticed = [name for name, named in found.items() if not named]
    assert not unnoticed, ", ".join(unnoticed)


def test_evidence_of_which_something_else_comes_out_is_named(local: Stand) -> None:
    [file, _] = local.deliver("run").files
    manifest = delivered.manifest_of(local.reports, file)
    csv, parquet = faults_of_made(manifest, local.maker(code="c2"))
    assert local.key(file) in csv
    assert ".parquet comes out otherwise" in parquet
    other = replace(manifest, made_with={"polars": "1.0.0"})
    assert faults_of_made(other, local.maker()) == []
    assert "polars 2.1.0 instead of 1.0.0" in faults_of_made(other, local.maker(code="c2"))[0]
    [source] = manifest.sources
    miscounted = replace(manifest, sources=(replace(source, num_used=1),))
    assert faults_of_made(miscounted, local.maker()) == ["the evidence does not hold the rows that were counted"]
    local.say("other,1")
    elsewhere = local.maker().read().sources
    assert len(faults_of_made(replace(manifest, sources=tuple(elsewhere)), local.maker())) == 3


@pytest.mark.parametrize("what", ["damaged", "gone"])
def test_evidence_that_is_damaged_or_gone_is_named(local: Stand, what: str) -> None:
    [file, _] = local.deliver("run").files
    manifest = delivered.manifest_of(local.reports, file)
    key = evidence.key_of(manifest.sources[0].evidence_id)
    if what == "gone":
        local.lake.delete(key)
    else:
        local.lake.create(key, b"a,1\nb,3\n", replace=True)
    [fault] = faults_of_made(manifest, local.maker())
    assert key in fault


# What has been delivered


def test_a_file_is_found_by_as_much_of_its_id_as_makes_it_the_only_one(local: Stand) -> None:
    days = [MONDAY + timedelta(days=number) for number in range(9)]
    files = [file for day in days for file in local.deliver("run", local.maker(day)).files]
    for file in files:
        assert delivered.find(local.warehouse, file.report_id) == file
        assert delivered.find(local.warehouse, file.report_id.upper()) == file
        assert delivered.find(local.warehouse, file.report_id[:18]) == file
    firsts = [file.report_id[0] for file in files]
    twice = next(first for first in firsts if firsts.count(first) > 1)
    for beginning in (twice, ""):
        with pytest.raises(NoSuchReport, match="Several reports have ids that begin with") as caught:
            delivered.find(local.warehouse, beginning)
        one_sentence(caught.value)
    for beginning in ("zz", "%", "_", f"{files[0].report_id}0", "'"):
        with pytest.raises(NoSuchReport, match="No report has an id that begins with") as caught:
            delivered.find(local.warehouse, beginning)
        one_sentence(caught.value)


def test_ids_are_the_same_on_every_machine(local: Stand) -> None:
    [csv, parquet] = local.deliver("run").files
    assert csv.report_id == "e7106a20-4bd2-516f-a074-ec4a2b5cd303"
    assert parquet.report_id == "6e85ba79-b546-5a85-a153-e2bb0365c3bf"


def test_a_file_that_was_delivered_into_another_store_is_not_looked_for_in_this_one(local: Stand) -> None:
    [file, *_] = local.deliver("first").files
    assert delivered.key_in(local.reports, file) == f"{NAME}/{MONDAY}/{NAME}_{MONDAY}_v1.csv"
    with pytest.raises(NoSuchReport, match="set that back to reach it") as caught:
        delivered.key_in(local.lake, file)
    one_sentence(caught.value)


def test_the_books_are_read_with_the_columns_of_their_contract() -> None:
    assert tuple(delivered.DeliveredFile.__dataclass_fields__) == delivered.CONTRACT.columns


def test_what_was_delivered_last_comes_first(local: Stand) -> None:
    local.deliver("first", local.maker(TUESDAY))
    local.deliver("second", local.maker(MONDAY))
    local.say("new,1")
    local.deliver("third", local.maker(TUESDAY))
    found = delivered.latest(local.warehouse, NAME, limit=10)
    assert [(row.run_id, row.version) for row in found] == 2 * [("third", 2)] + 2 * [("second", 1)] + 2 * [("first", 1)]
    assert found == delivered.latest(local.warehouse, None, limit=10)
    assert delivered.latest(local.warehouse, None, limit=3) == found[:3]
    assert delivered.latest(local.warehouse, "another", limit=10) == []


def test_of_each_day_the_last_version_is_the_current_one(local: Stand) -> None:
    for day in (TUESDAY, MONDAY):
        local.deliver("first", local.maker(day))
    local.say("new,1")
    local.deliver("second", local.maker(TUESDAY, formats=("csv",)))
    local.deliver("second", local.maker(TUESDAY + timedelta(days=1)))

    def current(*days: date) -> list[tuple[int, int, str]]:
        found = delivered.current(local.warehouse, NAME, (days[0], days[1]) if days else None)
        return [((row.report_date - MONDAY).days, row.version, row.file_format) for row in found]

    everything = [(0, 1, "csv"), (0, 1, "parquet"), (1, 2, "csv"), (2, 1, "csv"), (2, 1, "parquet")]
    assert current() == everything
    assert current(MONDAY, TUESDAY) == everything[:3]
    assert current(TUESDAY, TUESDAY) == everything[2:3]
    assert current(MONDAY - timedelta(days=9), MONDAY - timedelta(days=1)) == []
    assert delivered.current(local.warehouse, "another") == []


def test_a_delivery_that_has_not_ended_is_known(local: Stand) -> None:
    assert delivered.open_attempts(local.warehouse, NAME, [MONDAY, TUESDAY]) == set()
    with halted(local, "before the put of the csv"):
        assert delivered.open_attempts(local.warehouse, NAME, [MONDAY, TUESDAY]) == {MONDAY}
        assert delivered.open_attempts(local.warehouse, NAME, [TUESDAY]) == set()
        assert delivered.open_attempts(local.warehouse, "another", [MONDAY]) == set()
    assert delivered.open_attempts(local.warehouse, NAME, [MONDAY]) == set()
