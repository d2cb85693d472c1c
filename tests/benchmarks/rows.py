"""Rows of a table of models: each made once from a release's own artifacts, and scored on the whole test split.

Each has the same out-of-scope rule, chosen on validation.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field

from infra.errors import ConfigError
from infra.store.artifacts import Store
from infra.store.fingerprint import canonical
from tasks.evaluation.config import EvaluateConfig, PredictConfig
from tasks.evaluation.evaluate import read_answered, shares
from tasks.evaluation.predict import predict
from tasks.formats.dataset import load_info, load_split
from tasks.formats.evaluation_report import ModelScores
from tasks.formats.shares import Shares
from tasks.formats.value import Value
from tasks.metrics.scores import score_model
from tests.benchmarks.kept import Kept, Made
from tests.benchmarks.release import Artifact, Material, same_inputs
from tests.benchmarks.settings import Settings, read_settings


class Contender(Value):
    """One row: where it lies, and how good it is on the test split; None for weights that were not trained."""

    name: str
    group: str
    what: str
    folder: Path = Field(
        Path(), exclude=True, description="on the machine that measured; nobody else's business"
    )
    scores: ModelScores | None
    settings: Settings = Field({}, description="that its own search found")

    @property
    def accuracy(self) -> float | None:
        """With the rule for the declared share."""
        return None if self.scores is None else self.scores.accuracy


class Rows(Value):
    """All rows, a sentence for each that could not be made, and what their rules knew."""

    made: tuple[Contender, ...]
    left_out: tuple[str, ...]
    shares: Shares | None


@dataclass(frozen=True)
class Line:
    """How a row is made: `make` fills a folder, from inputs whose digests are given, asked for by a config."""

    name: str
    group: str
    what: str
    config: BaseModel | None
    inputs: tuple[Artifact, ...]
    make: Callable[[Path], Mapping[str, float]]
    trained: bool = True  # otherwise it is there for its size and its speed


@dataclass(frozen=True)
class Stands:
    """A row that the release's own run has made already."""

    name: str
    group: str
    what: str
    artifact: Artifact


def make_rows(store: Store, material: Material, kept: Kept, lines: Iterable[Line | Stands]) -> Rows:
    """All rows, each scored as `evaluate` does; one whose library is not installed is left out."""
    found, left_out, known = [], [], None
    for line in lines:
        if isinstance(line, Stands):
            folder, digest = line.artifact.folder, line.artifact.digest
            record = same_inputs(store, "predict", model=line.artifact, dataset=material.dataset)
        else:
            try:
                made = make_line(kept, line)
            except ConfigError as error:
                left_out.append(f"{line.name}: {error}")
                continue
            folder, digest, record = made.folder, made.key, None
        scores = None
        if record or isinstance(line, Stands) or line.trained:
            answers = (
                store.folder("predict", record.key)
                if record
                else _answers(kept, line.name, folder, digest, material)
            )
            scores, known = score_row(line.name, answers, material)
        found.append(
            Contender(
                name=line.name,
                group=line.group,
                what=line.what,
                folder=folder,
                scores=scores,
                settings=read_settings(folder),
            )
        )
    return Rows(made=tuple(found), left_out=tuple(left_out), shares=known)


def score_row(name: str, answers: Path, material: Material) -> tuple[ModelScores, Shares | None]:
    """Every figure of one row's predictions, and what its rule knew."""
    data, asked = material.dataset.folder, EvaluateConfig(expected_share_source=material.share_source)
    info, validation, test = load_info(data), load_split(data, "validation"), load_split(data, "test")
    answered = read_answered(answers, validation, test, info)
    return score_model(name, answered, info.out_of_scope_id, asked.bins), shares(
        asked, answered, validation, info
    )


def make_line(kept: Kept, line: Line) -> Made:
    """The row's folder, from before or made now. Raises ConfigError when its library is not installed."""
    digests = {str(i): item.digest for i, item in enumerate(line.inputs)}
    return kept.made(line.name, canonical(line.config), digests, line.make)


def _answers(kept: Kept, name: str, folder: Path, digest: str, material: Material) -> Path:
    inputs = {"model": digest, "dataset": material.dataset.digest}
    config = PredictConfig(expected_share=material.expected_share)
    made = kept.made(
        f"{name}-answers",
        canonical(config),
        inputs,
        lambda out: predict(config, folder, material.dataset.folder, out),
    )
    return made.folder


def empty_work(kept: Kept) -> Path:
    """An empty place for the checkpoints of a training."""
    shutil.rmtree(kept.root / "work", ignore_errors=True)
    (kept.root / "work").mkdir(parents=True)
    return kept.root / "work"


def silent(metrics: Mapping[str, float], step: int) -> None:
    """An observer that looks away."""
