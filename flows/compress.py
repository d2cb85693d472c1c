"""The smallest student inside a budget, or the most accurate of some: a search, and the release of its winner.

python -m flows.compress                                        20 students of the default recipe, the most accurate
python -m flows.compress --budget.latency-ms 1 --budget.size-mb 8 --budget.max-accuracy-drop 0.01
python -m flows.compress --preset clinc150                      CLINC150 `plus`, from ../shared/data
"""

import sys

# What else lies in the working folder, such as a tasks.py, is not ours to import: nothing but `sys` came before.
if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path[0] = __file__.removesuffix("/flows/compress.py")

from functools import partial

from infra.machine.quick_exit import leave
from infra.cli.flow_command import FlowCommand
from infra.engine.run import open_run
from prefect import flow

from flows.config import COMPRESS_RECIPES, CompressFlowConfig, choice_of, with_choice
from flows.end_to_end import EXIT_CODES
from flows.steps import judge_and_release, make_student, prepare
from infra.errors import BudgetError
from tasks.benchmark.task import time_model
from tasks.evaluate.task import validate
from tasks.report.task import read_summary
from tasks.results.values import ReleaseRecord
from tasks.search.size import BagShape
from tasks.search.task import open_search


# The rows of the reports that lead from the teacher to the release, each with its title in the picture.
WINNERS_WAY = {"teacher": "teacher", "student": "distilled", "onnx": "ONNX", "onnx_int8": "int8"}


@flow(name="compress", description="The smallest student inside a budget, released.", retries=0)
def compress(config: CompressFlowConfig) -> ReleaseRecord:
    """Prepare once, try students, release the one that validation chooses; the test split is opened for it alone."""
    with open_run("compress", config) as run:
        prepared = prepare(run, config)
        asked = prepared.config
        if run.options.dry_run:
            return judge_and_release(asked, prepared, make_student(asked, prepared)).record
        validated = partial(validate, asked.evaluate.predict, dataset=prepared.dataset)
        first, bag = choice_of(asked), BagShape(asked.bag.dimensions, asked.bag.pairs)
        fixed = (asked.tokenizer, asked.distill, asked.bag, asked.compress, config.timing)
        by_teacher = validated(prepared.teacher)
        with open_search(run, config.search, config.budget, prepared.teacher, by_teacher, prepared.dataset, first, bag,
                         fixed) as search:  # fmt: skip
            for trial in search.trials():
                with trial:
                    student = make_student(with_choice(asked, trial.choice), prepared)
                    timing = time_model(config.timing, student.package, prepared.dataset)
                    trial.measured(validated(student.package), timing)
            found = search.outcome(validated(prepared.tfidf))
            if found.winner is None:
                raise BudgetError("; ".join(found.said))
            chosen = with_choice(asked, found.winner.choice)
            judged = judge_and_release(chosen, prepared, make_student(chosen, prepared))
            search.attribute(judged.evaluation, judged.timings, WINNERS_WAY)
        return judged.record


COMMAND = FlowCommand(
    name="compress",
    description="Searches the smallest student inside a budget, or the most accurate, and releases it.",
    config=CompressFlowConfig,
    flow=compress,
    summary=read_summary,
    exit_code=lambda summary: EXIT_CODES[summary.verdict],
    presets=COMPRESS_RECIPES,
)

if __name__ == "__main__":
    leave(COMMAND.main())
