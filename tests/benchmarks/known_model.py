"""HumanEval's harness checked on a model whose figure is known: Qwen2.5-Coder-0.5B-Instruct, 61.6% by its own report.

    python -m tests.benchmarks.known_model --data ../shared/data --kept FOLDER               all 164 problems, into docs/
    python -m tests.benchmarks.known_model --data ../shared/data --kept FOLDER --quick       two problems; printed

Problems are taken by the digest of their name. What the model wrote is added to FOLDER/answers-512.jsonl batch by batch, so a
run that was killed goes on where it was; the model's file is kept there too (0.5 GB; tests/benchmarks/known_model_files.py says
where it is from). The solutions in the answers (tests/benchmarks/known_model_code.py) are judged as `stillhouse humaneval
FOLDER/samples.jsonl --problems ...` judges them.
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import cpuinfo
import torch
from tqdm import tqdm

from infra.errors import StillhouseError
from tasks.evaluation.code_execution.config import ExecutionConfig
from tasks.evaluation.code_execution.evaluate import HumanEval, evaluate_samples
from tasks.evaluation.code_execution.problems import Problem, read_problems, read_samples
from tasks.processes.worker import Worker
from tasks.training.precision import computes_in_bf16
from tests.benchmarks.figures import ROOT, save_figures
from tests.benchmarks.known_model_code import solution_of
from tests.benchmarks.known_model_files import MODEL, SHA256, fetch
from tests.benchmarks.known_model_page import KnownModel, known_text
from tests.benchmarks.known_model_writer import write

ALL, QUICK = 164, 2
BATCH, MOST_TOKENS = 24, 512
SAMPLES = "samples.jsonl"


def chosen(problems: Mapping[str, Problem], count: int) -> list[Problem]:
    """The first so many, by the digest of their name."""
    order = sorted(problems, key=lambda name: hashlib.sha256(name.encode()).digest())
    return [problems[name] for name in order[:count]]


def write_answers(
    problems: Sequence[Problem], path: Path, ask: Callable[[list[str]], list[str]]
) -> dict[str, str]:
    """The answer to each problem, by its name. Those that `path` has are not asked for again; a batch is added to it whole.

    Batches are cut the same each time: what stands beside a text in one may change its last digits, and so a token.
    """
    batches = [problems[start : start + BATCH] for start in range(0, len(problems), BATCH)]
    there = _whole(path)
    for batch in tqdm(batches, desc="written", unit="batch"):
        if all(problem.task_id in there for problem in batch):
            continue
        written = ask([problem.prompt for problem in batch])
        made = {problem.task_id: answer for problem, answer in zip(batch, written, strict=True)}
        there |= made
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(_line(name, answer) for name, answer in made.items()))
    return {problem.task_id: there[problem.task_id] for problem in problems}


def _line(name: str, text: str) -> str:
    return json.dumps({"task_id": name, "completion": text}) + "\n"


def _whole(path: Path) -> dict[str, str]:
    """What the file has, by the problem; a last line that a kill cut is taken out of it."""
    if not path.is_file():
        return {}
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return {row["task_id"]: row["completion"] for row in map(json.loads, lines)}


def measure(data: Path, kept: Path, count: int, most_tokens: int) -> HumanEval:
    """Fetch the model, let it write, judge."""
    known = read_problems(data / "humaneval" / "humaneval.jsonl.gz")
    problems = chosen(known, count)
    fetch(kept)
    with Worker("the known model") as worker:
        ask = partial(worker.ask, write, (kept / MODEL).resolve())
        answers = write_answers(
            problems, kept / f"answers-{most_tokens}.jsonl", lambda prompts: ask(prompts, most_tokens)
        )
    path = kept / SAMPLES
    path.write_text(
        "".join(_line(name, solution_of(text)) for name, text in answers.items()), encoding="utf-8"
    )
    return evaluate_samples(
        read_samples(path, known), known, ExecutionConfig(jobs=len(os.sched_getaffinity(0)))
    )


def main(arguments: Sequence[str]) -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.known_model",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the shared real data")
    parser.add_argument("--kept", type=Path, required=True, help="folder of the model and of what it writes")
    parser.add_argument("--problems", type=int, default=ALL, help=f"how many, at most {ALL}")
    parser.add_argument("--most-tokens", type=int, default=MOST_TOKENS, help="of an answer")
    parser.add_argument("--quick", action="store_true", help="two problems, figures of no worth")
    asked = parser.parse_args(arguments)
    try:
        count = QUICK if asked.quick else asked.problems
        found = measure(asked.data, asked.kept, count, asked.most_tokens)
    except StillhouseError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    known = KnownModel(
        command=f"python -m tests.benchmarks.known_model {' '.join(arguments)}",
        cpu=cpuinfo.get_cpu_info()["brand_raw"],
        precision="bfloat16" if computes_in_bf16(torch.device("cpu")) else "float32",
        file=MODEL,
        sha256=SHA256,
        most_tokens=asked.most_tokens,
        found=found,
    )
    if not asked.quick:
        save_figures(ROOT, "known_model.json", known)
    print(known_text(known))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
