"""A law of the shared store: whatever files an artifact has, another home gets the same."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from infra.store.record import BESIDE
from tests.infra.store.shared.conftest import SharedPlace
from tests.infra.store.shared.machines import Machine

WITHIN_A_TEST = {"suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"), min_size=1, max_size=20
).filter(lambda name: name not in {".", ".."})


def is_a_tree(files: Mapping[str, str]) -> bool:
    """No file is the folder of another, and none has the name of what lies beside an artifact."""
    folders = {parent.as_posix() for name in files for parent in PurePosixPath(name).parents}
    return not folders & set(files) and not BESIDE & set(files)


TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.text(max_size=2000), min_size=1, max_size=5
).filter(is_a_tree)


def carried(url: str, root: Path, files: Mapping[str, str]) -> None:
    a, b = (Machine(root / uuid4().hex, f"{url}/{root.name}") for _ in range(2))
    record, remote = a.make(files, stage=uuid4().hex), a.remote()
    remote.push(record)
    found = b.remote().fetch(record.stage, record.key).record
    assert found is not None
    assert found.digest == record.digest
    assert b.store.find(record.stage, record.key, full=True).record == found
    assert remote.push(record).sent == 0


@settings(max_examples=60, **WITHIN_A_TEST)
@given(files=TREES)
def test_any_tree_of_files_comes_back_the_same(files: dict[str, str], tmp_path: Path) -> None:
    carried(tmp_path.as_uri(), tmp_path, files)


@pytest.mark.whole_runs
@settings(max_examples=15, **WITHIN_A_TEST)
@given(files=TREES)
@example(files={"a;b/c?d=e&f#g%2Fh+i j": "what an address gives a meaning to"})
def test_any_tree_of_files_comes_back_the_same_from_a_cloud(
    files: dict[str, str], cloud: SharedPlace, tmp_path: Path
) -> None:
    carried(cloud.url, tmp_path, files)
