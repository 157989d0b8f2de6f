"""Damage to one place costs no record that it did not touch: none vanishes, and hardly one is rejected with it."""

import pytest

from platform_tests.intake.losses import Tally, tally_of

FIRST_SEED = 20_230_707


def assert_none_lost(tally: Tally) -> None:
    print(tally, *tally.examples, dict(sorted(tally.by_kind.items())), sep="\n")
    assert (tally.violations, tally.crashes, tally.losses) == (0, 0, 0), tally.examples
    assert tally.collateral < 0.01 * tally.untouched
    assert tally.misread < 0.05 * tally.files
    assert tally.refused < 0.03 * tally.files


def test_2_000_damaged_files_lose_no_record_that_the_damage_did_not_touch() -> None:
    assert_none_lost(tally_of(range(FIRST_SEED, FIRST_SEED + 2_000)))


@pytest.mark.soak
def test_100_000_damaged_files_lose_no_record_that_the_damage_did_not_touch() -> None:
    assert_none_lost(tally_of(range(FIRST_SEED + 2_000, FIRST_SEED + 102_000)))
