"""Splits of a corpus: repositories that are held out whole, and files whose split depends on nothing but their content."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import ConfigError
from tasks.data.curation.code.split import split_of_file, whole_repositories

KNOWN = ("huggingface/setfit", "allenai/tango", "microsoft/Olive")


def test_repositories_are_found_in_any_case_and_named_as_they_are_spelt() -> None:
    asked = ("microsoft/olive", "ALLENAI/tango", "microsoft/Olive")
    assert whole_repositories(asked, KNOWN) == ("microsoft/Olive", "allenai/tango")
    assert whole_repositories((), KNOWN) == ()


@pytest.mark.parametrize("wrong", ["huggingface/setfitt", "setfit", "somebody/setfit"])
def test_a_repository_that_is_not_there_is_named_with_what_is_spelt_like_it(wrong: str) -> None:
    with pytest.raises(ConfigError, match=rf"no file is of '{wrong}'\. Closest: huggingface/setfit"):
        whole_repositories((wrong,), KNOWN)


def test_without_anything_alike_the_repositories_that_there_are_are_told() -> None:
    with pytest.raises(
        ConfigError, match=r"Expected one of allenai/tango, huggingface/setfit, microsoft/Olive\."
    ):
        whole_repositories(("zzz/qqq",), KNOWN)


@given(digest=st.binary(min_size=1, max_size=40), seed=st.integers(0, 2**32 - 1))
def test_a_larger_share_keeps_what_a_smaller_one_took_for_test(digest: bytes, seed: int) -> None:
    small, large = (split_of_file(digest, share, seed) for share in (0.1, 0.4))
    assert large == "test" or small != "test"
    assert split_of_file(digest, 0, seed) == "train"


def test_shares_are_met_and_the_seed_chooses_other_files() -> None:
    digests = [bytes([i % 256, i // 256]) for i in range(4_000)]
    made = [split_of_file(digest, 0.05, 0) for digest in digests]
    assert {split: made.count(split) for split in ("test", "validation")} == pytest.approx(
        {"test": 200, "validation": 200}, abs=45
    )
    assert made != [split_of_file(digest, 0.05, 1) for digest in digests]
