"""Words of a domain: what it has more of, and for sure."""

from tests.benchmarks.domain_words import over_represented


def test_what_is_frequent_here_and_not_there_comes_first_and_what_is_frequent_in_both_does_not() -> None:
    films = ["the movie and the actor", "the movie was the best movie"] * 30
    books = ["the ship and the sea", "the ship was the best ship"] * 30
    found = over_represented(films, books, 3)
    assert found[:2] == ["movie", "actor"]
    assert "the" not in found and "ship" not in found
