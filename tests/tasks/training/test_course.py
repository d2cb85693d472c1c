"""What is said of a training: what was kept, and where it began to learn by heart."""

import math

import pytest

from tasks.training.course import Curves, course_of


def logged(
    validation: list[float], training: list[float], best: int, steps: int = 10
) -> dict[str, list[tuple[int, float]]]:
    """A training of one term: `validation` before and after each epoch, `training` in each."""
    ends = [steps * epoch for epoch in range(len(validation))]
    return {
        "epoch": [(end, float(epoch)) for epoch, end in enumerate(ends)],
        "best_epoch": [(end, float(min(epoch, best))) for epoch, end in enumerate(ends)],
        "validation_score": [(end, 0.5 + epoch / 100) for epoch, end in enumerate(ends)],
        "validation_kl": list(zip(ends, validation, strict=True)),
        "train_kl": [point for end, value in zip(ends, training, strict=False)
                     for point in ((end + 5, value + 0.01), (end + 10, value - 0.01))],
        "train_loss": [(end + 10, value) for end, value in zip(ends, training, strict=False)],
    }  # fmt: skip


def lines(curves: Curves) -> tuple[str, ...]:
    return course_of(curves).lines


def test_overfitting_is_called_out_with_its_epoch_and_the_evidence() -> None:
    kept, overfitting = lines(logged([0.9, 0.5, 0.4, 0.45, 0.6], [0.8, 0.4, 0.3, 0.1], best=3))
    assert kept == "Kept: the weights of epoch 3 of 4 (step 30, validation score 0.53)."
    assert overfitting == (
        "Overfitting after epoch 2: the kl on validation rose from 0.4 to 0.6 by epoch 4, while in training it fell from 0.4 "
        "to 0.1."
    )


def test_what_only_gets_better_or_ends_within_the_noise_is_no_overfitting() -> None:
    assert len(lines(logged([0.9, 0.5, 0.4], [0.8, 0.4], best=2))) == 1
    assert len(lines(logged([0.9, 0.5, 0.4, 0.402], [0.8, 0.4, 0.3], best=2))) == 1


def test_a_loss_that_rises_in_training_too_is_divergence_and_no_overfitting() -> None:
    assert len(lines(logged([0.9, 0.5, 0.4, 0.8], [0.8, 0.4, 0.9], best=2))) == 1


def test_training_that_only_hurt_says_that_the_weights_before_it_were_kept() -> None:
    kept, overfitting = lines(logged([0.4, 0.5, 0.6], [0.8, 0.4], best=0))
    assert kept.startswith("Kept: the weights of epoch 0 of 2 (step 0,")
    assert overfitting.startswith("Overfitting after epoch 0")


def test_the_loss_of_one_term_is_drawn_once_and_where_a_step_is_not_at_all() -> None:
    curves = logged([0.9, 0.5], [0.8], best=1)
    assert sorted(course_of(curves).drawn) == ["train_kl", "validation_kl", "validation_score"]
    two = curves | {"train_cosine": [(10, 1.0)]}
    assert "train_loss" in course_of(two).drawn


def test_of_metrics_without_an_epoch_nothing_is_said() -> None:
    older = {"train_loss": [(10, 1.0), (20, 0.5)], "validation_accuracy": [(10, 0.5), (20, 0.6)]}
    assert course_of(older) == (older, None, ())


def test_a_language_model_is_told_by_its_perplexity() -> None:
    nats = logged([6.0, 4.0, 4.5], [5.0, 3.0], best=1)
    curves = {name.replace("kl", "masked_lm"): points for name, points in nats.items()}
    curves["validation_perplexity"] = [
        (step, math.exp(loss)) for step, loss in curves["validation_masked_lm"]
    ]
    course = course_of(curves)
    assert sorted(course.drawn) == ["train_perplexity", "validation_perplexity"]
    assert dict(course.drawn["train_perplexity"])[10] == pytest.approx(math.exp(4.99))
    kept, overfitting = course.lines
    assert kept == "Kept: the weights of epoch 1 of 2 (step 10, validation perplexity 54.6)."
    assert "the perplexity on validation rose from 54.6 to 90.02 by epoch 2" in overfitting
    several = course_of(curves | {"train_cosine": [(10, 1.0)]})
    assert {"train_loss", "train_cosine", "train_perplexity"} <= several.drawn.keys()
