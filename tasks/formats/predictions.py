"""What a model answered on validation and on test: logits as it is served, and what they were before rule and temperature."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from infra.errors import ArtifactError
from tasks.formats.evaluation_report import Validation
from tasks.formats.out_of_scope import OutOfScopeRule
from tasks.formats.report_file import read_report
from tasks.formats.value import Value, read_value, write_value

PREDICTED = ("validation", "test")
DECISION_FILE = "decision.json"


class Decision(Value):
    """`decision.json`: what stands between a model's own logits and those that it is served with."""

    rule: OutOfScopeRule | None
    temperature: float


@dataclass(frozen=True)
class Predictions:
    """One split: `logits` float32 [n, classes] as served, and `own_out_of_scope` float32 [n], that class's logit as the
    model gave it, before rule and temperature; None for data without such a class."""

    logits: np.ndarray
    own_out_of_scope: np.ndarray | None
    decision: Decision

    def unruled(self, out_of_scope: int) -> np.ndarray:
        """The model's own logits, float32 [n, classes]; `out_of_scope` is the column of that class.

        Raises ArtifactError where that class's own logit was not kept: what a rule made of it would be taken for it.
        """
        if self.own_out_of_scope is None:
            raise ArtifactError(
                "predictions of data with an out-of-scope label lack that class's own logit: expected "
                "`<split>_own_out_of_scope.npy`. Run predict again."
            )
        own = self.logits * np.float32(self.decision.temperature)
        own[:, out_of_scope] = self.own_out_of_scope
        return own


def write_predictions(folder: Path, split: str, predicted: Predictions) -> None:
    """Write `<split>_logits.npy`, `<split>_own_out_of_scope.npy` where there is such a class, and `decision.json`."""
    np.save(_logits(folder, split), predicted.logits, allow_pickle=False)
    if predicted.own_out_of_scope is not None:
        np.save(_own(folder, split), predicted.own_out_of_scope, allow_pickle=False)
    write_value(folder / DECISION_FILE, predicted.decision)


@dataclass(frozen=True)
class Validated:
    """Validation: whether a model is `right`, bool [n], and each row's share of traffic, `mass` float64 [n]."""

    right: np.ndarray
    mass: np.ndarray


def write_validated(folder: Path, validated: Validated) -> None:
    """Write `right.npy` and `mass.npy`, beside the report that says how many rows there are."""
    for name in ("right", "mass"):
        np.save(folder / f"{name}.npy", getattr(validated, name), allow_pickle=False)


def read_validated(folder: Path) -> Validated:
    """Read what `write_validated` wrote; raises ArtifactError where it is missing, damaged, or of another number of rows."""
    rows = read_report(folder, Validation).rows
    return Validated(*(_read(folder / f"{name}.npy", (rows,)) for name in ("right", "mass")))


def read_predictions(folder: Path, split: str, rows: int, classes: int) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises ArtifactError where it is missing or damaged, of another number of rows or classes, or not finite.
    """
    logits = _read(_logits(folder, split), (rows, classes))
    own = _own(folder, split)
    decision = read_value(folder / DECISION_FILE, Decision, "a model's predictions. Run predict again.")
    return Predictions(logits, _read(own, (rows,)) if own.is_file() else None, decision)


def _read(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        logits: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}): expected logits. Run predict again."
        ) from error
    if logits.shape != shape:
        raise ArtifactError(
            f"{path} has shape {logits.shape}: expected {shape}, a row for each text "
            "and a column for each label of this data set. Run predict on it again."
        )
    broken = int((~np.isfinite(logits.reshape(len(logits), -1))).any(axis=1).sum())
    if broken:
        raise ArtifactError(
            f"{path} has NaN or infinity in {broken} rows: expected finite logits. Run predict again."
        )
    return logits


def _logits(folder: Path, split: str) -> Path:
    return folder / f"{split}_logits.npy"


def _own(folder: Path, split: str) -> Path:
    return folder / f"{split}_own_out_of_scope.npy"
