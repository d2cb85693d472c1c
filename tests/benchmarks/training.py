"""Rows a second of the training loop beside transformers' `Trainer`, and what its checkpoints and a million rows cost.

    python -m tests.benchmarks.training speed          teacher and student, in turns with Trainer: the same model, rows, loss,
                                                       batch and precision
    python -m tests.benchmarks.training checkpoints    models of 23 and 110 million parameters, with and without
    python -m tests.benchmarks.training memory         the most that a process holds: 10,000 rows, and 1,000,000

The words are made, as long as CLINC150's queries (8.3 on average, up to 28): speed depends on neither what they say nor what
the weights are.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertConfig

from tasks.compression.distillation.config import LossConfig
from tasks.compression.distillation.objective import DistillationObjective
from tasks.compression.distillation.outputs import TeacherOutputs
from tasks.formats.token_shards import TokenShards, scratch_shards
from tasks.models.model import SentenceClassifier
from tasks.training.config import LoopConfig
from tasks.training.loop.loop import Evaluated
from tasks.training.loop.seen import most_memory
from tasks.training.text_objective import LabelledRows, TextObjective, TextRows, fit_texts
from tests.benchmarks.step_times import Steps, Told, in_turns
from tests.benchmarks.tables import ratios, spread, table
from tests.benchmarks.trainer_peer import Taught, step_seconds

LABELS, VOCABULARY, HIDDEN = 151, 30_522, 384
ROWS, COUNTED, WARM, ROUNDS = 15_000, 60, 20, 5
EVERY = 100  # steps between checkpoints: the default of LoopConfig
APART, WRITTEN = 40, 20  # steps between those that are measured; in how many of them one is on the disk
TEACHER = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
}
STUDENT = {"hidden_size": HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 12, "intermediate_size": 768}
BERT_BASE = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
}
LOSS = LossConfig()


def model_of(shape: Mapping[str, int]) -> SentenceClassifier:
    """Random weights; the student trains without dropout, as the stage has it."""
    torch.manual_seed(0)
    dropout = 0.0 if shape is STUDENT else 0.1
    config = BertConfig(
        vocab_size=VOCABULARY, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout, **shape
    )
    model = SentenceClassifier.from_config(config, LABELS)
    if shape is STUDENT:
        model.body.set_attn_implementation("eager")
        model.body.get_submodule("embeddings").requires_grad_(False)
    return model


def batches_of_ids(rows: int, at_once: int = 10_000) -> Iterable[list[list[int]]]:
    """Token ids of made queries, a batch at a time."""
    random = np.random.default_rng(0)
    for start in range(0, rows, at_once):
        lengths = np.clip(random.poisson(10, size=min(at_once, rows - start)), 4, 30)
        yield [random.integers(1000, VOCABULARY, size=length).tolist() for length in lengths]


def outputs_of(rows: int) -> TeacherOutputs:
    """A teacher's answers."""
    random = np.random.default_rng(1)
    logits = random.normal(size=(rows, LABELS)).astype(np.float32)
    vectors = random.normal(size=(rows, HIDDEN)).astype(np.float32)
    return TeacherOutputs(["text"] * rows, random.integers(LABELS, size=rows), vectors, logits)


def objective_of(shape: Mapping[str, int], texts: TextRows) -> TextObjective[Any]:
    """What a model of that shape learns."""
    rows = len(texts.ids)
    if shape is STUDENT:
        return DistillationObjective(texts, outputs_of(rows), LOSS)
    return LabelledRows(texts, np.random.default_rng(1).integers(LABELS, size=rows))


def ours(shape: Mapping[str, int], ids: TokenShards, steps: Steps, folder: Path, fused: bool) -> float:
    """Seconds of a step of the loop."""
    told, model = Told(), model_of(shape)
    config = LoopConfig(
        steps=steps.total,
        batch_size=steps.batch_size,
        evaluate_every=10**6,
        checkpoint_every=10**6,
        fused=fused,
    )
    objective = objective_of(shape, TextRows(ids, 0))
    fit_texts(model, objective, config, lambda trained: Evaluated(0.0, {}), folder, told)
    return steps.mean_of(told.at)


def theirs(shape: Mapping[str, int], ids: TokenShards, steps: Steps, folder: Path, grouped: bool) -> float:
    """The same of `Trainer`."""
    model = Taught(model_of(shape), LOSS if shape is STUDENT else None)
    return step_seconds(model, ids, outputs_of(len(ids)), steps, folder, grouped)


