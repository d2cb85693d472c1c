"""`flows.data` on the embedded defaults and on every cloud: one command, other settings, the same digests."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard

from infra.files import combined_digest
from infra.warehouse.github_repos import build_tables
from infra.warehouse.installed import installed_distributions
from tests.conftest import ROOT
from tests.flows.clouds import Clouds, Runs, clouds, digests, half_made, published_here, published_there
from tests.infra.distributions import install
from tests.tasks.data.curation.code.sources import source

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]
RECIPES = ROOT / "flows" / "recipes"


@dataclass(frozen=True)
class Recipe:
    """A command line, the tables that its query reads, and the name that it publishes."""

    arguments: tuple[str, ...]
    tables: dict[str, Path]
    name: str


def intents(folder: Path) -> Recipe:
    """The default: an assistant's intents, a sample of them."""
    tables = {
        name: RECIPES / "end_to_end" / "clinc150" / f"{name}.parquet" for name in ("queries", "domains")
    }
    return Recipe(("--extract.parameters.sample_percent", "8"), tables, "local/clinc150-intents")


def code(folder: Path) -> Recipe:
    """The book's extraction over a few distributions. As files they are named; a warehouse of its own says that it
    does not look at them."""
    site = folder / "site"
    for name, files, license in (("one", 6, "MIT"), ("two", 3, "ISC"), ("three", 2, "GPL-3.0-only")):
        install(site, name, {f"{name}/{i}.py": source(f"{name}{i}") for i in range(files)}, license=license)
    install(site, "four", {"four/bad.py": "print 'two'\n" * 90, "four/copy.py": source("one0")})
    made = build_tables(folder / "warehouse", installed_distributions([str(site)]))
    arguments = ("--config", str(RECIPES / "data" / "github_python.yaml"), "--extract.table", str(made),
                 "--extract.parameters.sample_percent", "100")  # fmt: skip
    return Recipe(arguments, {path.stem: path for path in made.glob("*.parquet")}, "local/github-python")


@pytest.fixture(params=[intents, pytest.param(code, marks=pytest.mark.whole_runs)], ids=["intents", "code"])
def recipe(request: pytest.FixtureRequest, tmp_path: Path) -> Recipe:
    made: Recipe = request.param(tmp_path)
    return made


@pytest.fixture
def both(recipe: Recipe) -> Iterator[list[Clouds]]:
    """The clouds with S3, and with Cloud Storage."""
    with ExitStack() as stack:
        yield [stack.enter_context(clouds(kind, recipe.tables)) for kind in ("s3", "gs")]


@pytest.mark.whole_runs
def test_settings_alone_move_the_flow_to_the_clouds_and_change_no_digest(
    recipe: Recipe, both: list[Clouds], runs: Runs, capfd: pytest.CaptureFixture[str]
) -> None:
    runs.use("embedded")
    embedded = runs.done(*recipe.arguments)
    expected = published_here(embedded)
    assert len(expected) >= 4, "a card, a description and shards"
    card = DatasetCard.load(Path(embedded.dataset.path) / "README.md").text
    assert all(f"| {name} |" in card for name in recipe.tables), "tables are called as the query calls them"
    for number, there in enumerate(both):
        runs.use(f"first{number}", **there.settings)
        first = runs.done(*recipe.arguments)
        assert {stage.state for stage in first.stages} == {"computed"}
        assert digests(first) == digests(embedded)
        assert (first.rows_in, first.splits, first.filters) == (
            embedded.rows_in, embedded.splits, embedded.filters,
        )  # fmt: skip
        repo = there.repo(recipe.name)
        assert published_there(repo, first.dataset.revision) == published_there(repo) == expected
        files = {name: data for name, data in repo.files("main").items() if name != ".gitattributes"}
        content = combined_digest((name, hashlib.sha256(data).hexdigest()) for name, data in files.items())
        assert [tag for tag in repo.tags if tag.startswith("content-")] == [f"content-{content[:12]}"]
        assert repo.private
        assert half_made() == []

        runs.use(f"second{number}", **there.settings)
        second = runs.done(*recipe.arguments)
        assert {stage.state for stage in second.stages} == {"cached"}, "what another machine has computed"
        assert (digests(second), second.dataset) == (digests(first), first.dataset)
        assert len(there.warehouse.billed) == 1, "one job for both machines"
        assert len(repo.log("main")) == 2, "the Hub's own commit, and one of ours"
    printed = capfd.readouterr().err
    assert "stay in the store until they are read" in printed and "shared" in printed


def test_a_dry_run_on_the_clouds_says_the_price_and_leaves_nothing_anywhere(
    recipe: Recipe, both: list[Clouds], runs: Runs, capfd: pytest.CaptureFixture[str]
) -> None:
    there = both[0]
    home = runs.use("dry", **there.settings)
    before = sorted(home.rglob("*"))
    assert runs.run(*recipe.arguments, "--dry-run") == 0
    printed = " ".join("".join(capfd.readouterr()).split())
    assert "MB for less than $0.01 and give an unknown number of rows" in printed
    assert "miss extract never computed here" in printed
    assert there.warehouse.billed == [] and there.hub.repos == {}
    assert sorted(home.rglob("*")) == before
