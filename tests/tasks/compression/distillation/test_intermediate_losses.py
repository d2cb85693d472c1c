"""Relations and hidden states against plain numpy formulas, and the terms within the student's loss."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import ConfigError
from tasks.compression.distillation.config import DistillConfig, IntermediateLossConfig
from tasks.compression.distillation.intermediate_losses import (
    PROJECTIONS,
    IntermediateTerms,
    hidden_distance,
    relation_loss,
    watched,
)
from tasks.models.batching import pad
from tasks.models.heads import keep_heads
from tasks.models.model import SentenceClassifier
from tests.tasks.models.tiny_encoder import VOCABULARY, tiny_config

SEEDS = st.integers(0, 10**6)
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
IDS, REAL = pad([[2, 9, 10, 21, 3], [2, 9, 3]], 0)
EVERY = torch.arange(len(VOCABULARY))


def drawn(seed, width):
    return np.random.default_rng(seed).normal(size=(2, 4, width))


def relations(values, heads):
    """softmax(A A^T / sqrt(d)) of each text's real tokens and each head, as a list of matrices."""
    found = []
    for text, length in zip(values, (4, 2), strict=True):
        for part in np.split(text[:length], heads, axis=1):
            scores = part @ part.T / np.sqrt(part.shape[1])
            exponent = np.exp(scores - scores.max(axis=1, keepdims=True))
            found.append(exponent / exponent.sum(axis=1, keepdims=True))
    return found


@settings(max_examples=30)
@given(SEEDS, st.sampled_from([1, 2, 4]), st.sampled_from([4, 8, 20]))
def test_relation_loss_is_the_summed_divergence_of_the_relations(seed, heads, width):
    student, teacher = drawn(seed, width), drawn(seed + 1, 12)
    pairs = zip(relations(student, heads), relations(teacher, heads), strict=True)
    plain = sum(np.sum(p * np.log(p / q)) for q, p in pairs)
    ours = relation_loss(torch.tensor(student), torch.tensor(teacher), MASK, heads).item()
    assert ours == pytest.approx(plain, rel=1e-6, abs=1e-12)
    assert ours > -1e-12


@given(SEEDS)
def test_equal_relations_cost_nothing_however_the_vectors_are_turned(seed):
    values = torch.tensor(drawn(seed, 8))
    turned, _ = torch.linalg.qr(torch.tensor(np.random.default_rng(seed).normal(size=(8, 8))))
    assert relation_loss(values @ turned, values, MASK, 1).item() == pytest.approx(0, abs=1e-10)


@settings(max_examples=30)
@given(SEEDS)
def test_hidden_distance_is_the_sum_over_real_tokens(seed):
    student, teacher = drawn(seed, 6), drawn(seed + 1, 6)
    real = MASK.numpy() == 1
    squares = ((student - teacher) ** 2).mean(axis=2)[real].sum()
    norms = np.linalg.norm(student, axis=2) * np.linalg.norm(teacher, axis=2)
    cosines = (1 - (student * teacher).sum(axis=2) / norms)[real].sum()
    both = torch.tensor(student), torch.tensor(teacher)
    assert hidden_distance(*both, MASK, cosine=False).item() == pytest.approx(squares)
    assert hidden_distance(*both, MASK, cosine=True).item() == pytest.approx(cosines)


def model_of(seed=0, layers=3, hidden=32, **changed):
    torch.manual_seed(seed)
    config = tiny_config(num_hidden_layers=layers, hidden_size=hidden, initializer_range=0.2, **changed)
    return SentenceClassifier.from_config(config, 4).eval()


def cost(terms, student):
    """What the terms add to the loss of these texts."""
    with terms.watching() as ours:
        student(IDS, REAL)
    weights, found = terms.weight(REAL), terms.terms(ours, IDS, REAL)
    assert weights.keys() == found.keys()
    return sum(term.coefficient * term.total / weights[name] for name, term in found.items())


def value(config, student, teacher, ids=EVERY):
    return cost(IntermediateTerms(config, student, teacher, ids), student)


