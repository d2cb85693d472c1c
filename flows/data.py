"""From SQL, or your own table, to a published data set with its card; a second run costs nothing.

python -m flows.data                                                 an assistant's intents (CLINC150)
python -m flows.data --extract.table tickets.csv                     your own rows
python -m flows.data --preset github_python                        Python files, by the extraction of CodeParrot
"""

import sys

if __name__ == "__main__":
    # What else lies in the working folder, such as a tasks.py, is not ours to import: nothing but `sys` came before.
    if not sys.flags.safe_path:
        sys.path[0] = __file__.removesuffix("/flows/data.py")

    from infra.machine.quick_exit import leave  # isort: skip
    from flows.configs.data import COMMAND

    leave(COMMAND.main())

from infra.cli.flow_run import RunnableFlow
from infra.engine.run import open_run
from infra.engine.naming import prefect_name
from prefect import flow

from flows.configs.data import DataFlowConfig
from tasks.data.curation.stages import curate, curate_code
from tasks.data.publishing.stages import publish_dataset
from tasks.data.extraction.stages import extract, pin_sources, plan_extract
from tasks.reporting.data_summary import DataRecord, DataSummary, read_data_summary
from tasks.reporting.stages import report_data


@flow(
    name="data",
    description="From SQL, or your own table, to a published data set.",
    flow_run_name=prefect_name,
    retries=0,
)
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


RUNNABLE: RunnableFlow[DataFlowConfig, DataRecord, DataSummary] = RunnableFlow(
    flow=data, summary=read_data_summary, exit_code=lambda summary: 0
)
