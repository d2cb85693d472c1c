"""The triple loss against its formula, written down with torch's own functions."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import CosineEmbeddingLoss, CrossEntropyLoss, KLDivLoss
from torch.nn.functional import log_softmax, softmax

from tasks.compression.distillation.language_model.config import DistillLmConfig, TripleLossConfig
from tasks.compression.distillation.language_model.objective import DistillLmObjective
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.training.loop.objective import Draw
from tasks.training.masked_lm.config import MaskingConfig
from tasks.training.masked_lm.masking import IGNORED
from tasks.training.masked_lm.objective import MaskedLmBatch
from tests.tasks.training.masked_lm.toy import VOCABULARY_IDS, random_blocks, tiny_model

BLOCKS = random_blocks(8)
EACH = {
    "masked_lm": {"kl_weight": 0.0, "cosine_weight": 0.0},
    "kl": {"mlm_weight": 0.0, "cosine_weight": 0.0},
    "cosine": {"mlm_weight": 0.0, "kl_weight": 0.0},
}


def models() -> tuple[MaskedLanguageModel, MaskedLanguageModel]:
    """Student and teacher."""
    return tiny_model(1, num_hidden_layers=1, initializer_range=0.2), tiny_model(2, initializer_range=0.2)


def objective_of(teacher: MaskedLanguageModel, **loss: float) -> DistillLmObjective:
    return DistillLmObjective(
        BLOCKS, MaskingConfig(rate=0.3), VOCABULARY_IDS, TripleLossConfig(**loss), teacher
    )


def some_batch(objective: DistillLmObjective) -> MaskedLmBatch:
    return objective.batch(np.arange(len(BLOCKS)), Draw(0, 0))


def means(
    objective: DistillLmObjective, student: MaskedLanguageModel, batch: MaskedLmBatch
) -> dict[str, torch.Tensor]:
    """Of each term, as the loop adds them up."""
    over, terms = objective.weight(batch), objective.loss(student, batch)
    assert over.keys() == terms.keys()
    return {name: term.coefficient * term.total / over[name] for name, term in terms.items()}


def formula(
    student: MaskedLanguageModel, teacher: MaskedLanguageModel, batch: MaskedLmBatch, temperature: float
) -> dict[str, torch.Tensor]:
    """Plain models of transformers, and the losses that DistilBERT's own training uses, at the masked tokens."""
    own = student.model(batch.input_ids, output_hidden_states=True)
    with torch.no_grad():
        given = teacher.model(batch.input_ids, output_hidden_states=True)
    masked = batch.labels != IGNORED
    ours, theirs = (output.logits[masked].float() / temperature for output in (own, given))
    last, told = (output.hidden_states[-1].float().reshape(-1, 32) for output in (own, given))
    return {
        "masked_lm": 2.0 * CrossEntropyLoss()(own.logits.float().flatten(0, 1), batch.labels.flatten()),
        "kl": 5.0
        * temperature**2
        * KLDivLoss(reduction="batchmean")(log_softmax(ours, dim=-1), softmax(theirs, dim=-1)),
        "cosine": CosineEmbeddingLoss()(last, told, torch.ones(len(last))),
    }


@pytest.mark.parametrize(("bf16", "rel"), [(False, 1e-5), (True, 2e-3)])
def test_every_term_and_their_sum_are_those_of_the_formula(bf16: bool, rel: float) -> None:
    student, teacher = models()
    objective = objective_of(teacher, temperature=3.0)
    batch = some_batch(objective)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        found, expected = means(objective, student, batch), formula(student, teacher, batch, 3.0)
    assert {name: value.item() for name, value in found.items()} == pytest.approx(
        {name: value.item() for name, value in expected.items()}, rel=rel
    )
    assert all(value > 0.05 for value in found.values())
    sums = [sum(terms.values()) for terms in (found, expected)]
    assert sums[0].item() == pytest.approx(sums[1].item(), rel=rel)
    if not bf16:
        ours, theirs = (torch.autograd.grad(total, [*student.parameters()]) for total in sums)
        largest = max(value.norm() for value in theirs)
        # A key's bias changes nothing: its gradient is rounding.
        assert all(
            (a - b).norm() <= 1e-5 * max(b.norm(), 1e-2 * largest) for a, b in zip(ours, theirs, strict=True)
        )


@pytest.mark.parametrize("name", EACH)
def test_a_term_stands_alone_and_computes_nothing_for_the_others(name: str) -> None:
    student, teacher = models()
    whole, alone = objective_of(teacher), objective_of(teacher, **EACH[name])
    batch = some_batch(whole)
    asked: dict[str, list[int]] = {"student": [], "teacher": []}
    hooks = [
        model.register_forward_hook(lambda module, given, output, seen=seen: seen.append(len(output.logits)))
        for model, seen in ((student, asked["student"]), (teacher, asked["teacher"]))
    ]
    found = means(alone, student, batch)
    masked = int((batch.labels != IGNORED).sum())
    assert asked == {
        "student": [0 if name == "cosine" else masked],
        "teacher": {"masked_lm": [], "kl": [masked], "cosine": [0]}[name],
    }
    for hook in hooks:
        hook.remove()
    assert found.keys() == {name}
    assert torch.equal(found[name], means(whole, student, batch)[name])


def test_the_teacher_reads_a_batch_once_and_learns_nothing() -> None:
    student, teacher = models()
    teacher.train()
    objective, calls = objective_of(teacher), []
    teacher.register_forward_hook(lambda *given: calls.append(1))
    sum(means(objective, student, some_batch(objective)).values()).backward()
    assert len(calls) == 1 and not teacher.training
    assert all(value.grad is None and not value.requires_grad for value in teacher.parameters())
    assert all(value.grad is not None for value in student.parameters())


def test_without_a_term_over_logits_the_head_stays_and_the_embeddings_learn() -> None:
    student, teacher = models()
    objective = objective_of(teacher, **EACH["cosine"])
    objective.settle(student)
    learning = {name for name, value in student.named_parameters() if value.requires_grad}
    assert learning == {f"model.bert.{name}" for name, _ in student.body.named_parameters()}
    sum(means(objective, student, some_batch(objective)).values()).backward()
    assert all((value.grad is not None) == (name in learning) for name, value in student.named_parameters())
    kept = models()[0]
    objective_of(teacher).settle(kept)
    assert all(value.requires_grad for value in kept.parameters())


def test_a_student_that_is_its_teacher_has_nothing_to_learn_from_it() -> None:
    teacher = tiny_model(2)
    objective = objective_of(teacher, mlm_weight=0.0)
    found = means(objective, tiny_model(2), some_batch(objective))
    assert max(value.abs().item() for value in found.values()) < 1e-5


def test_a_batch_without_masks_costs_its_hidden_states_alone() -> None:
    student, teacher = models()
    objective = objective_of(teacher)
    batch = some_batch(objective)
    empty = batch._replace(labels=torch.full_like(batch.labels, IGNORED))
    assert objective.weight(empty) == {"masked_lm": 0, "kl": 0, "cosine": batch.labels.numel()}
    totals = {name: term.total.item() for name, term in objective.loss(student, empty).items()}
    assert totals["masked_lm"] == totals["kl"] == 0.0 and math.isfinite(totals["cosine"])


def test_nothing_to_learn_is_refused_and_the_defaults_are_distilberts() -> None:
    with pytest.raises(ValidationError, match="expected one above it"):
        DistillLmConfig(mlm_weight=0, kl_weight=0, cosine_weight=0)
    assert DistillLmConfig().weights == {"masked_lm": 2.0, "kl": 5.0, "cosine": 1.0}
