"""From SQL, or your own table, to a released small classifier; a second run costs nothing.

python -m flows.end_to_end                                     an assistant's intents (CLINC150)
python -m flows.end_to_end --extract.table tickets.csv         your own rows
python -m flows.end_to_end --dry-run                           what would be computed, and why
"""

import sys

if __name__ == "__main__":
    # What else lies in the working folder, such as a tasks.py, is not ours to import: nothing but `sys` came before.
    if not sys.flags.safe_path:
        sys.path[0] = __file__.removesuffix("/flows/end_to_end.py")

    from infra.machine.quick_exit import leave  # isort: skip
    from flows.configs.end_to_end import COMMAND

    leave(COMMAND.main())

from infra.cli.flow_run import RunnableFlow
from infra.engine.run import open_run
from infra.engine.naming import prefect_name
from prefect import State, flow

from flows.configs.end_to_end import EndToEndConfig
from flows.steps import judge_and_release, make_student, prepare, released
from tasks.reporting.summary import RunSummary, read_summary
from tasks.formats.release_record import ReleaseRecord

EXIT_CODES = {"pass": 0, "fail": 3, "needs_more_rows": 4}


@flow(
    name="end_to_end",
    description="From SQL, or your own table, to a released small classifier.",
    flow_run_name=prefect_name,
    retries=0,
)
def end_to_end(config: EndToEndConfig) -> ReleaseRecord | State:
    """Extract, curate, train a teacher, distil a student, compress, measure, judge, release."""
    with open_run("end_to_end", config) as run:
        prepared = prepare(run, config)
        student = make_student(prepared.config, prepared)
        return released(run, judge_and_release(prepared.config, prepared, student))


RUNNABLE: RunnableFlow[EndToEndConfig, ReleaseRecord, RunSummary] = RunnableFlow(
    flow=end_to_end, summary=read_summary, exit_code=lambda summary: EXIT_CODES[summary.verdict]
)
