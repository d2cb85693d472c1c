from pathlib import Path

import pytest

from tests.benchmarks.kept import Kept


class Maker:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, folder: Path) -> dict[str, float]:
        self.calls += 1
        (folder / "model").write_text("weights")
        return {"accuracy": 0.5}


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path, lambda name: None)


def test_it_is_made_once_and_kept(kept: Kept) -> None:
    make = Maker()
    first, second = (kept.made("tfidf", {"c": 1}, {"dataset": "d"}, make) for _ in range(2))
    assert make.calls == 1
    assert first == second
    assert second.metrics == {"accuracy": 0.5}
    assert (second.folder / "model").read_text() == "weights"


@pytest.mark.parametrize(
    ("name", "config", "digest"), [("other", 1, "d"), ("tfidf", 2, "d"), ("tfidf", 1, "e")]
)
def test_it_is_made_again_of_something_else(kept: Kept, name: str, config: int, digest: str) -> None:
    make = Maker()
    kept.made("tfidf", {"c": 1}, {"dataset": "d"}, make)
    kept.made(name, {"c": config}, {"dataset": digest}, make)
    assert make.calls == 2


def test_what_a_kill_left_half_made_is_made_again(kept: Kept) -> None:
    def die(folder: Path) -> dict[str, float]:
        (folder / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.made("tfidf", None, {}, die)
    made = kept.made("tfidf", None, {}, Maker())
    assert sorted(path.name for path in made.folder.iterdir()) == ["metrics.json", "model"]
