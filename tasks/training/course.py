"""How a training went, read from what it logged: which epoch was kept, and whether it went on by learning by heart.

A language model's loss of a token is told as its perplexity, the exponential of it.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from tasks.formats.section import show, words
from tasks.metrics.perplexity import perplexity_of

TRAINING, VALIDATION = "train_", "validation_"
RISE = 0.01  # of the validation loss over its lowest: less is noise between two evaluations
TOKEN_LOSS = "masked_lm"  # a term in nats a token
SCORES = (
    "validation_perplexity",
    "validation_score",
)  # what is told of the weights kept: the first that there is
STEPS_ALONE = ("epoch", "best_epoch")  # they say where a step is, and are no curves
Curves = Mapping[str, Sequence[tuple[int, float]]]


class Course(NamedTuple):
    """`drawn` are the curves worth a look, `kept` the step whose weights were kept, `lines` what there is to say."""

    drawn: Curves
    kept: int | None
    lines: tuple[str, ...]


def course_of(curves: Curves) -> Course:
    """Of what a stage logged by step; without `best_epoch` there is nothing to say, as of one that trained nothing."""
    curves = _with_perplexities(curves)
    terms = [name for name in curves if name.startswith(TRAINING) and name != "train_loss"]
    alone = {"train_loss"} if len(terms) == 1 else set()  # then the loss is that term
    drawn = {name: points for name, points in curves.items() if name not in {*STEPS_ALONE, *alone}}
    epochs, best = dict(curves.get("epoch", ())), dict(curves.get("best_epoch", ()))
    if not epochs or not best:
        return Course(drawn, None, ())
    last = max(best)
    kept = min(epochs, key=lambda step: abs(epochs[step] - best[last]))
    told = next((name for name in SCORES if name in curves), "")
    score = dict(curves.get(told, ())).get(kept)
    of = f", {words(told)} {show(score)}" if score is not None else ""
    lines = [
        f"Kept: the weights of epoch {show(best[last])} of {show(epochs[max(epochs)])} (step {kept:,}{of})."
    ]
    for term in terms:
        evaluated = dict(curves.get(VALIDATION + term.removeprefix(TRAINING), ()))
        lines += _overfitting(words(term.removeprefix(TRAINING)), dict(curves[term]), evaluated, epochs)
    return Course(drawn, kept, tuple(lines))


def _with_perplexities(curves: Curves) -> Curves:
    """With `train_perplexity` in place of the loss of a token, where its `validation_perplexity` was logged."""
    validation, training = SCORES[0], TRAINING + TOKEN_LOSS
    if validation not in curves or training not in curves:
        return curves
    loss = {training, VALIDATION + TOKEN_LOSS, "validation_score"}  # the score is that loss, negative
    told = {name: points for name, points in curves.items() if name not in loss}
    return told | {"train_perplexity": [(step, perplexity_of(nats)) for step, nats in curves[training]]}


def _overfitting(
    name: str, training: Mapping[int, float], validation: Mapping[int, float], epochs: Mapping[int, float]
) -> list[str]:
    """A sentence when the validation loss rose from its lowest to the end, while the training loss fell."""
    steps = sorted(validation)
    if len(steps) < 3:
        return []
    means = {until: _mean_between(training, after, until) for after, until in pairwise(steps)}
    lowest = min(steps, key=lambda step: validation[step])
    before, after = means.get(lowest, means[steps[1]]), means[steps[-1]]
    rose = validation[steps[-1]] > validation[lowest] * (1 + RISE)
    if lowest == steps[-1] or not rose or before is None or after is None or after >= before:
        return []
    return [
        f"Overfitting after epoch {show(epochs[lowest])}: the {name} on validation rose from {show(validation[lowest])} to "
        f"{show(validation[steps[-1]])} by epoch {show(epochs[steps[-1]])}, while in training it fell from {show(before)} to "
        f"{show(after)}."
    ]


def _mean_between(training: Mapping[int, float], after: int, until: int) -> float | None:
    found = [value for step, value in training.items() if after < step <= until]
    return sum(found) / len(found) if found else None
