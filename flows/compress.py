"""The smallest student inside a budget, or the most accurate of some: a search, and the release of its winner.

python -m flows.compress                                        20 students of the default recipe, the most accurate
python -m flows.compress --budget.latency-ms 1 --budget.size-mb 8 --budget.max-accuracy-drop 0.01
python -m flows.compress --preset clinc150                      CLINC150 `plus`, from ../shared/data
"""

import sys

if __name__ == "__main__":
    # What else lies in the working folder, such as a tasks.py, is not ours to import: nothing but `sys` came before.
    if not sys.flags.safe_path:
        sys.path[0] = __file__.removesuffix("/flows/compress.py")

    from infra.machine.quick_exit import leave  # isort: skip
    from flows.configs.compress import COMMAND

    leave(COMMAND.main())

from functools import partial

from infra.cli.flow_run import RunnableFlow
from infra.engine.run import open_run
from infra.engine.naming import prefect_name
from prefect import State, flow

from flows.configs.compress import CompressFlowConfig, trial_parameters_of, with_trial_parameters
from flows.end_to_end import EXIT_CODES
from flows.steps import judge_and_release, make_student, prepare, released
from infra.errors import BudgetError
from tasks.evaluation.latency.stages import time_model
from tasks.evaluation.stages import validate
from tasks.reporting.summary import RunSummary, read_summary
from tasks.formats.release_record import ReleaseRecord
from tasks.search.stages import metrics_of, open_search


# The rows of the reports that lead from the teacher to the release, each with its title in the picture.
WINNERS_WAY = {"teacher": "teacher", "student": "distilled", "onnx": "ONNX", "onnx_int8": "int8"}


@flow(
    name="compress",
    description="The smallest student inside a budget, released.",
    flow_run_name=prefect_name,
    retries=0,
)
def compress(config: CompressFlowConfig) -> ReleaseRecord | State:
    """Prepare once, try students, release the one that validation chooses; the test split is opened for it alone."""
    with open_run("compress", config) as run:
        prepared = prepare(run, config)
        asked = prepared.config
        if run.options.dry_run:
            return released(run, judge_and_release(asked, prepared, make_student(asked, prepared)))
        validated = partial(validate, asked.evaluate.predict, dataset=prepared.dataset)
        first = trial_parameters_of(asked)
        fixed = (asked.tokenizer, asked.distill, asked.bag, asked.compress, config.timing)
        told = partial(metrics_of, run)
        by_teacher = validated(prepared.teacher)
        with open_search(run, config.search, config.budget, prepared.teacher, told(by_teacher), prepared.dataset, first,
                         asked.bag, fixed) as search:  # fmt: skip
            for proposal in search.proposals():
                with search.trial(proposal) as trial:
                    student = make_student(with_trial_parameters(asked, trial.choice), prepared)
                    timing = time_model(config.timing, student.package, prepared.dataset)
                    trial.measured(told(validated(student.package)), told(timing))
            found = search.outcome(told(validated(prepared.tfidf)))
            if found.winner is None:
                raise BudgetError("; ".join(found.said))
            chosen = with_trial_parameters(asked, found.winner.choice)
            made = make_student(chosen, prepared)
            search.compare(run.store.path(by_teacher), run.store.path(validated(made.package)))
            judged = judge_and_release(chosen, prepared, made)
            search.attribute(run.store.path(judged.evaluation), run.store.path(judged.timings), WINNERS_WAY)
        return released(run, judged)


RUNNABLE: RunnableFlow[CompressFlowConfig, ReleaseRecord, RunSummary] = RunnableFlow(
    flow=compress, summary=read_summary, exit_code=lambda summary: EXIT_CODES[summary.verdict]
)
