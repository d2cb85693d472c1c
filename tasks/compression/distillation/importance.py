"""Which of the teacher's heads and units matter to its own answers, asked of the training texts."""

import numpy as np
from transformers import PreTrainedTokenizerBase

from infra.errors import DataError
from tasks.compression.distillation.losses import UNLABELLED
from tasks.compression.distillation.outputs import TeacherOutputs
from tasks.compression.pruning.importance import Importance, taylor_importance
from tasks.formats.token_shards import TokenShards
from tasks.models.batching import encode
from tasks.models.model import SentenceClassifier
from tasks.training.text_objective import LabelledRows, TextRows

TEXTS, BATCH = 1024, 32


def teacher_importance(
    teacher: SentenceClassifier, tokenizer: PreTrainedTokenizerBase, outputs: TeacherOutputs, max_length: int
) -> Importance:
    """First-order importance for the cross-entropy of up to 1,024 labelled texts, spread evenly over all of them.

    The labels' loss and not the teacher's own logits: from those the teacher is nowhere off, and nothing would matter.

    Raises DataError when no text has a label.
    """
    labelled = np.flatnonzero(outputs.labels != UNLABELLED)
    if not len(labelled):
        raise DataError(
            "no text of the teacher's outputs has a label: expected training rows to weigh heads and units by. Run "
            "teacher_outputs again, or choose --distill.importance norm."
        )
    chosen = labelled[np.unique(np.linspace(0, len(labelled) - 1, TEXTS).astype(int))].tolist()
    rows = TokenShards.of(encode(tokenizer, [outputs.texts[i] for i in chosen], max_length))
    order = np.argsort(rows.lengths, kind="stable")
    objective = LabelledRows(TextRows(rows, tokenizer.pad_token_id), np.array(outputs.labels[chosen]))
    batches = (order[start : start + BATCH] for start in range(0, len(order), BATCH))
    return taylor_importance(teacher, objective, batches)
