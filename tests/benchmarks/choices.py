"""Defaults chosen on validation alone, over several data sets: a Markdown table of each candidate. No test row is read.

    python -m tests.benchmarks.choices tfidf --data ../shared/data     terms and C of the baseline, one at a time
    python -m tests.benchmarks.choices rule --data ../shared/data      score, bandwidth and standard errors of the rule

CLINC150 `small`, BANKING77 and the issues of NLBSE'24 (titles). In-scope accuracy is by argmax over in-scope classes, with the
half width of its 95% interval. The rule is chosen on one half of validation and judged on the other, 40 times, for 18% out of
scope: CLINC150, and BANKING77 with every eighth intent out of scope; logits of TF-IDF and of a linear probe of the base model.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedShuffleSplit
from tqdm import tqdm

from infra.errors import StillhouseError
from tasks.baselines.config import BaselineConfig
from tasks.baselines.tfidf import fit_classifier
from tasks.decision import rule as rules
from tasks.metrics.in_scope import best_in_scope
from tasks.models.inference import answer_texts
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tasks.models.pretrained.resolve import packaged_model
from tasks.training.fine_tuning.config import TrainConfig
from tasks.training.fine_tuning.probe import probe
from tests.benchmarks.choices_data import Data, banking77, banking77_strangers, clinc150, nlbse24
from tests.benchmarks.tables import table

SHARE, HALVES, TOKENS = 0.18, 40, 64
TERMS: Mapping[str, Sequence[object]] = {
    "inverse_regularization": (3.0, 10.0, 30.0, 100.0),
    "words": ((1, 1), (1, 2), (1, 3)),
    "characters": ((2, 4), (2, 5), (3, 5), (2, 6)),
    "minimum_rows": (1, 2, 3),
}
RULE: Mapping[str, Sequence[float]] = {
    "SMOOTHING": (0.5, 1.0, 1.5, 2.0, 3.0),
    "CLEARLY_BETTER": (1.0, 2.0, 3.0, 4.0, 1e9),
}


def choose_terms(data: Sequence[Data]) -> str:
    """The baseline's settings, one changed at a time."""
    cells = []
    tried = [{}, *({name: value} for name, values in TERMS.items() for value in values)]
    for changed in tqdm(tried, "tfidf", disable=None):
        config = BaselineConfig.model_validate(changed)
        if changed and config == BaselineConfig():
            continue
        said = ", ".join(f"{name} {value}" for name, value in changed.items()) or "as it is"
        cells.append([said, *(_quality(config, one) for one in data)])
    return table(["settings", *(f"{one.name}: in scope; AUROC" for one in data)], cells)


def _quality(config: BaselineConfig, data: Data) -> str:
    logits = fit_classifier(config, data.train, len(data.info.labels)).logits(data.validation.texts)
    return in_scope_and_auroc(logits, data.validation.labels, data.info.out_of_scope_id)


def in_scope_and_auroc(logits: np.ndarray, labels: np.ndarray, outside: int | None) -> str:
    """`0.953 +-0.008; 0.962`: accuracy of in-scope rows without a rule, and the AUROC of the energy where there are others."""
    served = labels != outside
    right = (best_in_scope(logits, outside) == labels)[served]
    said = f"{right.mean():.4f} ±{1.96 * right.std() / np.sqrt(len(right)):.4f}"
    if outside is None:
        return said
    return f"{said}; {roc_auc_score(served, rules.score(logits, outside, 'energy')):.4f}"


def choose_rules(data: Sequence[Data]) -> str:
    """The rule's two numbers, one changed at a time."""
    models = {
        f"{one.name}, {name}": (one, make(one))
        for one in data
        for name, make in {"TF-IDF": _terms_logits, "probe": _probe_logits}.items()
    }
    cells = []
    for name, values in RULE.items():
        for value in values:
            with setting(name, value):
                found = [judged_on_the_other_half(one, logits) for one, logits in models.values()]
            cells.append([f"{name} {value:g}", *found])
    return table(["setting", *models], cells)


@contextmanager
def setting(name: str, value: float) -> Iterator[None]:
    """While it lasts, a constant of the rule is another."""
    before = getattr(rules, name)
    setattr(rules, name, value)
    try:
        yield
    finally:
        setattr(rules, name, before)


def judged_on_the_other_half(data: Data, logits: np.ndarray) -> str:
    """Expected accuracy, mean and standard deviation, of rules that are chosen on one half of validation."""
    labels, outside, found = data.validation.labels, data.info.out_of_scope_id, []
    halves = StratifiedShuffleSplit(HALVES, test_size=0.5, random_state=0)
    for chosen, judged in halves.split(labels, labels == outside):
        rule = rules.choose_rule(logits[chosen], labels[chosen], data.info, SHARE)
        right = rules.apply_rule(logits[judged], rule, outside).argmax(axis=1) == labels[judged]
        found.append(float(rules.share_of_traffic(labels[judged], data.info, SHARE) @ right))
    return f"{np.mean(found):.4f} ±{np.std(found):.4f}"


def _terms_logits(data: Data) -> np.ndarray:
    return fit_classifier(BaselineConfig(), data.train, len(data.info.labels)).logits(data.validation.texts)


def _probe_logits(data: Data) -> np.ndarray:
    base = packaged_model()
    model, tokenizer = SentenceClassifier.from_base(base, len(data.info.labels)), load_tokenizer(base)
    vectors = answer_texts(model, tokenizer, data.train.texts, TOKENS).vectors
    probe(model.head, vectors, data.train.labels, TrainConfig().probe_c)
    return answer_texts(model, tokenizer, data.validation.texts, TOKENS).logits


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.choices",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=("tfidf", "rule"))
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with clinc150, banking77 and nlbse24_issues"
    )
    asked = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="choices-") as scratch:
            folder = Path(scratch)
            if asked.what == "tfidf":
                print(choose_terms([make(asked.data, folder) for make in (clinc150, banking77, nlbse24)]))
            else:
                print(choose_rules([make(asked.data, folder) for make in (clinc150, banking77_strangers)]))
    except StillhouseError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
