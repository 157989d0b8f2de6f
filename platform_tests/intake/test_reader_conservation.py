"""Every byte of any file is a record's, a reject's or declared structure's, once; and nothing makes the reader fall."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from platform_tests.intake.account import BLOCK_BYTES, account_of, account_or_none, assert_adds_up
from platform_tests.intake.damage import damaged, damaged_files
from platform_tests.intake.good_files import GoodFile, among_good_rows, good_file, good_files


def assert_conserved(data: bytes, sizes: list[int]) -> None:
    account = account_or_none(data, sizes, block_bytes=BLOCK_BYTES)
    if account is not None:
        assert_adds_up(account)


SIZES = st.lists(st.integers(1, 400), min_size=1, max_size=4)


@given(st.binary(max_size=2000), SIZES)
def test_any_bytes_are_accounted_for(data: bytes, sizes: list[int]) -> None:
    assert_conserved(data, sizes)


@given(st.text(max_size=500), st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]), SIZES)
def test_any_text_is_accounted_for(text: str, encoding: str, sizes: list[int]) -> None:
    assert_conserved(text.encode(encoding, "surrogatepass"), sizes)


@given(damaged_files(good_files()), SIZES)
def test_damaged_files_are_accounted_for(data: bytes, sizes: list[int]) -> None:
    assert_conserved(data, sizes)


@given(good_files(), st.randoms(use_true_random=False))
def test_files_after_ten_edits_are_accounted_for(file: GoodFile, random: Random) -> None:
    assert_conserved(damaged(random, file.data, 10), [300])


@given(st.integers(0, 2**32))
def test_two_files_one_below_the_other_are_accounted_for(seed: int) -> None:
    random = Random(seed)
    assert_conserved(good_file(random).data + good_file(random).data, [300])


@given(good_files(), SIZES, st.sampled_from([1, 10, 100, 10_000]))
def test_batches_and_values_do_not_depend_on_how_the_bytes_were_cut(
    file: GoodFile, sizes: list[int], block_bytes: int
) -> None:
    whole = account_or_none(file.data)
    if whole is not None:
        assert account_of(file.data, sizes, block_bytes=block_bytes).said == whole.said


def test_a_prefix_of_any_length_is_accounted_for() -> None:
    data = among_good_rows('"Kim', 'x",1,2', "", "é,1,2", "id,sum", "1,2", "3,4", "1,2,3", "4,5,6", "7,8,9")
    for encoding in ("utf-8-sig", "utf-16-be"):
        encoded = data.decode().encode(encoding)
        for length in range(1, len(encoded)):
            assert_conserved(encoded[:length], [length])
