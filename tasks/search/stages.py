"""Search: a study that outlives the process, opened under its own lock, and what the records tell of its trials."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from pydantic import BaseModel

from infra.engine.run import FlowRun
from infra.errors import ArtifactError
from infra.files import write_atomically
from infra.store.fingerprint import canonical, stage_key
from infra.store.references import ArtifactRef
from tasks.compression.distillation.embedding_bag_config import EmbeddingBagConfig
from tasks.formats.kinds import CheckpointRef, DatasetRef
from tasks.search.config import BudgetConfig, SearchConfig
from tasks.search.size import widths_of
from tasks.search.trial_parameters import TrialParameters
from tasks.search.trials import WATCHED, Search

VERSION = 4  # of what a trial means: raise it, and a study begins anew


@contextmanager
def open_search(
    run: FlowRun,
    config: SearchConfig,
    budget: BudgetConfig,
    teacher: CheckpointRef,
    by_teacher: Mapping[str, float],
    dataset: DatasetRef,
    first: TrialParameters,
    bag: EmbeddingBagConfig,
    fixed: Sequence[BaseModel],
) -> Iterator[Search]:
    """The study of this space, budget, teacher and data set: a new one, or the one that was begun before.

    `by_teacher` are the teacher's metrics on validation. `first` is tried before anything is drawn. `fixed` is what else
    makes a trial what it is: with other settings of the stages it is another study. One process searches it at a time;
    another waits.
    """
    from tasks.search.study import Study

    key = stage_key(
        "search",
        VERSION,
        canonical([config, budget, first, *fixed]),
        {"teacher": teacher, "dataset": dataset},
    )
    accuracy, widths = by_teacher[WATCHED], widths_of(run.store.path(teacher), run.store.path(dataset), bag)
    reports = run.settings.reports / (run.flow_run_id or "local")
    with run.store.lock(key):
        study = Study(run.settings.home / "search" / key[:20], config, budget, accuracy, [first])
        yield Search(run, study, budget, accuracy, widths, reports, write_atomically)


def metrics_of(run: FlowRun, ref: ArtifactRef) -> Mapping[str, float]:
    """What was measured when an artifact was made. Raises ArtifactError for one without a record."""
    record = run.store.record_of(ref)
    if record is None:
        raise ArtifactError(
            f"{ref.uri} has no record: expected an artifact of this store. Run the flow again."
        )
    return record.metrics
