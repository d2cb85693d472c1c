"""How good a classifier is on validation, as the loop needs it: one number that picks the best epoch, and
metrics.
"""

import numpy as np
from sklearn.metrics import roc_auc_score
from transformers import PreTrainedTokenizerBase

from tasks.encoder.batching import encode
from tasks.encoder.device import accelerated_device
from tasks.encoder.inference import answer_rows
from tasks.encoder.model import SentenceClassifier
from tasks.labelled_text.dataset import DatasetInfo, Split
from tasks.out_of_scope.rule import apply_rule, choose_rule, score
from tasks.training.config import MixedPrecision
from tasks.training.loop import Validate, Validated
from tasks.training.precision import autocast


def validation(
    split: Split,
    info: DatasetInfo,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    precision: MixedPrecision,
) -> Validate[SentenceClassifier]:
    """A function that validates a classifier on the texts of `split`, each cut to `max_length` tokens."""
    rows = encode(tokenizer, split.texts, max_length)

    def validate(model: SentenceClassifier) -> Validated:
        with autocast(precision, accelerated_device()):
            logits = answer_rows(model, rows, tokenizer.pad_token_id).logits
        return judge(logits, split, info)

    return validate


def judge(logits: np.ndarray, split: Split, info: DatasetInfo) -> Validated:
    """Score `logits` float [n, labels] of the rows of `split`.

    Without an out-of-scope label the score is the weighted accuracy. With one it is (1 - s) accuracy of
    in-scope rows + s AUROC of the energy, where s is the weighted share of out-of-scope rows. The accuracy
    after the rule would be what users see, but on 100 out-of-scope rows its threshold alone moves it by up to
    a point between neighbouring epochs; the AUROC looks at all thresholds at once and is five times steadier.
    """
    column, weights = info.out_of_scope_id, split.weights / split.weights.sum()
    if column is None:
        accuracy = float(weights @ (logits.argmax(axis=1) == split.labels))
        return Validated(accuracy, {"validation_accuracy": accuracy})
    rule = choose_rule(logits, split.labels, info, None, split.weights)
    accuracy = float(weights @ (apply_rule(logits, rule, column).argmax(axis=1) == split.labels))
    outside = split.labels == column
    known = (
        np.delete(logits, column, axis=1).argmax(axis=1) == split.labels
    )  # the out-of-scope label is the last id
    in_scope = float(np.average(known[~outside], weights=weights[~outside]))
    auroc = float(roc_auc_score(~outside, score(logits, column, "energy"), sample_weight=weights))
    share = float(weights[outside].sum())
    metrics = {
        "validation_accuracy": accuracy,
        "validation_in_scope_accuracy": in_scope,
        "validation_out_of_scope_auroc": auroc,
    }
    return Validated((1 - share) * in_scope + share * auroc, metrics)
