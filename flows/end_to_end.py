"""From SQL, or your own table, to a released small classifier; a second run costs nothing.

python -m flows.end_to_end                                     an assistant's intents (CLINC150)
python -m flows.end_to_end --extract.table tickets.csv         your own rows
python -m flows.end_to_end --dry-run                           what would be computed, and why
"""

import sys

# What else lies in the working folder, such as a tasks.py, is not ours to import: nothing but `sys` came before.
if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path[0] = __file__.removesuffix("/flows/end_to_end.py")

from infra.machine.quick_exit import leave
from infra.cli.flow_command import FlowCommand
from infra.engine.run import open_run
from prefect import flow

from flows.config import RECIPES, EndToEndConfig
from flows.steps import judge_and_release, make_student, prepare
from tasks.report.task import read_summary
from tasks.results.values import ReleaseRecord

EXIT_CODES = {"pass": 0, "fail": 3, "needs_more_rows": 4}


@flow(
    name="end_to_end", description="From SQL, or your own table, to a released small classifier.", retries=0
)
def end_to_end(config: EndToEndConfig) -> ReleaseRecord:
    """Extract, curate, train a teacher, distil a student, compress, measure, judge, release."""
    with open_run("end_to_end", config) as run:
        prepared = prepare(run, config)
        student = make_student(prepared.config, prepared)
        return judge_and_release(prepared.config, prepared, student).record


COMMAND = FlowCommand(
    name="end_to_end",
    description="From SQL, or your own table, to a released small classifier; what has not changed is not redone.",
    config=EndToEndConfig,
    flow=end_to_end,
    summary=read_summary,
    exit_code=lambda summary: EXIT_CODES[summary.verdict],
    presets=RECIPES,
)

if __name__ == "__main__":
    leave(COMMAND.main())
