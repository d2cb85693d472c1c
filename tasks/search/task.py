"""Search: students are tried as trials of a study that outlives the process, each an MLflow child of its own.

What a trial makes are ordinary cached stages, called by the flow: after a kill the same trial is asked for again, and
repeats its last stage only.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from pydantic import BaseModel

from infra.engine.run import FlowRun
from infra.errors import ArtifactError, StageStopped
from infra.files import write_atomically
from infra.store.fingerprint import canonical, stage_key
from infra.store.references import ArtifactRef, CheckpointRef, DatasetRef, ReportRef
from tasks.results.values import BenchmarkReport, EvaluationReport, read_report
from tasks.search.config import BudgetConfig, SearchConfig
from tasks.search.outcome import Outcome, conclude, describe
from tasks.search.size import BagShape, Widths, estimated_mb
from tasks.search.values import Choice, Measured

if TYPE_CHECKING:
    from tasks.search.study import Proposal, Study

VERSION = 4  # of what a trial means: raise it, and a study begins anew
WATCHED = "validation_accuracy"
ROOM = 1.05  # the estimate of a size is within 5%


class Trial:
    """One student under way, as a context: what it did not survive is asked for again, what is hopeless is noted."""

    def __init__(self, run: FlowRun, study: "Study", proposal: "Proposal") -> None:
        self.choice: Choice = proposal.choice
        self._run, self._study, self.proposal = run, study, proposal
        self._parent, self._epoch = run.mlflow_run_id, 0
        self._child: str | None = None
        self._measured: Measured | None = None

    def measured(self, validation: ReportRef, timing: ReportRef) -> None:
        """Take accuracy, size and latency from the records of what was measured."""
        accuracy, told = _metrics(self._run, validation)[WATCHED], _metrics(self._run, timing)
        self._measured = Measured(accuracy=accuracy, size_mb=told["size_mb"], latency_ms=told["p50_ms"])

    def __enter__(self) -> "Trial":
        run, number = self._run, self.proposal.number
        self._child = run.tracker.start(f"trial {number}", self._parent, canonical(self.choice))
        run.say(f"  trial {number} {self.choice.model_dump_json()}")
        run.mlflow_run_id, run.watcher = self._child, self._watch
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> bool:
        run = self._run
        run.mlflow_run_id, run.watcher = self._parent, None
        if isinstance(error, StageStopped):
            self._study.stop(self.proposal)
            run.tracker.end(self._child, "KILLED")
            run.say(f"  {error}")
            return True
        if error is None and self._measured is not None:
            self._study.finish(self.proposal, self._measured)
            run.tracker.log(
                self._child, [(name, value, 0) for name, value in self._measured.model_dump().items()]
            )
            run.say(f"  {describe(self._study.rows()[-1], self._measured)}")
        run.tracker.end(self._child, "FINISHED" if error is None else "FAILED")
        return False

    def _watch(self, metrics: Mapping[str, float], step: int) -> None:
        """Called with every metric of a stage. The first validation is of the untrained student: it counts for nothing."""
        if WATCHED not in metrics:
            return
        hopeless = self._epoch and self._study.hopeless(self.proposal, self._epoch, metrics[WATCHED])
        if hopeless and self._epoch < self.choice.epochs:  # after the last one it may as well be measured
            raise StageStopped(
                f"trial {self.proposal.number} is hopeless after {self._epoch} epochs; stopped"
            )
        self._epoch += 1


class Search:
    """The trials of one flow run, and what they come to."""

    def __init__(
        self, run: FlowRun, study: "Study", budget: BudgetConfig, teacher_accuracy: float, widths: Widths
    ) -> None:
        self.budget, self.teacher_accuracy = budget, teacher_accuracy
        self._run, self._study, self._widths = run, study, widths
        self._tried = False  # in this run: what an earlier one has shown in MLflow lies there

    def trials(self) -> Iterator[Trial]:
        """Students to try, one after the other, until enough were; each is used as a context."""
        while (proposal := self._study.propose()) is not None:
            estimate, limit = estimated_mb(proposal.choice, self._widths), self.budget.size_mb
            about = f"  trial {proposal.number}: about {estimate:.1f} MB is"
            if limit is not None and estimate > ROOM * limit:
                self._study.leave_out(proposal, too_large_by=estimate - limit)
                self._run.say(f"{about} over the budget; not trained")
            elif (best := self._smallest()) is not None and estimate >= best:
                self._study.leave_out(proposal)
                self._run.say(f"{about} no less than that of one that is inside the budget; not trained")
            else:
                self._tried = True
                yield Trial(self._run, self._study, proposal)

    def outcome(self, baseline: ReportRef) -> Outcome:
        """The winner, or what stands in the way; also as search.json, and as a picture, in the run's reports.

        `baseline` is the validation of what one would pick instead: a line in the picture.
        """
        from tasks.search.plots import plot_front

        rows = self._study.rows()
        found = conclude(rows, self.budget, self.teacher_accuracy)
        for line in found.said:
            self._run.say(f"  search: {line}")
        folder = self._folder()
        write_atomically(folder / "search.json", found.model_dump_json(indent=2) + "\n")
        write_atomically(folder / "trials.jsonl", "".join(row.model_dump_json() + "\n" for row in rows))
        lines = {
            "teacher": self.teacher_accuracy,
            "TF-IDF": _metrics(self._run, baseline)[WATCHED],
        }
        plot_front(rows, found, self.budget, lines, folder / "front.png")
        self._keep(*(folder / name for name in ("search.json", "trials.jsonl", "front.png")))
        return found

    def attribute(self, evaluation: ReportRef, benchmark: ReportRef, steps: Mapping[str, str]) -> Path:
        """The waterfall of the winner: what each of `steps` (a row of the reports: its title) cost and gained."""
        from tasks.search.plots import plot_waterfall

        path, store = self._folder() / "waterfall.png", self._run.store
        plot_waterfall(
            read_report(store.path(evaluation), EvaluationReport),
            read_report(store.path(benchmark), BenchmarkReport),
            steps,
            path,
        )
        self._keep(path)
        return path

    def _keep(self, *files: Path) -> None:
        for file in files if self._tried else ():
            self._run.tracker.log_file(self._run.mlflow_run_id, file)

    def _smallest(self) -> float | None:
        """Megabytes, as estimated, of the smallest student inside the budget so far, where the smallest wins."""
        if not self.budget.wants_smallest:
            return None
        winner = conclude(self._study.rows(), self.budget, self.teacher_accuracy).winner
        return estimated_mb(winner.choice, self._widths) if winner else None

    def _folder(self) -> Path:
        folder = self._run.settings.reports / (self._run.flow_run_id or "local")
        folder.mkdir(parents=True, exist_ok=True)
        return folder


@contextmanager
def open_search(
    run: FlowRun,
    config: SearchConfig,
    budget: BudgetConfig,
    teacher: CheckpointRef,
    teacher_validation: ReportRef,
    dataset: DatasetRef,
    first: Choice,
    bag: BagShape,
    fixed: Sequence[BaseModel],
) -> Iterator[Search]:
    """The study of this space, budget, teacher and data set: a new one, or the one that was begun before.

    `first` is tried before anything is drawn. `fixed` is what else makes a trial what it is: with other settings of
    the stages it is another study. One process searches it at a time; another waits.
    """
    from tasks.search.study import Study

    asked = canonical([config, budget, first, *fixed])
    key = stage_key("search", VERSION, asked, {"teacher": teacher, "dataset": dataset})
    folder = run.settings.home / "search" / key[:20]
    folder.mkdir(parents=True, exist_ok=True)
    accuracy, widths = (
        _metrics(run, teacher_validation)[WATCHED],
        _widths(run.store.path(teacher), run.store.path(dataset), bag),
    )
    with run.store.lock(key):
        yield Search(run, Study(folder, config, budget, accuracy, [first]), budget, accuracy, widths)


def _widths(teacher: Path, dataset: Path, bag: BagShape) -> Widths:
    from tasks.encoder.checkpoint import load_info
    from tasks.labelled_text import dataset as rows

    hidden = json.loads((teacher / "config.json").read_text(encoding="utf-8"))["hidden_size"]
    classes = len(rows.load_info(dataset).labels)
    return Widths(hidden, bag, load_info(teacher).max_length, classes)


def _metrics(run: FlowRun, ref: ArtifactRef) -> Mapping[str, float]:
    record = run.store.record_of(ref)
    if record is None:
        raise ArtifactError(
            f"{ref.uri} has no record: expected an artifact of this store. Run the flow again."
        )
    return record.metrics
