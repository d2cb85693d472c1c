"""The terms of the student's loss, as pure functions of tensors: sums over rows, which the loop divides."""

import torch
from torch.nn.functional import cosine_similarity, kl_div, log_softmax
from torch.nn.functional import cross_entropy as torch_cross_entropy

UNLABELLED = -1


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Negative log likelihood of `labels` int64 [n] under `logits` [n, classes], summed over the rows.

    Rows labelled -1 (text the teacher alone answers) add nothing to the sum but count in its weight: so a
    labelled row weighs the same in every batch, however many unlabelled ones stand beside it.
    """
    return torch_cross_entropy(logits, labels, ignore_index=UNLABELLED, reduction="sum")


def softened_kl(logits: torch.Tensor, teacher_logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """T^2 KL(teacher || student) of both softmaxes at temperature T, summed over the rows of [n, classes].

    Hinton, Vinyals & Dean 2015 (Distilling the Knowledge in a Neural Network), section 2: T^2 keeps the size
    of the gradient independent of T, which divides it twice.
    """
    student = log_softmax(logits / temperature, dim=-1)
    teacher = log_softmax(teacher_logits / temperature, dim=-1)
    return kl_div(student, teacher, reduction="sum", log_target=True) * temperature**2


def cosine_distance(vectors: torch.Tensor, teacher_vectors: torch.Tensor) -> torch.Tensor:
    """1 - cosine of the angle between the sentence vectors, summed over the rows of [n, hidden].

    The cosine loss of Sanh et al. 2019 (DistilBERT), section 2, on sentence vectors instead of tokens.
    """
    return (1.0 - cosine_similarity(vectors, teacher_vectors, dim=-1)).sum()
