"""The study: persistent, resumable, the same whether it was interrupted or not."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.search.config import PARAMETERS, BudgetConfig, SearchConfig
from tasks.search.study import Proposal, Study
from tasks.search.trial_parameters import Measured, TrialParameters

SEARCH = SearchConfig(trials=9, seed=3)
FIRST = TrialParameters(
    layers=2, intermediate_size=768, vocabulary_size=8_000, epochs=8, alpha=0.1, temperature=2.0, embedding_rank=0,
    weights="int8"
)  # fmt: skip


def measure(choice: TrialParameters) -> Measured:
    """A landscape with a trade: deeper and wider is better and larger."""
    accuracy = 0.90 + 0.01 * choice.layers + choice.vocabulary_size / 1e6 - abs(choice.alpha - 0.1) / 10
    size = choice.layers + choice.vocabulary_size * (8 if choice.weights == "int8" else 4) / 20_000
    return Measured(accuracy=accuracy, size_mb=size, latency_ms=0.2 * choice.layers)


def run(study: Study, most: int = 100) -> list[TrialParameters]:
    tried = []
    while len(tried) < most and (proposal := study.propose()) is not None:
        tried.append(proposal.choice)
        study.finish(proposal, measure(proposal.choice))
    return tried


def open_study(folder: Path, search: SearchConfig = SEARCH, budget: BudgetConfig | None = None) -> Study:
    return Study(folder, search, budget or BudgetConfig(), 0.95, [FIRST])


def test_what_is_known_to_be_good_is_tried_first(tmp_path: Path) -> None:
    assert run(open_study(tmp_path), 1) == [FIRST]


def test_a_student_without_layers_has_no_width_and_no_rank(tmp_path: Path) -> None:
    search = SEARCH.model_copy(update={"layers": (0, 2), "trials": 12})
    tried = run(open_study(tmp_path, search))
    assert {choice.layers for choice in tried} == {0, 2}
    assert {(choice.intermediate_size, choice.embedding_rank) for choice in tried if not choice.layers} == {
        (0, 0)
    }
    assert {choice.embedding_rank for choice in tried if choice.layers} <= {0, 128}


def test_a_bag_may_be_what_is_known_to_be_good(tmp_path: Path) -> None:
    bag = FIRST.model_copy(update={"layers": 0, "intermediate_size": 0})
    study = Study(tmp_path, SEARCH, BudgetConfig(), 0.95, [bag])
    assert run(study, 1) == [bag]


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_student_of_whom_not_all_is_said_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        TrialParameters(**FIRST.model_dump(exclude={name}))


def test_it_ends_after_its_trials_and_goes_on_when_more_are_asked(tmp_path: Path) -> None:
    assert len(run(open_study(tmp_path))) == 9
    assert run(open_study(tmp_path)) == []
    assert len(run(open_study(tmp_path, SEARCH.model_copy(update={"trials": 12})))) == 3


def test_every_choice_is_in_the_space(tmp_path: Path) -> None:
    for choice in run(open_study(tmp_path))[1:]:
        assert choice.layers in SEARCH.layers
        assert choice.vocabulary_size in SEARCH.vocabulary_size
        assert SEARCH.alpha[0] <= choice.alpha <= SEARCH.alpha[1]
        assert SEARCH.temperature[0] <= choice.temperature <= SEARCH.temperature[1]


def test_an_interrupted_search_tries_what_an_unbroken_one_tries(tmp_path: Path) -> None:
    unbroken = run(open_study(tmp_path / "unbroken"))
    broken = run(open_study(tmp_path / "broken"), 4)
    under_way = open_study(tmp_path / "broken").propose()  # killed before it is finished
    assert under_way is not None
    again = open_study(tmp_path / "broken").propose()
    assert again is not None
    assert again.choice == under_way.choice
    study = open_study(tmp_path / "broken")
    assert broken + run(study) == unbroken
    assert [row.choice for row in study.rows()] == unbroken
    assert [row.measured for row in study.rows()] == [measure(choice) for choice in unbroken]


def test_a_hopeless_trial_is_stopped_and_a_good_one_is_not(tmp_path: Path) -> None:
    study = open_study(tmp_path, SearchConfig(trials=20, first_judged=1, halving=2))
    for score in (0.90, 0.91, 0.92, 0.93):
        proposal = study.propose()
        assert proposal is not None
        study.should_prune(proposal, 1, score)
        study.finish(proposal, measure(proposal.choice))
    bad, good = _proposed(study), _proposed(study)
    assert study.should_prune(bad, 1, 0.2)
    study.stop(bad)
    assert not study.should_prune(good, 1, 0.99)
    assert [row.state for row in study.rows()] == [*["finished"] * 4, "stopped"]


def test_the_first_trials_run_whole_however_bad_they_look(tmp_path: Path) -> None:
    study = open_study(tmp_path, SearchConfig(trials=20, first_judged=1, halving=3))
    for score in (0.93, 0.5, 0.2):
        proposal = _proposed(study)
        assert not study.should_prune(proposal, 1, score)
        study.finish(proposal, measure(proposal.choice))
    assert study.should_prune(_proposed(study), 1, 0.1)


def test_a_stopped_trial_counts_and_has_no_figures(tmp_path: Path) -> None:
    study = open_study(tmp_path, SearchConfig(trials=2), BudgetConfig(size_mb=1))
    study.leave_out(_proposed(study), too_large_by=2.0)
    study.stop(_proposed(study))
    assert study.propose() is None
    assert [(row.state, row.measured) for row in study.rows()] == [("too_large", None), ("stopped", None)]


def test_a_budget_leads_to_smaller_students_than_accuracy_does(tmp_path: Path) -> None:
    search = SearchConfig(trials=30)
    accurate, small = (
        open_study(tmp_path / name, search, budget)
        for name, budget in (
            ("accurate", BudgetConfig()),
            ("small", BudgetConfig(size_mb=4, max_accuracy_drop=0.1)),
        )
    )
    sizes = [[measure(choice).size_mb for choice in run(study)[-10:]] for study in (accurate, small)]
    assert sum(sizes[1]) < sum(sizes[0])


def _proposed(study: Study) -> Proposal:
    proposal = study.propose()
    assert proposal is not None
    return proposal
