"""The study: which student is tried next, which is hopeless, what is known of all. Optuna, kept in a journal file.

A search that was killed goes on where it was: finished trials are in the journal, the one under way is asked for again
with the same choice. Trial n is drawn by a sampler seeded with n, so an interrupted search tries what an unbroken one
would have tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.pruners import SuccessiveHalvingPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from tasks.search.config import BudgetConfig, SearchConfig
from tasks.search.values import Choice, Measured, TrialRow, excesses

NAME = "students"
WIDTHS = ("intermediate_size", "embedding_rank")  # of a student with layers
STATE, CHOICE, MEASURED = "state", "choice", "measured"  # attributes of a trial in the journal


@dataclass(frozen=True)
class Proposal:
    """A trial that was drawn and waits for its measurement."""

    number: int
    choice: Choice
    trial: Trial


class Study:
    """A persistent search in `folder`; one process at a time (the caller holds the lock)."""

    def __init__(
        self,
        folder: Path,
        search: SearchConfig,
        budget: BudgetConfig,
        teacher_accuracy: float,
        first: Sequence[Choice] = (),
    ) -> None:
        """`first` are tried before anything is drawn: what is known to be good."""
        folder.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._search, self._budget, self._teacher = _widened(search, first), budget, teacher_accuracy
        self._study = optuna.create_study(
            study_name=NAME,
            storage=JournalStorage(JournalFileBackend(str(folder / "journal.log"))),
            load_if_exists=True,
            direction="minimize",
            pruner=SuccessiveHalvingPruner(
                min_resource=search.first_judged, reduction_factor=search.halving, min_early_stopping_rate=0
            ),
        )
        self._take_back_unfinished()
        if not self._study.get_trials(deepcopy=False):
            for choice in first:
                self._study.enqueue_trial(choice.model_dump())

    def propose(self) -> Proposal | None:
        """The next student to try; None when enough were tried."""
        number = len(self._done())
        if number >= self._search.trials:
            return None
        self._study.sampler = TPESampler(
            seed=self._search.seed + number,
            n_startup_trials=min(10, max(2, self._search.trials // 3)),
            multivariate=True,
        )
        trial = self._study.ask()
        return Proposal(trial.number, self._choice(trial), trial)

    def hopeless(self, proposal: Proposal, epoch: int, score: float) -> bool:
        """Note the validation score after an epoch; whether the trial should stop now (successive halving).

        Nobody is judged by fewer than `search.halving` others: the first trials, and all of a small search, run whole.
        """
        proposal.trial.report(-score, epoch)
        worse = (
            proposal.trial.should_prune()
        )  # asked of every trial: it notes what the next ones are compared with
        others = sum(epoch in trial.intermediate_values for trial in self._done())
        return worse and others >= self._search.halving

    def finish(self, proposal: Proposal, measured: Measured) -> None:
        """Note what a trial gave."""
        for name, excess in excesses(measured, self._budget, self._teacher).items():
            proposal.trial.set_constraint(name, excess)
        self._note(proposal, "finished", {MEASURED: measured.model_dump()})
        value = measured.size_mb if self._budget.wants_smallest else -measured.accuracy
        self._study.tell(proposal.trial, value)

    def stop(self, proposal: Proposal) -> None:
        """Note that a trial was stopped because it is hopeless."""
        self._end_early(proposal, "stopped")

    def leave_out(self, proposal: Proposal, too_large_by: float | None = None) -> None:
        """Note that a trial was not begun: larger than the budget (in megabytes), or than what wins already."""
        if too_large_by is not None:
            proposal.trial.set_constraint("size_mb", too_large_by)
        self._end_early(proposal, "not_smaller" if too_large_by is None else "too_large")

    def rows(self) -> list[TrialRow]:
        """Every trial that came to its end, in order."""
        return [_row(trial) for trial in self._done()]

    def _end_early(self, proposal: Proposal, state: str) -> None:
        self._note(proposal, state, {})
        self._study.tell(proposal.trial, state=TrialState.PRUNED)

    def _choice(self, trial: Trial) -> Choice:
        space = self._search
        layers = trial.suggest_categorical("layers", space.layers)
        widths = {
            name: trial.suggest_categorical(name, getattr(space, name)) if layers else 0 for name in WIDTHS
        }
        return Choice(
            layers=layers,
            vocabulary_size=trial.suggest_categorical("vocabulary_size", space.vocabulary_size),
            epochs=trial.suggest_categorical("epochs", space.epochs),
            alpha=round(trial.suggest_float("alpha", *space.alpha), 3),
            temperature=round(trial.suggest_float("temperature", *space.temperature), 2),
            weights=trial.suggest_categorical("weights", space.weights),
            **widths,
        )

    def _take_back_unfinished(self) -> None:
        """Trials that a killed search had under way are asked for again."""
        for trial in self._study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            self._study.tell(trial.number, state=TrialState.FAIL)
            self._study.enqueue_trial(trial.params)

    def _done(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])

    def _note(self, proposal: Proposal, state: str, values: dict[str, object]) -> None:
        for name, value in {STATE: state, CHOICE: proposal.choice.model_dump(), **values}.items():
            proposal.trial.set_user_attr(name, value)


def _widened(search: SearchConfig, first: Sequence[Choice]) -> SearchConfig:
    """The space with the students in it that are tried first."""
    wider: dict[str, tuple[object, ...]] = {}
    for name in ("layers", "vocabulary_size", "epochs", "weights"):
        wider[name] = tuple(sorted({*getattr(search, name), *(getattr(choice, name) for choice in first)}))
    for name in WIDTHS:
        wider[name] = tuple(sorted({*getattr(search, name), *(getattr(c, name) for c in first if c.layers)}))
    for name in ("alpha", "temperature"):
        values = [*getattr(search, name), *(getattr(choice, name) for choice in first)]
        wider[name] = (min(values), max(values))
    return search.model_copy(update=wider)


def _row(trial: FrozenTrial) -> TrialRow:
    told = trial.user_attrs
    measured = Measured(**told[MEASURED]) if MEASURED in told else None
    return TrialRow(number=trial.number, state=told[STATE], choice=Choice(**told[CHOICE]), measured=measured)
