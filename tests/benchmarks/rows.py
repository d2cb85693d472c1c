"""Rows of a table of models: each made once from a release's own artifacts, and scored on the whole test split.

Each has the same out-of-scope rule, chosen on validation.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from infra.errors import ConfigError
from infra.store.artifacts import Store
from infra.store.fingerprint import canonical
from tasks.evaluate.config import PredictConfig
from tasks.evaluate.predict import predict
from tests.benchmarks.kept import Kept
from tests.benchmarks.release import Artifact, Material, same_inputs


@dataclass(frozen=True)
class Contender:
    """One row: its folder, and its accuracy on the whole test split."""

    name: str
    group: str
    what: str
    folder: Path
    accuracy: float


@dataclass(frozen=True)
class Line:
    """How a row is made: `make` fills a folder, from inputs whose digests are given, asked for by a config."""

    name: str
    group: str
    what: str
    config: BaseModel | None
    inputs: tuple[Artifact, ...]
    make: Callable[[Path], Mapping[str, float]]


@dataclass(frozen=True)
class Stands:
    """A row that the release's own run has made already."""

    name: str
    group: str
    what: str
    artifact: Artifact


def make_rows(
    store: Store, material: Material, kept: Kept, lines: Iterable[Line | Stands]
) -> tuple[list[Contender], list[str]]:
    """All rows, and a sentence for each that could not be made because its library is not installed."""
    found, left_out = [], []
    for line in lines:
        if isinstance(line, Stands):
            folder, digest = line.artifact.folder, line.artifact.digest
            record = same_inputs(store, "predict", model=line.artifact, dataset=material.dataset)
        else:
            digests = {str(i): item.digest for i, item in enumerate(line.inputs)}
            try:
                made = kept.made(line.name, canonical(line.config), digests, line.make)
            except ConfigError as error:
                left_out.append(f"{line.name}: {error}")
                continue
            folder, digest, record = made.folder, made.key, None
        accuracy = (
            record.metrics["test_accuracy"]
            if record
            else _accuracy(kept, line.name, folder, digest, material)
        )
        found.append(Contender(line.name, line.group, line.what, folder, accuracy))
    return found, left_out


def _accuracy(kept: Kept, name: str, folder: Path, digest: str, material: Material) -> float:
    inputs = {"model": digest, "dataset": material.dataset.digest}
    config = PredictConfig(expected_share=material.expected_share)
    made = kept.made(
        f"{name}-answers",
        canonical(config),
        inputs,
        lambda out: predict(config, folder, material.dataset.folder, out),
    )
    return made.metrics["test_accuracy"]


def empty_work(kept: Kept) -> Path:
    """An empty place for the checkpoints of a training."""
    shutil.rmtree(kept.root / "work", ignore_errors=True)
    (kept.root / "work").mkdir(parents=True)
    return kept.root / "work"


def silent(metrics: Mapping[str, float], step: int) -> None:
    """An observer that looks away."""
