"""`stillhouse humaneval SAMPLES.jsonl --report F`: how often generated code passes HumanEval's tests."""

import json
import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table

from infra.cli import report_file
from infra.machine.terminal import Terminal, one_line
from tasks.evaluation.code_execution.config import ExecutionConfig

SECONDS = ExecutionConfig.model_fields["seconds"]


def humaneval(
    samples: Annotated[Path, Parameter(help="JSON lines of task_id and completion, several a problem")],
    /,
    *,
    report: Annotated[Path, Parameter(help="the JSON file that the figures go to")],
    problems: Annotated[
        Path | None,
        Parameter(help="JSON lines of problems, also .gz; default: the Hub's openai/openai_humaneval"),
    ] = None,
    seconds: Annotated[
        int,
        Parameter(
            validator=Number(gte=1, lte=600), help="CPU seconds of a sample; by the clock three times that"
        ),
    ] = SECONDS.default,
    jobs: Annotated[
        int | None,
        Parameter(validator=Number(gte=1, lte=256), help="samples that run at once; default: one a core"),
    ] = None,
) -> None:
    """Run generated programs against their problems' tests, each in a sandbox, and report pass@k."""
    from tasks.evaluation.code_execution.evaluate import evaluate_samples
    from tasks.evaluation.code_execution.problems import hub_problems, read_problems, read_samples

    report_file.claim(report)
    known = hub_problems() if problems is None else read_problems(problems)
    config = ExecutionConfig(seconds=seconds, jobs=jobs or len(os.sched_getaffinity(0)))
    found = evaluate_samples(read_samples(samples, known), known, config)
    report_file.write(report, json.dumps({"humaneval": found.model_dump(mode="json")}, indent=2) + "\n")
    low, high = found.pass_at_1_interval
    console = Terminal(soft_wrap=False)
    table = Table("outcome", "samples", box=None, header_style="bold")
    table.columns[1].justify = "right"
    for reason, count in found.reasons.items():
        table.add_row(reason, f"{count}")
    console.print(table)
    ten = "" if found.pass_at_10 is None else f"pass@10 {found.pass_at_10:.1%}  "
    console.print(
        one_line(
            (f"pass@1 {found.pass_at_1:.1%}", "bold"),
            f" (95%: {low:.1%} to {high:.1%})  {ten}",
            (f"{found.problems} problems, {found.samples} samples, Python {found.python}", "dim"),
        )
    )
