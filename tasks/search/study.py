"""The study: which student is tried next, which is hopeless, what is known of all. Optuna, kept in a journal file.

A search that was killed goes on where it was: finished trials are in the journal, the one under way is asked for again
with the same choice. Trial n is drawn by a sampler seeded with n, so an interrupted search tries what an unbroken one
would have tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import SuccessiveHalvingPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from tasks.search.config import PARAMETERS, BudgetConfig, SearchConfig
from tasks.search.trial_parameters import Measured, TrialParameters, TrialRow, constraint_violations

NAME = "students"
# The order counts for what is drawn: what layers alone have comes right after their number.
DRAWN = sorted(PARAMETERS, key=lambda name: (name != "layers", PARAMETERS[name].of_bag is not None))


@dataclass(frozen=True)
class Proposal:
    """A trial that was drawn and waits for its measurement."""

    number: int
    choice: TrialParameters
    trial: Trial


class Study:
    """A persistent search in `folder`; one process at a time (the caller holds the lock)."""

    def __init__(
        self,
        folder: Path,
        search: SearchConfig,
        budget: BudgetConfig,
        teacher_accuracy: float,
        first: Sequence[TrialParameters] = (),
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

    def should_prune(self, proposal: Proposal, epoch: int, score: float) -> bool:
        """Note the validation score after an epoch; whether the trial should stop now (successive halving).

        Nobody is judged by fewer than `search.halving` others: the first trials, and all of a small search, run whole.
        """
        proposal.trial.report(-score, epoch)
        # Asked of every trial: it notes what the next ones are compared with.
        worse = proposal.trial.should_prune()
        others = sum(epoch in trial.intermediate_values for trial in self._done())
        return worse and others >= self._search.halving

    def finish(self, proposal: Proposal, measured: Measured) -> None:
        """Note what a trial gave."""
        for name, excess in constraint_violations(measured, self._budget, self._teacher).items():
            proposal.trial.set_constraint(name, excess)
        proposal.trial.set_user_attr("measured", measured.model_dump())
        value = measured.size_mb if self._budget.wants_smallest else -measured.accuracy
        self._end(proposal, "finished", value)

    def stop(self, proposal: Proposal) -> None:
        """Note that a trial was stopped because it is hopeless."""
        self._end(proposal, "stopped")

    def leave_out(self, proposal: Proposal, too_large_by: float | None = None) -> None:
        """Note that a trial was not begun: larger than the budget (in megabytes), or than what wins already."""
        if too_large_by is not None:
            proposal.trial.set_constraint("size_mb", too_large_by)
        self._end(proposal, "not_smaller" if too_large_by is None else "too_large")

    def rows(self) -> list[TrialRow]:
        """Every trial that came to its end, in order."""
        return [TrialRow(number=trial.number, **trial.user_attrs) for trial in self._done()]

    def _end(self, proposal: Proposal, state: str, value: float | None = None) -> None:
        proposal.trial.set_user_attr("state", state)
        proposal.trial.set_user_attr("choice", proposal.choice.model_dump())
        self._study.tell(proposal.trial, value, TrialState.PRUNED if value is None else None)

    def _choice(self, trial: Trial) -> TrialParameters:
        drawn: dict[str, Any] = {}
        for name in DRAWN:
            parameter, allowed = PARAMETERS[name], getattr(self._search, name)
            if parameter.of_bag is None and not drawn["layers"]:
                drawn[name] = 0
            elif parameter.digits is None:
                drawn[name] = trial.suggest_categorical(name, allowed)
            else:
                drawn[name] = round(trial.suggest_float(name, *allowed), parameter.digits)
        return TrialParameters(**drawn)

    def _take_back_unfinished(self) -> None:
        """Trials that a killed search had under way are asked for again."""
        for trial in self._study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            self._study.tell(trial.number, state=TrialState.FAIL)
            self._study.enqueue_trial(trial.params)

    def _done(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])


def _widened(search: SearchConfig, first: Sequence[TrialParameters]) -> SearchConfig:
    """The space with the students in it that are tried first."""
    wider: dict[str, tuple[Any, ...]] = {}
    for name, parameter in PARAMETERS.items():
        known = [getattr(choice, name) for choice in first if choice.layers or parameter.of_bag]
        values = sorted({*getattr(search, name), *known})
        wider[name] = tuple(values) if parameter.digits is None else (values[0], values[-1])
    return search.model_copy(update=wider)
