"""Terms of the loss that look inside both models: attention relations and the outputs of layers.

They compare token with token, so the teacher reads the student's own tokens: a trimmed vocabulary is a part of the
teacher's, and each of its tokens has an id there. What is inside the teacher is too much to keep for every text (a
hundred times the vectors and logits), so the teacher runs beside the student at each step.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.functional import cosine_similarity, log_softmax

from infra.errors import ConfigError
from tasks.compression.distillation.config import IntermediateLossConfig
from tasks.compression.distillation.initialise import spread_layers
from tasks.models.architecture import architecture_of
from tasks.models.model import SentenceClassifier
from tasks.training.loop.objective import Term

Hook = Callable[[nn.Module, tuple[torch.Tensor, ...], Any], None]
PROJECTIONS = "projections"  # a part of the student while it is trained


class Inside(NamedTuple):
    """Float [batch, sequence, width]: queries, keys and values of the last layer, and what each layer gives."""

    relations: list[torch.Tensor]
    layers: list[torch.Tensor]


def relation_loss(
    student: torch.Tensor, teacher: torch.Tensor, mask: torch.Tensor, heads: int
) -> torch.Tensor:
    """KL(teacher || student) of the self-attention relations, summed over heads and real tokens.

    Wang et al. 2021, MiniLMv2, section 3.1, equations 5 to 7: vectors float [batch, sequence, width] are cut into `heads`
    parts of d each, and a token's relation is softmax(A A^T / sqrt(d)) over the real tokens of `mask` [batch, sequence].
    The widths may differ: a relation is as long as the text.
    """
    ours, theirs = (_log_relations(values, mask, heads) for values in (student, teacher))
    each = (theirs.exp() * (theirs - ours)).sum(dim=-1)  # [batch, heads, sequence]
    return (each * mask.unsqueeze(1)).sum()


def hidden_distance(
    student: torch.Tensor, teacher: torch.Tensor, mask: torch.Tensor, cosine: bool
) -> torch.Tensor:
    """Sum over the real tokens of `mask` of the mean squared difference of vectors [batch, sequence, hidden], as in
    TinyBERT (Jiao et al. 2020, equation 8), or of 1 - cosine, as in DistilBERT.
    """
    apart = (
        1 - cosine_similarity(student, teacher, dim=-1)
        if cosine
        else (student - teacher).square().mean(dim=-1)
    )
    return (apart * mask).sum()


class IntermediateTerms:
    """relations (QQ + KK + VV) + hidden (distance of each layer to the teacher's that it came from)."""

    def __init__(
        self,
        config: IntermediateLossConfig,
        student: SentenceClassifier,
        teacher: SentenceClassifier,
        teacher_ids: torch.Tensor | None,
    ) -> None:
        """`teacher_ids` int64 [the student's tokens]: the teacher's id of each; None when its tokens are others.

        Where hidden sizes differ, the student gets a linear projection for each layer, which learns beside it.

        Raises ConfigError when the tokens are others, or relation heads do not divide both widths.
        """
        if teacher_ids is None:
            raise ConfigError(
                "distill.inner compares token with token, and the student's tokens are not the teacher's: expected "
                "tokenizer.mode trim or keep. Leave distill.inner's weights at 0 with a new vocabulary."
            )
        self.config, self.teacher_ids = config, teacher_ids
        self.student, self.teacher = student, teacher.eval().requires_grad_(False)
        depths = [len(architecture_of(model.body).layers_of(model.body)) for model in (student, teacher)]
        self.pairs = list(enumerate(spread_layers(depths[1], depths[0])))
        self._require_divisible()
        ours, theirs = student.body.config.hidden_size, teacher.body.config.hidden_size
        if config.hidden > 0 and ours != theirs:
            each = [nn.Linear(ours, theirs, bias=False) for _ in self.pairs]
            for projection in each:
                nn.init.eye_(projection.weight)
            student.add_module(PROJECTIONS, nn.ModuleList(each))

    def watching(self) -> AbstractContextManager["Inside"]:
        """What the student's forward pass within the context has inside."""
        return watched(self.student)

    def weight(self, mask: torch.Tensor) -> Mapping[str, float]:
        """What the terms of a batch with this `mask` [batch, sequence] are divided by: real tokens, times relation heads."""
        tokens = int(mask.sum())
        weights = {"relations": tokens * self.config.relation_heads, "hidden": tokens}
        return {name: weight for name, weight in weights.items() if getattr(self.config, name) > 0}

    def terms(self, ours: Inside, input_ids: torch.Tensor, mask: torch.Tensor) -> Mapping[str, Term]:
        """The terms for what was seen inside the student, beside the teacher's on the same tokens."""
        self.teacher.to(mask.device)
        self.teacher_ids = self.teacher_ids.to(mask.device)
        with torch.no_grad(), watched(self.teacher) as theirs:
            self.teacher(self.teacher_ids[input_ids], mask)
        found = {}
        if self.config.relations > 0:
            pairs = zip(ours.relations, theirs.relations, strict=True)
            each = [
                relation_loss(one.float(), other.float(), mask, self.config.relation_heads)
                for one, other in pairs
            ]
            found["relations"] = Term(torch.stack(each).sum(), self.config.relations)
        if self.config.hidden > 0:
            found["hidden"] = Term(self._hidden(ours, theirs, mask), self.config.hidden)
        return found

    def _hidden(self, ours: Inside, theirs: Inside, mask: torch.Tensor) -> torch.Tensor:
        projections, cosine = (
            getattr(self.student, PROJECTIONS, None),
            self.config.hidden_distance == "cosine",
        )
        total = torch.zeros((), device=mask.device)
        for student_layer, teacher_layer in self.pairs:
            given = ours.layers[student_layer]
            given = given if projections is None else projections[student_layer](given)
            total = total + hidden_distance(given.float(), theirs.layers[teacher_layer].float(), mask, cosine)
        return total

    def remove(self) -> None:
        """Leave the student as a model without projections."""
        if hasattr(self.student, PROJECTIONS):
            delattr(self.student, PROJECTIONS)

    def _require_divisible(self) -> None:
        widths = [_relation_parts(model)[0].out_features for model in (self.student, self.teacher)]
        if self.config.relations > 0 and any(width % self.config.relation_heads for width in widths):
            raise ConfigError(
                f"distill.inner.relation_heads is {self.config.relation_heads}: expected a divisor of both the "
                f"student's {widths[0]} and the teacher's {widths[1]}. Give --distill.inner.relation-heads."
            )


@contextmanager
def watched(model: SentenceClassifier) -> Iterator[Inside]:
    """What the one forward pass made within the context has inside."""
    names, seen = architecture_of(model.body), Inside([], [])

    def keep(into: list[torch.Tensor]) -> Hook:
        def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: Any) -> None:
            into.append(output[0] if isinstance(output, tuple) else output)

        return hook

    hooks = [part.register_forward_hook(keep(seen.relations)) for part in _relation_parts(model)]
    hooks += [layer.register_forward_hook(keep(seen.layers)) for layer in names.layers_of(model.body)]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _relation_parts(model: SentenceClassifier) -> list[nn.Linear]:
    """What makes queries, keys and values in the last layer, in the order in which they run."""
    names = architecture_of(model.body)
    last = names.layers_of(model.body)[-1]
    return [names.matrix(last, name) for name in (names.query, names.key, names.value)]


def _log_relations(values: torch.Tensor, mask: torch.Tensor, heads: int) -> torch.Tensor:
    """Log of the relations, float [batch, heads, sequence, sequence], of `values` [batch, sequence, width]."""
    parts = values.unflatten(-1, (heads, -1)).transpose(1, 2)
    scores = parts @ parts.transpose(-1, -2) / parts.shape[-1] ** 0.5
    padding = mask[:, None, None, :] == 0
    return log_softmax(scores.masked_fill(padding, torch.finfo(scores.dtype).min), dim=-1)
