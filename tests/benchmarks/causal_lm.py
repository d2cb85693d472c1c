"""Tokens a second of `flows.pretrain` beside transformers' `Trainer` and a plain loop, and MB/s of its packing: one run.

    python -m tests.benchmarks.causal_lm --data ../shared/data            five rounds, into docs/ (8 minutes on 2 quiet cores)
    python -m tests.benchmarks.causal_lm --data ../shared/data --quick    a tiny model, one round of few steps; printed

A GPT-2 of the size small (5.3 million parameters, 8,192 tokens, windows of 256) learns from code in bfloat16 where the machine
computes in it. Each round every way has its turn, from the same weights. Ours is as `pretrain` sets it up, with Muon and with
AdamW alone; `Trainer` has its defaults; the plain loop is tests/benchmarks/nano_gpt.py. Packing is measured beside the
textbook's loop (tests/benchmarks/code_packing.py).
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cpuinfo
import pyarrow as pa
import torch
from transformers import AutoConfig, AutoModelForCausalLM, TrainingArguments

from infra.errors import StillhouseError
from tasks.data.packing.config import PackCorpusConfig
from tasks.data.packing.corpus import pack_corpus
from tasks.formats.corpus import CORPUS_SCHEMA, CorpusInfo, write_corpus
from tasks.models.gpt.config import SHAPES, GptConfig, Size
from tasks.models.gpt.fresh import fresh_gpt
from tasks.processes.worker import Worker
from tasks.tokenizers.code.config import CodeTokenizerConfig
from tasks.tokenizers.code.train import train_on_corpus
from tasks.training.causal_lm.config import PretrainConfig
from tasks.training.precision import computes_in_bf16
from tests.benchmarks.causal_lm_page import MUON, OURS, PLAIN, TRAINER, CausalLmSpeed, speed_text
from tests.benchmarks.causal_lm_ways import Given, ours, plain, trainer
from tests.benchmarks.code_packing import measure_packing, scratch_folder
from tests.benchmarks.code_tokenizer import read_rows
from tests.benchmarks.figures import ROOT, save_figures
from tests.benchmarks.side_by_side import Figures
from tests.benchmarks.step_times import Steps, in_turns

VALIDATED = 2  # files of the validation part: nothing is measured of them
QUIET_S = 600.0  # that a way's turn may take


class Asked(NamedTuple):
    """How much is measured, of how much text, by which size of model."""

    size: Size
    vocabulary: int
    text_bytes: int
    steps: Steps
    rounds: int


FULL = Asked(
    "small",
    SHAPES["small"].vocabulary,
    20_000_000,
    Steps(counted=20, warm=20, batch_size=PretrainConfig().batch_size),
    5,
)
QUICK = Asked("nano", 1_024, 400_000, Steps(counted=20, warm=20, batch_size=2), 1)


def write_texts(texts: Sequence[str], folder: Path) -> Path:
    """A corpus of these files; the last few are for validation."""
    split = {"train": texts[:-VALIDATED], "validation": texts[-VALIDATED:]}
    sizes = {name: sum(len(text.encode()) for text in some) for name, some in split.items()}
    rows = {name: len(some) for name, some in split.items()}
    info = CorpusInfo(rows=rows, bytes=sizes, repositories=dict.fromkeys(rows, 1), licenses={})

    def files(name: str, start: int, end: int) -> pa.Table:
        some = split[name][start:end]
        columns = {"text": some, "repo_name": ["code"] * len(some), "path": ["code.py"] * len(some)}
        columns |= {"license": ["mit"] * len(some), "quality": ["medium"] * len(some)}
        return pa.table(columns, CORPUS_SCHEMA)

    write_corpus(files, info, folder, rows_per_shard=1_000)
    return folder


def first_bytes(texts: Sequence[str], most: int) -> list[str]:
    """The first texts, of `most` bytes at least where there are as many."""
    found: list[str] = []
    size = 0
    for text in texts:
        if size >= most:
            break
        found.append(text)
        size += len(text.encode())
    return found


def prepare(asked: Asked, texts: Sequence[str], folder: Path) -> tuple[Given, Path, Path]:
    """Corpus, tokenizer, packed tokens and fresh weights: what is trained, the corpus and the tokenizer."""
    corpus, tokenizer = write_texts(texts, folder / "corpus"), folder / "tokenizer"
    tokenizer.mkdir()
    train_on_corpus(CodeTokenizerConfig(vocabulary_size=asked.vocabulary), corpus, tokenizer)
    given = Given(folder / "checkpoint", folder / "tokens")
    pack_corpus(PackCorpusConfig(), tokenizer, corpus, given.tokens)
    fresh_gpt(GptConfig(size=asked.size), tokenizer, given.checkpoint)
    return given, corpus, tokenizer


def measure_training(given: Given, steps: Steps, rounds: int, folder: Path) -> dict[str, Figures]:
    """Seconds of a step of each way, all in turns, each in a process that it has had since the first round."""
    with ExitStack() as stack:
        started = {
            name: stack.enter_context(Worker(name, longest_wait_s=QUIET_S))
            for name in (MUON, OURS, TRAINER, PLAIN)
        }
        ways = {
            MUON: partial(started[MUON].ask, ours, given, "muon", steps),
            OURS: partial(started[OURS].ask, ours, given, "adamw", steps),
            TRAINER: partial(started[TRAINER].ask, trainer, given, steps),
            PLAIN: partial(started[PLAIN].ask, plain, given, steps),
        }
        return in_turns(ways, folder / "training", rounds)


def measure(asked: Asked, texts: Sequence[str], command: str, scratch: Path) -> CausalLmSpeed:
    """Packing, then training."""
    given, corpus, tokenizer = prepare(asked, texts, scratch)
    config = AutoConfig.from_pretrained(given.checkpoint, trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(given.checkpoint, trust_remote_code=False)
    packing = measure_packing(corpus, tokenizer, config.n_positions, asked.rounds, scratch)
    return CausalLmSpeed(
        command=command,
        cpu=cpuinfo.get_cpu_info()["brand_raw"],
        threads=torch.get_num_threads(),
        precision="bfloat16" if computes_in_bf16(torch.device("cpu")) else "float32",
        parameters=model.num_parameters(),
        vocabulary=config.vocab_size,
        context=config.n_positions,
        batch_size=asked.steps.batch_size,
        warm=asked.steps.warm,
        counted=asked.steps.counted,
        attention=model.config._attn_implementation,
        optimizer=str(TrainingArguments(use_cpu=True).optim.value),
        seconds=measure_training(given, asked.steps, asked.rounds, scratch),
        packing=packing,
    )


def main(arguments: Sequence[str]) -> int:
    """Read the code, measure, write the page."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.causal_lm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the shared real data")
    parser.add_argument(
        "--quick", action="store_true", help="a tiny model and few steps, figures of no worth"
    )
    given = parser.parse_args(arguments)
    asked = QUICK if given.quick else FULL
    command = f"python -m tests.benchmarks.causal_lm {' '.join(arguments)}"
    with scratch_folder() as scratch:
        try:
            texts = first_bytes(read_rows(given.data)["train"], asked.text_bytes)
        except StillhouseError as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return 2
        found = measure(asked, texts, command, Path(scratch))
    if not given.quick:
        save_figures(ROOT, "causal_lm.json", found)
    print(speed_text(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
