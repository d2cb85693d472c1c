"""`stillhouse predict`: what a release answers, by its name or its folder, to words or to lines."""

import subprocess
from pathlib import Path

import pytest

from infra.cli.command import main
from infra.hub.local import LocalHub
from infra.settings import get_settings
from tasks.inference.classifier import Classifier
from tests.tasks.serving.release.tiny_release import make_onnx_artifact
from tests.typed import STILLHOUSE

pytestmark = pytest.mark.usefixtures("home")
TEXTS = ["philosophy", "move money to savings"]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    (tmp_path / "release").mkdir()
    return make_onnx_artifact(tmp_path / "release")


def test_a_text_is_answered_as_the_classifier_does(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    LocalHub(get_settings().hub_folder).push("model", "me/intents", release, "first")
    assert main(["predict", "me/intents", *TEXTS]) == 0
    shown = capsys.readouterr().out.splitlines()
    for text, line in zip(TEXTS, shown, strict=True):
        (answer,) = Classifier(release).predict([text])
        assert line.split() == [answer.label, f"{answer.confidence:.3f}", *text.split()]


def test_without_a_text_each_line_of_stdin_is_answered(release: Path) -> None:
    asked = [STILLHOUSE, "predict", str(release), "--top-k", "2"]
    done = subprocess.run(
        asked, input="\n".join(TEXTS) + "\n", capture_output=True, text=True, timeout=100, check=True
    )
    shown = done.stdout.splitlines()
    assert [line.endswith(text) for line, text in zip(shown, TEXTS, strict=True)] == [True, True]


def test_a_model_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "me/nothing", "a text"]) == 2
    assert "me/nothing has no revision 'main'" in capsys.readouterr().err