def test_what_is_inside_is_what_the_layers_give():
    model = model_of()
    with torch.no_grad(), watched(model) as seen:
        found = model.body(input_ids=IDS, attention_mask=REAL, output_hidden_states=True)
    for ours, theirs in zip(seen.layers, found.hidden_states[1:], strict=True):
        torch.testing.assert_close(ours, theirs)
    last = model.body.encoder.layer[2].attention.self
    torch.testing.assert_close(seen.relations[1], last.key(found.hidden_states[2]))
    assert len(seen.relations) == 3
    assert not last.key._forward_hooks


@pytest.mark.parametrize("distance", ["mse", "cosine"])
def test_a_student_that_is_its_teacher_pays_nothing(distance):
    model = model_of()
    config = IntermediateLossConfig(relations=1, relation_heads=4, hidden=1, hidden_distance=distance)
    assert value(config, model, copy.deepcopy(model)).item() == pytest.approx(0, abs=1e-5)


def test_terms_are_summed_by_their_weights_over_the_paired_layers():
    student, teacher = model_of(1, layers=2), model_of(2, layers=4)
    with torch.no_grad(), watched(student) as ours, watched(teacher) as theirs:
        student(IDS, REAL), teacher(IDS, REAL)
    apart = sum(relation_loss(a, b, REAL, 4) for a, b in zip(ours.relations, theirs.relations, strict=True))
    hidden = sum(hidden_distance(ours.layers[i], theirs.layers[j], REAL, False) for i, j in ((0, 1), (1, 3)))
    config, tokens = IntermediateLossConfig(relations=2, relation_heads=4, hidden=3), REAL.sum()
    plain = 2 * apart / (4 * tokens) + 3 * hidden / tokens
    assert value(config, student, teacher).item() == pytest.approx(plain.item(), rel=1e-5)


def test_the_teacher_reads_the_students_tokens_by_its_own_ids():
    teacher, order = model_of(), torch.randperm(len(VOCABULARY), generator=torch.Generator().manual_seed(0))
    student = copy.deepcopy(teacher)
    words = student.body.embeddings.word_embeddings
    words.weight = torch.nn.Parameter(teacher.body.embeddings.word_embeddings.weight.detach()[order])
    config = IntermediateLossConfig(relations=1, relation_heads=4, hidden=1)
    assert value(config, student, teacher, order).item() == pytest.approx(0, abs=1e-5)
    assert value(config, student, teacher, EVERY).item() > 1e-2


def test_a_student_with_fewer_heads_has_relations_of_its_own_width():
    teacher, student = model_of(), model_of(1)
    keep_heads(student.body, [[0, 1], [2, 3], [0, 3]])
    assert value(IntermediateLossConfig(relations=1, relation_heads=4), student, teacher).item() > 0
    with pytest.raises(ConfigError, match="divisor of both the student's 16 and the teacher's 32"):
        value(IntermediateLossConfig(relations=1, relation_heads=32), student, teacher)


def test_gradients_reach_the_student_alone():
    student, teacher = model_of(1), model_of(2)
    value(IntermediateLossConfig(relations=1, relation_heads=4, hidden=1), student, teacher).backward()
    assert student.body.encoder.layer[2].attention.self.query.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_a_narrower_student_gets_projections_that_learn_and_go():
    student, teacher = model_of(1, layers=2, hidden=16), model_of(2)
    config = IntermediateLossConfig(hidden=1)
    terms = IntermediateTerms(config, student, teacher, EVERY)
    names = [name for name, _ in student.named_parameters() if name.startswith(PROJECTIONS)]
    assert len(names) == 2
    cost(terms, student).backward()
    assert all(student.get_parameter(name).grad.abs().sum() > 0 for name in names)
    terms.remove()
    assert not hasattr(student, PROJECTIONS)


def test_a_new_vocabulary_cannot_be_compared_token_by_token():
    with pytest.raises(ConfigError, match=r"expected tokenizer\.mode trim or keep"):
        value(IntermediateLossConfig(hidden=1), model_of(), model_of(), None)


def test_inner_terms_are_off_by_default():
    assert not DistillConfig().inner.wanted
    assert IntermediateLossConfig(relations=0.5).wanted
