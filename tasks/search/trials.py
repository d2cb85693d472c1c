"""Trials: students tried one after the other, each an MLflow child of its own, and what they come to.

What a trial makes are ordinary cached stages, called by the flow: after a kill the same trial is asked for again, and
repeats its last stage only.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydantic import JsonValue

from infra.errors import StageStopped
from tasks.formats.benchmark_report import BenchmarkReport
from tasks.formats.evaluation_report import EvaluationReport
from tasks.formats.predictions import read_validated
from tasks.formats.report_file import read_report
from tasks.metrics.expected import expected_difference
from tasks.search.config import BudgetConfig
from tasks.search.outcome import Outcome, conclude, describe
from tasks.search.size import Widths, estimated_mb
from tasks.search.trial_parameters import Measured, TrialParameters

if TYPE_CHECKING:
    from tasks.search.study import Proposal, Study

WATCHED = "validation_accuracy"
ALPHA = 0.05
ROOM = 1.05  # the estimate of a size is within 5%


class Tracker(Protocol):
    """Where runs are shown; ids are None where it is down."""

    def start(self, name: str, parent: str | None, config: JsonValue) -> str | None: ...
    def log(self, run_id: str | None, points: Iterable[tuple[str, float, int]]) -> None: ...
    def log_file(self, run_id: str | None, path: Path) -> None: ...
    def end(self, run_id: str | None, status: str) -> None: ...


class Run(Protocol):
    """The flow run that trials belong to. `watcher` sees the metrics of its stages, and may raise StageStopped."""

    mlflow_run_id: str | None
    watcher: Callable[[Mapping[str, float], int], None] | None

    @property
    def tracker(self) -> Tracker: ...
    def say(self, line: str) -> None: ...


class Trial:
    """One student under way."""

    def __init__(self, study: "Study", proposal: "Proposal") -> None:
        self.choice: TrialParameters = proposal.choice
        self.figures: Measured | None = None
        self._study, self._proposal, self._epoch = study, proposal, 0

    def measured(self, validation: Mapping[str, float], timing: Mapping[str, float]) -> None:
        """Take accuracy, size and latency from the metrics of what was measured."""
        self.figures = Measured(
            accuracy=validation[WATCHED], size_mb=timing["size_mb"], latency_ms=timing["p50_ms"]
        )

    def watch(self, metrics: Mapping[str, float], step: int) -> None:
        """Called with every metric of a stage. The first validation is of the untrained student: it counts for nothing."""
        if WATCHED not in metrics:
            return
        hopeless = self._epoch and self._study.should_prune(self._proposal, self._epoch, metrics[WATCHED])
        if hopeless and self._epoch < self.choice.epochs:  # after the last one it may as well be measured
            raise StageStopped(
                f"trial {self._proposal.number} is hopeless after {self._epoch} epochs; stopped"
            )
        self._epoch += 1


class Search:
    """The trials of one flow run, and what they come to."""

    def __init__(
        self,
        run: Run,
        study: "Study",
        budget: BudgetConfig,
        teacher_accuracy: float,
        widths: Widths,
        reports: Path,
        write: Callable[[Path, str], None],
    ) -> None:
        """`reports` is the folder for what is shown of the search; `write` leaves a whole file or none."""
        self._run, self._study, self._budget, self._widths = run, study, budget, widths
        self._teacher_accuracy, self._reports, self._write = teacher_accuracy, reports, write
        self._tried = False  # in this run: what an earlier one has shown in MLflow lies there

    def proposals(self) -> Iterator["Proposal"]:
        """Students to try, one after the other, until enough were."""
        while (proposal := self._study.propose()) is not None:
            estimate, limit = estimated_mb(proposal.choice, self._widths), self._budget.size_mb
            about = f"  trial {proposal.number}: about {estimate:.1f} MB is"
            if limit is not None and estimate > ROOM * limit:
                self._study.leave_out(proposal, too_large_by=estimate - limit)
                self._run.say(f"{about} over the budget; not trained")
            elif (best := self._smallest()) is not None and estimate >= best:
                self._study.leave_out(proposal)
                self._run.say(f"{about} no less than that of one that is inside the budget; not trained")
            else:
                yield proposal

    @contextmanager
    def trial(self, proposal: "Proposal") -> Iterator[Trial]:
        """A student under way: what it did not survive is asked for again, what is hopeless is noted."""
        run, study, parent, self._tried = self._run, self._study, self._run.mlflow_run_id, True
        trial, status = Trial(study, proposal), "FAILED"
        child = run.tracker.start(f"trial {proposal.number}", parent, trial.choice.model_dump())
        run.say(f"  trial {proposal.number} {trial.choice.model_dump_json()}")
        run.mlflow_run_id, run.watcher = child, trial.watch
        try:
            yield trial
            if (figures := trial.figures) is not None:
                study.finish(proposal, figures)
                run.tracker.log(child, [(name, value, 0) for name, value in figures.model_dump().items()])
                run.say(f"  {describe(study.rows()[-1], figures)}")
            status = "FINISHED"
        except StageStopped as stopped:
            study.stop(proposal)
            run.say(f"  {stopped}")
            status = "KILLED"
        finally:
            run.mlflow_run_id, run.watcher = parent, None
            run.tracker.end(child, status)

    def outcome(self, baseline: Mapping[str, float]) -> Outcome:
        """The winner, or what stands in the way; also as search.json, and as a picture, in the run's reports.

        `baseline` are the metrics of what one would pick instead, on validation: a line in the picture.
        """
        from tasks.search.plots import plot_front

        rows = self._study.rows()
        found = conclude(rows, self._budget, self._teacher_accuracy)
        for line in found.said:
            self._run.say(f"  search: {line}")
        self._reports.mkdir(parents=True, exist_ok=True)
        told = {
            "search.json": found.model_dump_json(indent=2) + "\n",
            "trials.jsonl": "".join(row.model_dump_json() + "\n" for row in rows),
        }
        for name, text in told.items():
            self._write(self._reports / name, text)
        lines = {"teacher": self._teacher_accuracy, "TF-IDF": baseline[WATCHED]}
        plot_front(rows, found, self._budget, lines, self._reports / "front.png")
        self._keep(*told, "front.png")
        return found

    def compare(self, teacher: Path, winner: Path) -> None:
        """Say how the winner compares with the teacher on validation, of both's folders.

        It is the best of as many as were measured, so it looks better there than it is: its interval is at alpha over their
        number (Bonferroni).
        """
        reference, chosen = read_validated(teacher), read_validated(winner)
        measured = sum(row.measured is not None for row in self._study.rows())
        confidence = 1 - ALPHA / measured
        gain, (low, high) = expected_difference(reference.right, chosen.right, chosen.mass, confidence)
        best = f"the best of {measured}" if measured > 1 else "the only one that was measured"
        self._run.say(
            f"  search: {best} on validation, {100 * gain:+.2f} points against the teacher, {100 * confidence:.4g}% interval "
            f"{100 * low:+.2f} to {100 * high:+.2f}; the test split says what it is worth"
        )

    def attribute(self, evaluation: Path, benchmark: Path, steps: Mapping[str, str]) -> None:
        """The waterfall of the winner: what each of `steps` (a row of the reports: its title) cost and gained."""
        from tasks.search.plots import plot_waterfall

        scores, timings = read_report(evaluation, EvaluationReport), read_report(benchmark, BenchmarkReport)
        plot_waterfall(scores, timings, steps, self._reports / "waterfall.png")
        self._keep("waterfall.png")

    def _keep(self, *names: str) -> None:
        for name in names if self._tried else ():
            self._run.tracker.log_file(self._run.mlflow_run_id, self._reports / name)

    def _smallest(self) -> float | None:
        """Megabytes, as estimated, of the smallest student inside the budget so far, where the smallest wins."""
        if not self._budget.wants_smallest:
            return None
        winner = conclude(self._study.rows(), self._budget, self._teacher_accuracy).winner
        return estimated_mb(winner.choice, self._widths) if winner else None
