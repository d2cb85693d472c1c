"""A flow whose one stage runs in a process of its own, in this process or as `python -m tests.infra.engine.learning`."""

import sys

from pydantic import BaseModel

from infra.engine.run import StageOutcome, open_run
from tasks.formats.kinds import ReportRef
from tests.infra.engine.stages import LearnConfig, WordsConfig, learn_words, write_words

from prefect import flow  # isort: skip


class Learnt(BaseModel):
    outcomes: list[StageOutcome]
    ref: ReportRef
    mlflow_run_id: str | None


@flow(name="learning")
def learning(config: LearnConfig) -> Learnt:
    """Write words, and learn them."""
    with open_run("learning", config) as run:
        ref = learn_words(config, write_words(WordsConfig()))
        return Learnt(outcomes=run.outcomes, ref=ref, mlflow_run_id=run.mlflow_run_id)


if __name__ == "__main__":
    print(learning(LearnConfig.model_validate_json(sys.argv[1])).model_dump_json())
