"""How good classifiers from one encoder are, in an artifact: which of the same test rows each answers right.

`report.json` says what each classifier was made from, `right.safetensors` has `right`, uint8 [classifiers, test rows].
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from infra.errors import ArtifactError, StoreError
from tasks.formats.report_file import read_report, write_report
from tasks.formats.value import Value

RIGHT_FILE = "right.safetensors"


class ScoredClassifier(Value):
    """A classifier that learned from some labelled rows."""

    labels: int = Field(description="labelled rows that it learned from")
    seed: int = Field(description="of the draw of these rows")
    accuracy: float = Field(description="share of the test rows that it answers right, 0 to 1")
    choice: str = Field("", description="what was chosen inside these rows, such as `layer 5, mean`")


class EncoderReport(Value):
    """`report.json`."""

    test_rows: int
    classes: int
    classifiers: tuple[ScoredClassifier, ...]


class EncoderScores(NamedTuple):
    """`right` bool [classifiers, test rows], in the order of `report.classifiers`."""

    report: EncoderReport
    right: np.ndarray

    def of(self, labels: int) -> np.ndarray:
        """The rows of `right` of those that had so many labels, by seed: bool [seeds, test rows]."""
        chosen = [
            (one.seed, place) for place, one in enumerate(self.report.classifiers) if one.labels == labels
        ]
        return self.right[[place for _, place in sorted(chosen)]]


def write_scores(folder: Path, scores: EncoderScores) -> None:
    """Write both files; raises StoreError when the disk does not take them."""
    try:
        save_file({"right": scores.right.astype(np.uint8)}, folder / RIGHT_FILE)
        write_report(folder, scores.report)
    except (OSError, SafetensorError) as error:
        raise StoreError(
            f"scores could not be written to {folder} ({error}). Free some space or make the folder writable, then run again."
        ) from error


def read_scores(folder: Path) -> EncoderScores:
    """Read what `write_scores` wrote; raises ArtifactError when it is not there or damaged."""
    report = read_report(folder, EncoderReport)
    try:
        right = load_file(folder / RIGHT_FILE)["right"].astype(bool)
    except (OSError, KeyError, SafetensorError) as error:
        raise ArtifactError(
            f"{folder / RIGHT_FILE} cannot be read ({type(error).__name__}: {error}): expected `right`. Score again."
        ) from error
    if right.shape != (len(report.classifiers), report.test_rows):
        raise ArtifactError(
            f"{folder} has answers of shape {right.shape}: expected ({len(report.classifiers)}, {report.test_rows}) as its "
            "report says. Score again."
        )
    return EncoderScores(report, right)
