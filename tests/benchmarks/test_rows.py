from pathlib import Path

import pytest

from infra.errors import ConfigError
from infra.settings import Settings
from infra.store.artifacts import Store
from tests.benchmarks.kept import Kept
from tests.benchmarks.release import Artifact, Material
from tests.benchmarks.rows import Line, make_line, make_rows
from tests.benchmarks.settings import write_settings


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Settings(home=tmp_path / "home"))


@pytest.fixture
def material(tmp_path: Path) -> Material:
    nothing = Artifact(tmp_path, "digest")
    return Material(*[nothing] * 9, asked=None, expected_share=None, share_source=None)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "bench", lambda name: None)


def make(folder: Path) -> dict[str, float]:
    write_settings(folder, {"dim": 100})
    return {}


def test_weights_that_were_not_trained_are_not_scored(store: Store, material: Material, kept: Kept) -> None:
    line = Line("bert", "reference", "random", None, (material.teacher,), make, trained=False)
    found = make_rows(store, material, kept, [line])
    (row,) = found.made
    assert (row.accuracy, row.settings, found.left_out) == (None, {"dim": 100}, ())
    assert row.folder == make_line(kept, line).folder


def test_what_is_not_installed_is_left_out_with_its_reason(
    store: Store, material: Material, kept: Kept
) -> None:
    def refuse(folder: Path) -> dict[str, float]:
        raise ConfigError("wordllama is not installed")

    line = Line("wordllama", "instead", "vectors", None, (material.dataset,), refuse)
    found = make_rows(store, material, kept, [line])
    assert (found.made, found.left_out) == ((), ("wordllama: wordllama is not installed",))
