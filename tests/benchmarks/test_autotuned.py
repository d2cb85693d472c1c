from pathlib import Path

import numpy as np
import pytest

from infra.errors import ConfigError
from tasks.formats.dataset import load_split
from tasks.formats.model_folder import kind_of
from tasks.inference.runner import open_runner
from tests.benchmarks.autotuned import FOUND, AutotuneConfig, autotune, fit_autotuned
from tests.benchmarks.settings import read_settings
from tests.tasks.models.tiny_encoder import write_dataset

pytest.importorskip("fasttext", reason="needs the extra `bench`: pip install 'stillhouse[bench]'")


@pytest.mark.peers
@pytest.mark.slow  # a table of two million rows, as wide as autotune happens to try: gigabytes and minutes beside other tests
def test_the_settings_that_it_found_are_kept_beside_a_model_with_a_rule(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "dataset", rows=400)
    (folder := tmp_path / "model").mkdir()
    metrics = fit_autotuned(AutotuneConfig(seconds=2), dataset, folder)
    settings, runner, test = read_settings(folder), open_runner(folder), load_split(dataset, "test")
    assert kind_of(folder) == "fast_text"
    assert tuple(settings) == FOUND
    assert settings["loss"] == "softmax"
    assert runner.rule is not None
    assert (runner.logits(test.texts).argmax(axis=1) == test.labels).mean() > 0.8
    assert metrics["validation_accuracy"] > 0.8
    assert np.isfinite(runner.logits([""])).all()


def test_what_the_library_refuses_is_said_with_its_words(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("__label__0 a\n__label__1 b\n")
    with pytest.raises(ConfigError, match=r"found no settings in 1 s \((?s:.+)open(?s:.+)\): expected some"):
        autotune(tmp_path, AutotuneConfig(seconds=1))  # no validation.txt
