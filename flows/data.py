"""From SQL, or your own table, to a published data set with its card; a second run costs nothing.

python -m flows.data                                                 an assistant's intents (CLINC150)
python -m flows.data --extract.table tickets.csv                     your own rows
python -m flows.data --config flows/recipes/github_python.yaml       Python files, by the extraction of CodeParrot
"""

import sys

# What else lies in the working folder, such as a tasks.py, is not ours to import: nothing but `sys` came before.
if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path[0] = __file__.removesuffix("/flows/data.py")

from infra.machine.quick_exit import leave
from infra.cli.flow_command import FlowCommand
from infra.engine.run import open_run
from prefect import flow

from flows.config import RECIPES, DataFlowConfig
from tasks.dataset.task import curate, curate_code, publish_dataset
from tasks.extract.task import extract, pin_sources, plan_extract
from tasks.report.data_summary import DataRecord
from tasks.report.task import read_data_summary, report_data


@flow(name="data", description="From SQL, or your own table, to a published data set.", retries=0)
def data(config: DataFlowConfig) -> DataRecord:
    """Extract, curate, publish."""
    with open_run("data", config) as run:
        sources = pin_sources(config.extract)
        if run.options.dry_run:
            plan_extract(config.extract, sources)
        rows = extract(config.extract, sources)
        code = config.extract.kind == "code"
        dataset = curate_code(config.code, rows) if code else curate(config.dataset, rows)
        published = publish_dataset(config.publish, dataset, rows)
        return report_data(published, rows, dataset)


COMMAND = FlowCommand(
    name="data",
    description="From SQL, or your own table, to a published data set; what has not changed is not redone.",
    config=DataFlowConfig,
    flow=data,
    summary=read_data_summary,
    exit_code=lambda summary: 0,
    presets=RECIPES,
    exit_codes="0 published, 2 wrong input",
)

if __name__ == "__main__":
    leave(COMMAND.main())
