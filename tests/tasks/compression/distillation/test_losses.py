"""Each term of the loss against a plain numpy formula."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tasks.compression.distillation.config import DistillConfig
from tasks.compression.distillation.losses import cosine_distance, cross_entropy, softened_kl
from tasks.compression.distillation.objective import DistillationObjective
from tasks.compression.distillation.outputs import TeacherOutputs
from tasks.formats.token_shards import TokenShards
from tasks.models.model import EncoderOutput
from tasks.training.loop.objective import Draw
from tasks.training.text_objective import TextRows

SEEDS = st.integers(0, 2**32 - 1)


def softmax(logits):
    exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponent / exponent.sum(axis=1, keepdims=True)


def draw(seed, rows=5, classes=4):
    random = np.random.default_rng(seed)
    return random.normal(size=(rows, classes), scale=3), random.normal(size=(rows, classes), scale=3), random


@given(SEEDS)
def test_cross_entropy_is_the_negative_log_likelihood(seed):
    logits, _, random = draw(seed)
    labels = random.integers(4, size=5)
    plain = -np.sum([np.log(softmax(logits)[i, label]) for i, label in enumerate(labels)])
    assert cross_entropy(torch.tensor(logits), torch.tensor(labels)).item() == pytest.approx(plain)


@given(SEEDS)
def test_unlabelled_rows_add_nothing_to_the_cross_entropy(seed):
    logits, _, _ = draw(seed)
    labels = torch.tensor([2, -1, 0, -1, -1])
    plain = -(np.log(softmax(logits)[0, 2]) + np.log(softmax(logits)[2, 0]))
    assert cross_entropy(torch.tensor(logits), labels).item() == pytest.approx(plain)
    assert cross_entropy(torch.tensor(logits), torch.full((5,), -1)).item() == 0.0


@given(SEEDS, st.floats(0.5, 10))
def test_softened_kl_is_the_divergence_of_the_softened_softmaxes_times_t_squared(seed, temperature):
    student, teacher, _ = draw(seed)
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    plain = temperature**2 * np.sum(p * np.log(p / q))
    ours = softened_kl(torch.tensor(student), torch.tensor(teacher), temperature).item()
    assert ours == pytest.approx(plain, rel=1e-4, abs=1e-6)
    assert ours > -1e-9


def test_softened_kl_of_equal_logits_up_to_a_constant_is_zero():
    logits, _, _ = draw(0)
    assert softened_kl(torch.tensor(logits), torch.tensor(logits + 7), 2.0).item() == pytest.approx(
        0, abs=1e-9
    )


def test_gradient_of_the_softened_kl_does_not_shrink_with_the_temperature():
    def gradient(temperature):
        student = torch.tensor([[0.1, -0.2, 0.1]], dtype=torch.float64, requires_grad=True)
        softened_kl(student, torch.tensor([[0.3, 0.0, -0.3]], dtype=torch.float64), temperature).backward()
        return student.grad.norm().item()

    assert gradient(20.0) == pytest.approx(gradient(10.0), rel=0.05)


@given(SEEDS)
def test_cosine_distance_is_one_minus_the_cosine(seed):
    student, teacher, _ = draw(seed)
    norms = np.linalg.norm(student, axis=1) * np.linalg.norm(teacher, axis=1)
    plain = np.sum(1 - np.sum(student * teacher, axis=1) / norms)
    assert cosine_distance(torch.tensor(student), torch.tensor(teacher)).item() == pytest.approx(plain)


@pytest.mark.parametrize(
    ("alpha", "beta", "temperature"), [(0.1, 10.0, 2.0), (1.0, 0.0, 2.0), (0.0, 0.0, 4.0)]
)
def test_the_loss_is_alpha_ce_plus_the_rest_t2_kl_plus_beta_cosine(alpha, beta, temperature):
    logits, teacher_logits, random = draw(1)
    vectors, teacher_vectors = random.normal(size=(2, 5, 3))
    labels = np.array([0, 1, -1, 3, 2])
    config = DistillConfig(alpha=alpha, beta=beta, temperature=temperature)
    rows = np.array([4, 0, 2, 1, 3])

    def model(input_ids, attention_mask):
        return EncoderOutput(torch.tensor(vectors)[rows], torch.tensor(logits)[rows])

    outputs = TeacherOutputs([], labels, teacher_vectors, teacher_logits)
    objective = DistillationObjective(TextRows(TokenShards.of([[1]] * 5), 0), outputs, config)
    batch = objective.batch(rows, Draw(0, 0))
    weights, terms = objective.weight(batch), objective.loss(model, batch)
    ours = sum(term.coefficient * term.total.item() / weights[name] for name, term in terms.items())
    hard = -np.log(softmax(logits)[np.arange(5), labels])[labels >= 0].sum() / 5
    p, q = softmax(teacher_logits / temperature), softmax(logits / temperature)
    soft = temperature**2 * np.mean(np.sum(p * np.log(p / q), axis=1))
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(teacher_vectors, axis=1)
    apart = np.mean(1 - np.sum(vectors * teacher_vectors, axis=1) / norms)
    assert ours == pytest.approx(alpha * hard + (1 - alpha) * soft + beta * apart, rel=1e-4)


@pytest.mark.parametrize("wrong", [{"temperature": 0}, {"alpha": 1.5}, {"beta": -1}, {"layers": -1}])
def test_values_without_meaning_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DistillConfig(**wrong)
