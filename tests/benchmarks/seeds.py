"""The headline of several seeds: the demo's flow once a seed, into docs/figures/headline.json and README.

    python -m tests.benchmarks.seeds                     seeds 0, 1 and 2; seed 0 is `make demo`'s own run
    python -m tests.benchmarks.seeds --seeds 0 --docs /tmp/x -- --preset smoke    to see that it works

Teacher, student, made texts and TF-IDF have the seed; the data set's split is given. A run takes what the demo takes, so
three take over half an hour on two cores; what a home has is not computed again.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra.errors import ServiceError, StillhouseError
from infra.settings import get_settings
from infra.store.artifacts import Store
from tasks.formats.benchmark_report import BenchmarkReport
from tasks.formats.evaluation_report import EvaluationReport
from tasks.formats.report_file import read_report
from tasks.formats.value import Found
from tasks.reporting.summary import RunSummary
from tests.benchmarks.figures import ROOT, save_figures
from tests.benchmarks.headline import Headline, SeedRun

SEEDED = ("train.seed", "distill.seed", "distill.augment.seed", "baseline.seed")
SEEDS = [0, 1, 2]
ENDS = (0, 3, 4)  # passed, failed, needs more rows: results, all three


def arguments_of(seed: int, more: Sequence[str]) -> list[str]:
    """What the flow is asked for; a release of another seed has another name, for it is no champion of the demo's."""
    if seed == 0:
        return list(more)
    seeds = [word for field in SEEDED for word in (f"--{field}", str(seed))]
    return [*more, *seeds, "--release.name", f"local/clinc150-classifier-seed{seed}"]


def run_seed(seed: int, more: Sequence[str]) -> RunSummary:
    """Run the flow. Raises ServiceError when it ends otherwise than by a verdict."""
    with tempfile.TemporaryDirectory(prefix="seed-") as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable,
            "-m",
            "flows.end_to_end",
            *arguments_of(seed, more),
            "--report",
            str(report),
        ]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        if code not in ENDS:
            raise ServiceError(
                f"seed {seed} ended with exit code {code}: expected a verdict. Its words are above."
            )
        return RunSummary.model_validate_json(report.read_bytes())


def command_of(seeds: Sequence[int], more: Sequence[str]) -> str:
    """What was typed, for whoever types it again."""
    words = [] if list(seeds) == SEEDS else ["--seeds", *map(str, seeds)]
    return " ".join(["python -m tests.benchmarks.seeds", *words, *(["--", *more] if more else [])])


def headline_of(store: Store, runs: Sequence[tuple[int, RunSummary]], command: str) -> Headline:
    """The runs, with every figure of their models from their evaluations."""
    told, evaluations = [], [_made(store, run, "evaluate", EvaluationReport) for _, run in runs]
    for (seed, run), evaluation in zip(runs, evaluations, strict=True):
        assert run.gate is not None
        told.append(
            SeedRun(
                seed=seed,
                rows=run.rows,
                scores=evaluation.models,
                difference=run.gate.accuracy_difference,
                interval=run.gate.interval,
                margin=run.gate.margin,
                verdict=run.verdict,
                seconds=run.seconds,
            )
        )
    machine = _made(store, runs[-1][1], "benchmark", BenchmarkReport)
    return Headline(
        command=command,
        cpu=machine.cpu,
        cpu_flags=machine.cpu_flags,
        cores=machine.cores,
        test_rows=evaluations[0].test_rows,
        shares=evaluations[0].shares,
        runs=tuple(told),
    )


def _made(store: Store, run: RunSummary, stage: str, kind: type[Found]) -> Found:
    (key,) = (one.key for one in run.stages if one.name == stage)
    return read_report(store.folder(stage, key), kind)


def main(arguments: Sequence[str]) -> int:
    """Run, keep the figures, write README."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.seeds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--docs", type=Path, help="another folder for the JSON; README stays as it is then")
    parser.add_argument("more", nargs="*", help="what else the flow is given, after --")
    asked = parser.parse_args(arguments)
    try:
        runs = [(seed, run_seed(seed, asked.more)) for seed in asked.seeds]
        headline = headline_of(Store(get_settings()), runs, command_of(asked.seeds, asked.more))
        if asked.docs is None:
            save_figures(ROOT, "headline.json", headline)
        else:
            asked.docs.mkdir(parents=True, exist_ok=True)
            (asked.docs / "headline.json").write_text(
                headline.model_dump_json(indent=1) + "\n", encoding="utf-8"
            )
    except StillhouseError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