def speed() -> str:
    """A row a model: rows a second of each, round by round."""
    cells = []
    with tempfile.TemporaryDirectory(prefix="stillhouse-bench-") as scratch:
        ids = scratch_shards(batches_of_ids(ROWS), Path(scratch))
        for name, shape, batch_size in (("teacher", TEACHER, 32), ("student", STUDENT, 64)):
            steps = Steps(COUNTED, WARM, batch_size)
            ways: dict[str, Callable[[Path], float]] = {
                "ours": lambda folder, of=shape, at=steps: ours(of, ids, at, folder, False),
                "fused": lambda folder, of=shape, at=steps: ours(of, ids, at, folder, True),
                "Trainer": lambda folder, of=shape, at=steps: theirs(of, ids, at, folder, False),
                "by length": lambda folder, of=shape, at=steps: theirs(of, ids, at, folder, True),
            }
            seconds = in_turns(ways, Path(scratch) / name, ROUNDS)
            rates = {way: tuple(batch_size / one for one in found) for way, found in seconds.items()}
            # Trainer's AdamW is fused where ours is asked to be.
            gains = (spread(ratios(seconds[way], seconds["fused"]), 2) for way in ("Trainer", "by length"))
            cells.append([name, *(spread(rate, 0) for rate in rates.values()), *gains])
    head = ["rows/s", "ours", "ours, fused", "Trainer", "Trainer, grouped by length", "fused over Trainer",
            "fused over Trainer, grouped"]  # fmt: skip
    return table(head, cells)


class Timed(LabelledRows):
    """Rows of one length, and when each step over them began."""

    def __init__(self) -> None:
        rows = TokenShards.of([[1000 + row % 20_000] * 12 for row in range(ROWS)])
        super().__init__(TextRows(rows, 0), np.zeros(ROWS, dtype=np.int64))
        self.at: list[float] = []

    def before_step(self, step: int) -> None:
        """Look at the clock."""
        self.at.append(time.perf_counter())


def checkpoints() -> str:
    """A row a model: what the steps in which one is copied and written take beyond the others."""
    cells = []
    for shape in (TEACHER, BERT_BASE):
        model, objective = model_of(shape), Timed()
        config = LoopConfig(
            steps=4 * APART + WRITTEN, evaluate_every=10**6, checkpoint_every=APART, checkpoint_share=1
        )
        with tempfile.TemporaryDirectory(prefix="stillhouse-bench-") as folder:
            fit_texts(model, objective, config, lambda trained: Evaluated(0.0, {}), Path(folder), Told())
        taken = np.diff(objective.at)
        usual = float(np.median(taken))
        added = tuple(
            float(taken[first - 1 : first - 1 + WRITTEN].sum() - WRITTEN * usual)
            for first in range(APART, 5 * APART, APART)
        )
        size = sum(value.numel() for value in model.parameters()) / 1e6
        shares = tuple(100 * one / (EVERY * usual) for one in added)
        cells.append([f"{size:.0f}", f"{usual:.3f}", spread(added, 2), spread(shares, 1)])
    return table(
        ["million parameters", "seconds a step", "seconds a checkpoint", f"% of {EVERY} steps"], cells
    )


def memory() -> str:
    """A row a size: MiB before there are rows, and after twenty steps."""
    cells = []
    for rows in (10_000, 100_000, 1_000_000):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
            before, after = fresh.submit(held, rows).result()
        cells.append([f"{rows:,}", f"{before:,.0f}", f"{after:,.0f}", f"{after - before:,.0f}"])
    return table(["rows", "MiB before", "MiB at most", "MiB added"], cells)


def held(rows: int) -> tuple[float, float]:
    """The most that this process held before there were rows, and after twenty steps over them."""
    model, device = model_of(TEACHER), torch.device("cpu")
    config = LoopConfig(steps=WARM, evaluate_every=10**6, checkpoint_every=10**6)
    with tempfile.TemporaryDirectory(prefix="stillhouse-bench-") as scratch:
        before = most_memory(device)
        texts = TextRows(scratch_shards(batches_of_ids(rows), Path(scratch)), 0)
        objective = LabelledRows(texts, np.zeros(rows, dtype=np.int64))
        evaluate = lambda trained: Evaluated(0.0, {})  # noqa: E731
        fit_texts(model, objective, config, evaluate, Path(scratch), Told())
    return before, most_memory(device)


def main(arguments: list[str]) -> int:
    """Measure, and print the table."""
    measures = {"speed": speed, "checkpoints": checkpoints, "memory": memory}
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=measures)
    print(measures[parser.parse_args(arguments).what]())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
