"""How good a classifier is on validation, as the loop needs it: one number that picks the best epoch, and
metrics.
"""

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerBase

from tasks.decision.rule import apply_rule, choose_rule, score
from tasks.formats.dataset import DatasetInfo, Split
from tasks.metrics.in_scope import best_in_scope
from tasks.models.batching import encode
from tasks.models.device import accelerated_device
from tasks.models.inference import embed_and_classify
from tasks.models.model import SentenceClassifier
from tasks.training.config import MixedPrecision
from tasks.training.loop.loop import Evaluated, Evaluation
from tasks.training.precision import autocast


def validation(
    split: Split,
    info: DatasetInfo,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    precision: MixedPrecision,
) -> Evaluation[SentenceClassifier]:
    """A function that validates a classifier on the texts of `split`, each cut to `max_length` tokens."""
    rows = encode(tokenizer, split.texts, max_length)

    def validate(model: SentenceClassifier) -> Evaluated:
        with autocast(precision, accelerated_device()):
            logits = embed_and_classify(model, rows, tokenizer.pad_token_id).logits
        return judge(logits, split, info)

    return validate


def judge(logits: np.ndarray, split: Split, info: DatasetInfo) -> Evaluated:
    """Score `logits` float [n, labels] of the rows of `split`.

    Without an out-of-scope label the score is the accuracy. With one it is (1 - s) accuracy of in-scope rows
    + s AUROC of the energy, where s is the share of out-of-scope rows here: no share that is expected in
    traffic reaches training, so another one trains nothing again. The accuracy
    after the rule would be what users see, but on 100 out-of-scope rows its threshold alone moves it by up to
    a point between neighbouring epochs; the AUROC looks at all thresholds at once and is five times steadier.
    The cross-entropy is what training lowers, so that its curve can be read beside the training's; it picks nothing.
    """
    column = info.out_of_scope_id
    loss = cross_entropy(torch.from_numpy(logits).float(), torch.from_numpy(split.labels)).item()
    if column is None:
        accuracy = float((logits.argmax(axis=1) == split.labels).mean())
        return Evaluated(accuracy, {"validation_accuracy": accuracy, "validation_cross_entropy": loss})
    rule = choose_rule(logits, split.labels, info, None)
    accuracy = float((apply_rule(logits, rule, column).argmax(axis=1) == split.labels).mean())
    outside = split.labels == column
    known = best_in_scope(logits, column) == split.labels
    in_scope = float(known[~outside].mean())
    auroc = float(roc_auc_score(~outside, score(logits, column, "energy")))
    share = float(outside.mean())
    metrics = {
        "validation_accuracy": accuracy,
        "validation_cross_entropy": loss,
        "validation_in_scope_accuracy": in_scope,
        "validation_out_of_scope_auroc": auroc,
    }
    return Evaluated((1 - share) * in_scope + share * auroc, metrics)
