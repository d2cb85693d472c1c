"""Bits a byte of each part of a corpus; what is asked of them is what is shown."""

import math
from pathlib import Path

import numpy as np
import pytest

from infra.errors import DataError
from tasks.baselines.causal_ngrams.config import CausalNgramConfig
from tasks.baselines.causal_ngrams.kneser_ney import KneserNey
from tasks.baselines.causal_ngrams.measure import count_training, measure_causal_ngrams
from tasks.baselines.causal_ngrams.sampling import continued
from tasks.baselines.causal_ngrams.section import MEAN
from tasks.baselines.causal_ngrams.stages import causal_ngrams
from tasks.formats.causal_ngram_report import read_causal_ngrams
from tests.tasks.baselines.causal_ngrams.documents import PREDICTED, WORDS, flat, write_corpus
from tests.tasks.sections import shown

CONFIG = CausalNgramConfig(order=3, cache_order=3)


def made_of(words: list[int], documents: int, length: int, seed: int) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [[3, *random.choice(words, size=length).tolist(), 0] for _ in range(documents)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each document is of three words of its own: which they are is told by its cache alone."""
    random = np.random.default_rng(0)

    def several(documents: int) -> list[list[int]]:
        return [
            made_of(random.choice(list(WORDS), size=2, replace=False).tolist(), 1, 40, seed)[0]
            for seed in range(documents)
        ]

    parts = {"train": several(60), "validation": several(20), "files": several(9)}
    parts |= {"me/first": several(4), "me/second": several(6)}
    return write_corpus(tmp_path_factory.mktemp("tokens"), parts)


def test_bits_a_byte_are_of_all_tokens_but_the_first_of_each_document(corpus: Path, tmp_path: Path) -> None:
    metrics = measure_causal_ngrams(CONFIG, corpus, tmp_path)
    found = read_causal_ngrams(tmp_path)
    assert list(found.parts) == ["files", "me/first", "me/second"]
    model = count_training(CONFIG, corpus)
    files = [[3, 4, 5, 4, 0]]
    other = write_corpus(tmp_path / "other", {"train": [[3, 4, 0]], "validation": files, "files": files})
    nats = -np.log(count_training(CONFIG, other).probabilities(*flat(files))[1:]).sum()
    measure_causal_ngrams(CONFIG, other, tmp_path / "other")
    bits = read_causal_ngrams(tmp_path / "other").parts["files"].static
    assert bits == pytest.approx(nats / math.log(2) / 9, rel=1e-6)
    assert isinstance(model, KneserNey) and metrics["files_static"] == found.parts["files"].static
    mean = found.repositories
    assert mean is not None
    assert mean.cached == pytest.approx((metrics["me/first_cached"] + metrics["me/second_cached"]) / 2)


def test_the_cache_helps_where_documents_have_words_of_their_own(corpus: Path, tmp_path: Path) -> None:
    measure_causal_ngrams(CONFIG, corpus, tmp_path)
    for bits in read_causal_ngrams(tmp_path).parts.values():
        assert bits.cached < 0.95 * bits.static


def test_the_page_has_a_row_a_part_and_the_mean(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    measure_causal_ngrams(CONFIG, corpus, tmp_path / "out")
    parts, components, orders = shown(causal_ngrams, tmp_path / "out", tmp_path / "copy").tables
    assert [row["part"] for row in parts.rows] == ["files", "me/first", "me/second", MEAN]
    assert [row["component"] for row in components.rows][-2:] == ["cache after 0 tokens", "n-grams"]
    assert sum(float(str(row["share"])) for row in components.rows) == pytest.approx(1.0)
    assert [row["length"] for row in orders.rows] == [1, 2, 3]


def test_a_part_without_files_is_named(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, {"train": [[3, 4, 0]], "validation": []})
    with pytest.raises(DataError, match="the part 'validation' has no tokens"):
        measure_causal_ngrams(CONFIG, corpus, tmp_path)


def test_what_is_sampled_is_as_likely_as_the_model_says(corpus: Path) -> None:
    model = count_training(CONFIG, corpus)
    random = np.random.default_rng(1)
    drawn = [continued(model, [3, 5], 1.0, random, 1, lambda made: False)[0] for _ in range(1000)]
    shares = np.bincount(drawn, minlength=len(PREDICTED)) / len(drawn)
    assert shares == pytest.approx(model.distribution([3, 5]), abs=0.06)
    assert not shares[~PREDICTED].any()


def test_sampling_ends_where_it_is_told_and_is_greedy_at_zero(corpus: Path) -> None:
    model, random = count_training(CONFIG, corpus), np.random.default_rng(1)
    made = continued(model, [3], 0.0, random, 7, lambda made: len(made) == 5)
    read = [3]
    for token in made:
        assert token == model.distribution(read[-2:]).argmax()
        read.append(token)
    assert len(made) == 5 and len(continued(model, [3], 0.6, random, 7, lambda made: False)) == 7
