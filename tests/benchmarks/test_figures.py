"""Pages are what their figures say: a changed digit in one of them is found."""

from pathlib import Path

import pytest

from infra.errors import DataError
from tasks.evaluation.comparison import compare
from tests.benchmarks.figures import BEGIN, END, ROOT, differing, pages, save_figures
from tests.benchmarks.headline import Headline, SeedRun, headline_text, mean_and_range
from tests.benchmarks.seeds import command_of
from tests.tasks.evaluation.gate.reports import benchmark, evaluation


def seed_run(seed: int, released: float) -> SeedRun:
    evaluated = evaluation(4_950, released=released)
    return SeedRun(
        seed=seed,
        rows=compare(evaluated, benchmark()),
        scores=evaluated.models,
        difference=released - 0.932,
        interval=(released - 0.94, released - 0.924),
        margin=0.03,
        verdict="pass",
        seconds=600,
    )


def headline() -> Headline:
    return Headline(
        command="python -m tests.benchmarks.seeds",
        cpu="a processor",
        cpu_flags=("avx2",),
        cores=2,
        test_rows=4_950,
        shares=evaluation(4_950).shares,
        runs=tuple(seed_run(seed, released) for seed, released in enumerate((0.913, 0.915, 0.917))),
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "README.md").write_text(f"# Us\n\n{BEGIN}old\n{END}\nafter\n")
    save_figures(tmp_path, "headline.json", headline())
    return tmp_path


def test_every_page_of_this_repository_is_what_its_figures_say() -> None:
    assert differing(ROOT) == [], "run `make figures`"


def test_figures_are_written_between_the_marks_and_nowhere_else(root: Path) -> None:
    text = (root / "README.md").read_text()
    assert text == f"# Us\n\n{BEGIN}{headline_text(headline())}{END}\nafter\n"
    assert differing(root) == []


def test_a_changed_digit_is_found(root: Path) -> None:
    readme = root / "README.md"
    for wrong in ("0.916", "4,951"):
        right = {"0.916": "0.915", "4,951": "4,950"}[wrong]
        assert right in readme.read_text()
        readme.write_text(readme.read_text().replace(right, wrong, 1))
        assert differing(root) == [readme]
        readme.write_text(pages(root)[readme])


def test_a_page_without_marks_is_said(root: Path) -> None:
    (root / "README.md").write_text("# Us\n")
    with pytest.raises(DataError, match=r"README\.md lacks the marks"):
        pages(root)


def test_the_headline_says_what_each_figure_knew() -> None:
    text = headline_text(headline())
    head, _, *rows = text.splitlines()
    assert (
        "accuracy for 18%: the test split's | accuracy for 3.2%: validation | argmax, no rule | in-scope rows"
        in head
    )
    (released,) = (row for row in rows if row.startswith("| **released"))
    assert "| 0.915 (0.913-0.917) | 0.895 (0.893-0.897) |" in released
    assert "threshold for 18.0% out of scope (the test split's): accuracy 0.915 (0.913-0.917)" in text
    assert "threshold for 3.2% out of scope (validation's own share): accuracy 0.895 (0.893-0.897)" in text
    assert "calibration error 0.080" in text and "-1.9 points, 95% interval -2.7 to -1.1 (pass)" in text


def test_one_seed_is_said_to_be_one() -> None:
    one = headline().model_copy(update={"runs": headline().runs[:1]})
    assert "4,950 test rows; seed 0, by `python -m tests.benchmarks.seeds`." in headline_text(one)
    assert "mean and range of seeds 0, 1, 2, by" in headline_text(headline())
    assert command_of([0], ["--preset", "smoke"]).endswith("seeds --seeds 0 -- --preset smoke")
    assert command_of([0, 1, 2], []) == "python -m tests.benchmarks.seeds"


def test_a_range_is_left_out_where_there_is_none() -> None:
    assert (mean_and_range([]), mean_and_range([0.5, 0.5004])) == ("-", "0.500")
    assert mean_and_range([0.1, 0.2, 0.6]) == "0.300 (0.100-0.600)"
