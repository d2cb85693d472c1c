"""Blocks a second of `flows.adapt`'s training beside transformers' `Trainer`: the same model, blocks, batch and precision.

    python -m tests.benchmarks.masked_lm --data ../shared/data            five rounds, into docs/
    python -m tests.benchmarks.masked_lm --data ../shared/data --quick    one round of few steps, to see that it works; printed

all-MiniLM-L6-v2 is given a head and trained on packed reviews of IMDb, at the share of masks that is our default and at the
course's. Each round every way has its turn, from the same weights. `Trainer` is as the Hugging Face course has it (chapter 7,
section 3), with `DataCollatorForLanguageModeling`, and with its defaults: AdamW in one kernel as ours, logits at every
position. Its logging and saving are off.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cpuinfo
import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling

from infra.errors import StillhouseError
from tasks.data.packing.config import PackConfig
from tasks.data.packing.pack import pack_texts
from tasks.data.packing.tokens import open_tokenizer
from tasks.formats.packed_tokens import PackedTokens, open_packed
from tasks.models.dropout import with_dropout
from tasks.models.loading import load_tokenizer, quiet_transformers
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.models.pretrained.resolve import packaged_model
from tasks.training.loop.loop import Evaluated, fit
from tasks.training.loop.sampler import Shuffled
from tasks.training.masked_lm.adapt import set_up
from tasks.training.masked_lm.blocks import Blocks, token_counts
from tasks.training.masked_lm.config import AdaptConfig, TrainingMaskingConfig
from tasks.training.masked_lm.masking import Vocabulary
from tasks.training.masked_lm.objective import MaskedLmObjective
from tasks.training.precision import computes_in_bf16
from tests.benchmarks.figures import ROOT, save_figures
from tests.benchmarks.masked_lm_page import MaskedLmSpeed, MaskedRate, speed_text
from tests.benchmarks.packing import read_reviews
from tests.benchmarks.step_times import Steps, Told, in_turns, trainer_seconds

LENGTH, BATCH_SIZE, REVIEWS = 128, AdaptConfig().batch_size, 5_000
RATES = (0.15, 0.3)  # the course's, and our default
FULL, FULL_ROUNDS = Steps(counted=40, warm=20, batch_size=BATCH_SIZE), 5
QUICK, QUICK_ROUNDS = Steps(counted=20, warm=20, batch_size=2), 1
NAMES = ("ours", "trainer")


class Given(NamedTuple):
    """What both train: a model with a head in the folder `checkpoint`, on packed text in blocks of `length`."""

    checkpoint: Path
    packed: PackedTokens
    length: int

    @property
    def blocks(self) -> Blocks:
        return self.packed.blocks(self.length)

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary.of_packed(self.packed.info.vocabulary)


class PlainBlocks(Dataset[dict[str, np.ndarray]]):
    """Blocks as a tokenizer gives them."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        return {"input_ids": self.blocks[np.array([number])][0][0]}


def prepare(encoder: Path, texts: Sequence[str], length: int, folder: Path) -> Given:
    """Pack the texts by the encoder's tokenizer, and give it a head."""
    pack_texts(PackConfig(length=length), open_tokenizer(encoder), texts, folder / "tokens")
    given = Given(folder / "checkpoint", open_packed(folder / "tokens"), length)
    model = MaskedLanguageModel.load(encoder, token_counts(given.blocks, given.vocabulary))
    model.save(given.checkpoint, load_tokenizer(encoder))
    return given


def ours(given: Given, rate: float, steps: Steps, folder: Path) -> float:
    """Seconds of a step of `adapt`, at its defaults but for the share of masks and how long."""
    config = AdaptConfig(
        masking=TrainingMaskingConfig(rate=rate),
        epochs=None,
        steps=steps.total,
        batch_size=steps.batch_size,
        evaluate_every=10**6,
        checkpoint_every=10**6,
    )
    model = set_up(MaskedLanguageModel.load(given.checkpoint), config.dropout)
    objective = MaskedLmObjective(given.blocks, config.masking, given.vocabulary, config.optimizer)
    sampler = Shuffled(len(given.blocks), config.batch_size, config.seed)
    told = Told()
    fit(model, objective, sampler, config, lambda trained: Evaluated(0.0, {}), folder, told)
    return steps.mean_of(told.at)


def theirs(given: Given, rate: float, steps: Steps, folder: Path) -> float:
    """The same of `Trainer`."""
    with quiet_transformers():
        model = AutoModelForMaskedLM.from_pretrained(given.checkpoint, trust_remote_code=False)
    collator = DataCollatorForLanguageModeling(load_tokenizer(given.checkpoint), mlm_probability=rate)
    rows = PlainBlocks(given.blocks)
    return trainer_seconds(with_dropout(model, AdaptConfig().dropout), collator, rows, steps, folder)


def measure(
    given: Given, rates: Sequence[float], steps: Steps, rounds: int, folder: Path
) -> tuple[MaskedRate, ...]:
    """Both at each share of masked tokens, all in turns."""
    ways: Mapping[str, Callable[[Path], float]] = {
        f"{name}-{rate}": partial(way, given, rate, steps)
        for rate in rates
        for name, way in zip(NAMES, (ours, theirs), strict=True)
    }
    found = in_turns(ways, folder / "rounds", rounds)
    return tuple(MaskedRate(rate=rate, **{name: found[f"{name}-{rate}"] for name in NAMES}) for rate in rates)


def main(arguments: Sequence[str]) -> int:
    """Pack the reviews, measure, write the page."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.masked_lm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the shared real data")
    parser.add_argument("--quick", action="store_true", help="few steps, figures of no worth")
    asked = parser.parse_args(arguments)
    steps, rounds = (QUICK, QUICK_ROUNDS) if asked.quick else (FULL, FULL_ROUNDS)
    with tempfile.TemporaryDirectory(prefix="masked-lm-benchmark-") as scratch:
        try:
            texts = read_reviews(asked.data, REVIEWS)
        except StillhouseError as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return 2
        given = prepare(packaged_model(), texts, LENGTH, Path(scratch))
        rates = measure(given, RATES, steps, rounds, Path(scratch))
    found = MaskedLmSpeed(
        command=f"python -m tests.benchmarks.masked_lm {' '.join(arguments)}",
        cpu=cpuinfo.get_cpu_info()["brand_raw"],
        threads=torch.get_num_threads(),
        precision="bfloat16" if computes_in_bf16(torch.device("cpu")) else "float32",
        length=LENGTH,
        batch_size=steps.batch_size,
        warm=steps.warm,
        counted=steps.counted,
        rates=rates,
    )
    if not asked.quick:
        save_figures(ROOT, "masked_lm.json", found)
    print(speed_text(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
