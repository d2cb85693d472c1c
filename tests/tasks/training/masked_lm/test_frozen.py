"""Masks that stay, and the perplexity on them."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from infra.errors import DataError
from tasks.training.masked_lm.config import FrozenConfig
from tasks.training.masked_lm.frozen import freeze, negative_log_likelihood, perplexity
from tasks.training.masked_lm.masking import IGNORED
from tests.tasks.models.tiny_encoder import VOCABULARY
from tests.tasks.training.masked_lm.test_masking import is_near
from tests.tasks.training.masked_lm.toy import CLS, FIRST, SEP, VOCABULARY_IDS, tiny_model

PAD, LENGTH = 0, 24
RANDOM = np.random.default_rng(0)
DOCUMENTS = [
    [CLS, *RANDOM.integers(FIRST, len(VOCABULARY), size=size).tolist(), SEP]
    for size in RANDOM.integers(1, 40, size=300)
]


def frozen_of(texts=DOCUMENTS, **asked):
    return freeze(texts, LENGTH, PAD, VOCABULARY_IDS, FrozenConfig(**asked))


def test_documents_are_cut_masked_and_padded_on_the_right():
    frozen = frozen_of()
    assert frozen.input_ids.shape == frozen.labels.shape == (300, LENGTH)
    assert frozen.lengths.tolist() == [min(len(document), LENGTH) for document in DOCUMENTS]
    masked = frozen.labels != IGNORED
    for row, document in enumerate(DOCUMENTS):
        cut = np.array(document[:LENGTH])
        assert (frozen.input_ids[row, len(cut) :] == PAD).all() and not masked[row, len(cut) :].any()
        own = masked[row, : len(cut)]
        assert (frozen.labels[row, : len(cut)][own] == cut[own]).all()
        assert (frozen.input_ids[row, : len(cut)][~own] == cut[~own]).all()
        assert not own[VOCABULARY_IDS.is_special[cut]].any()
    ordinary = sum(id_ >= FIRST for document in DOCUMENTS for id_ in document[:LENGTH])
    assert is_near(masked.sum(), ordinary, 0.15)
    assert is_near((frozen.input_ids[masked] == VOCABULARY_IDS.mask).sum(), masked.sum(), 0.8)


def test_a_documents_masks_are_the_same_whatever_the_limit_is():
    """All of the few are among the many, in the same order."""
    many, few = frozen_of(documents=200), frozen_of(documents=50)
    rows = {(ids.tobytes(), labels.tobytes()): i for i, (ids, labels, _) in enumerate(each_row(many))}
    places = [rows[ids.tobytes(), labels.tobytes()] for ids, labels, _ in each_row(few)]
    assert len(places) == 50 and places == sorted(places)


def each_row(frozen):
    return zip(frozen.input_ids, frozen.labels, frozen.lengths, strict=True)


def test_documents_without_tokens_are_passed_over():
    assert len(frozen_of([[], *DOCUMENTS[:4], []]).labels) == 4


@pytest.mark.parametrize("documents", [[], [[]], [[CLS, SEP]]])
def test_nothing_to_mask_is_refused(documents):
    with pytest.raises(DataError, match="nothing is masked in"):
        frozen_of(documents)


@pytest.mark.parametrize("size", [1, 7, 300, 400])
def test_every_document_is_in_one_batch(size):
    frozen = frozen_of()
    batches = [*frozen.batches(size)]
    assert sum(len(batch.labels) for batch in batches) == len(frozen.labels)
    for batch in batches:
        assert batch.input_ids.shape[1] == batch.lengths.max() and batch.attention_mask.any(axis=0).all()
    assert sum((batch.labels != IGNORED).sum() for batch in batches) == (frozen.labels != IGNORED).sum()


def test_perplexity_is_that_of_plain_transformers_in_any_batch_and_leaves_the_mode():
    model, frozen = tiny_model(initializer_range=0.3).train(), frozen_of(documents=40)
    ids, mask, labels = (
        torch.from_numpy(part) for part in (frozen.input_ids, frozen.attention_mask, frozen.labels)
    )
    found = [perplexity(model, frozen, FrozenConfig(batch_size=size)) for size in (1, 7, 64)]
    assert model.training
    with torch.no_grad():
        logits = model.model.eval()(input_ids=ids, attention_mask=mask).logits
    plain = math.exp(cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED).item())
    assert found == pytest.approx([plain] * 3, rel=1e-5)
    assert plain > 1.5 * len(VOCABULARY)


def test_half_precision_is_near():
    model, frozen = tiny_model(), frozen_of(documents=40)
    half = perplexity(model, frozen, FrozenConfig(), "bf16")
    assert half == pytest.approx(perplexity(model, frozen, FrozenConfig()), rel=0.02)


def test_a_perplexity_that_no_float_can_hold_is_infinity():
    model, frozen = tiny_model(), frozen_of(documents=10)
    with torch.no_grad():
        model.model.get_output_embeddings().bias[FIRST:] = -1e4
    assert negative_log_likelihood(model, frozen, FrozenConfig()) > 9e3
    assert perplexity(model, frozen, FrozenConfig()) == math.inf
