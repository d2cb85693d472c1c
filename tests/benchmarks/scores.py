"""What each out-of-scope score gives: a Markdown table for the teacher and the student of the newest release.

    python -m tests.benchmarks.scores

PyTorch, float32. Thresholds are chosen on validation for the release's share of out-of-scope texts, all in the same way;
AUROC needs none. Half a minute.
"""

import sys

import numpy as np
from sklearn.metrics import roc_auc_score

from infra.errors import StillhouseError
from infra.settings import get_settings
from infra.store.artifacts import Store
from tasks.decision.rule import score, steady_threshold, traffic
from tasks.formats.checkpoint import load_info
from tasks.formats.dataset import Split, load_split
from tasks.formats.out_of_scope import Score
from tasks.metrics.in_scope import best_in_scope
from tasks.models.inference import answer_texts
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tests.benchmarks.mahalanobis import fit_class_spread
from tests.benchmarks.release import Material, find_release

KINDS: tuple[Score, ...] = ("energy", "log_odds", "confidence")
HEADER = (
    "| model | score | AUROC | accuracy | in scope | out-of-scope recall |\n|---|---|---:|---:|---:|---:|"
)


def rows_of(name: str, material: Material) -> list[str]:
    """The table's lines of the teacher or the student."""
    folder, splits = getattr(material, name).folder, {}
    model, tokenizer, info = SentenceClassifier.load(folder), load_tokenizer(folder), load_info(folder)
    column = info.out_of_scope_id
    if column is None:
        return [f"| {name} | the data has no out-of-scope label | | | | |"]
    for split in ("train", "validation", "test"):
        rows = load_split(material.dataset.folder, split)
        splits[split] = (rows, answer_texts(model, tokenizer, rows.texts, info.max_length))
    train, learned = splits["train"]
    spread = fit_class_spread(learned.vectors, train.labels, column)
    lines = []
    for kind in (*KINDS, "mahalanobis"):
        found = {
            split: spread.score(given.vectors) if kind == "mahalanobis" else score(given.logits, column, kind)
            for split, (_, given) in splits.items()
        }
        validation, given = splits["validation"]
        threshold = threshold_of(
            found["validation"], validation, given.logits, column, material.expected_share
        )
        rows, given = splits["test"]
        outside, strange = found["test"] < threshold, rows.labels == column
        right = np.where(outside, strange, best_in_scope(given.logits, column) == rows.labels)
        auroc = roc_auc_score(~strange, found["test"])
        lines.append(
            f"| {name} | {kind} | {auroc:.4f} | {right.mean():.4f} | {right[~strange].mean():.4f} | "
            f"{right[strange].mean():.4f} |"
        )
    return lines


def threshold_of(
    values: np.ndarray, split: Split, logits: np.ndarray, column: int, share: float | None
) -> float:
    """The threshold that `tasks.decision.rule.choose_rule` would choose for these scores."""
    outside = split.labels == column
    _, mass = traffic(outside, share)
    return steady_threshold(values, outside, outside | (best_in_scope(logits, column) == split.labels), mass)


def main() -> int:
    """Print the table."""
    try:
        material = find_release(Store(get_settings()), None)
    except StillhouseError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(HEADER)
    for name in ("teacher", "student"):
        print("\n".join(rows_of(name, material)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
