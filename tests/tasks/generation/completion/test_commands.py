"""`stillhouse complete`: a prompt given or read goes on, by one model or two."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from cyclopts import App

from infra.errors import ArtifactError, DataError, HubError
from infra.hub.local import LocalHub
from infra.machine.terminal import visible
from infra.settings import get_settings
from tasks.generation.completion import commands
from tasks.generation.completion.complete import complete as completed
from tasks.models.causal_lm import load_causal_lm, load_text_tokenizer
from tests.tasks.models.tiny_causal_lm import write_causal_lm

pytestmark = pytest.mark.usefixtures("home")
PROMPT = "def add(a, b):\n    '''Sum.'''"
Typed = Callable[..., str]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    """What the command prints for some words."""
    app = App(default_command=commands.complete)

    def run(*words: str) -> str:
        app(words, exit_on_error=False, result_action="return_value")
        return capsys.readouterr().out

    return run


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_causal_lm(tmp_path / "model")


def expected(model: Path, prompt: str, n: int = 1, seed: int = 0) -> list[str]:
    found = completed(
        load_causal_lm(model),
        load_text_tokenizer(model),
        prompt,
        n=n,
        seed=seed,
        max_tokens=12,
        temperature=1.5,
    )
    return [prompt.rstrip() + text for text in found.texts]


ASKED = ("--max-tokens", "12", "--temperature", "1.5")


def test_what_stdin_says_goes_on(model: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(PROMPT + "\n"))
    shown = typed(str(model), *ASKED)
    (text,) = expected(model, PROMPT)
    assert shown == visible(text, lines=True) + "\n" and shown.startswith(PROMPT)


def test_two_models_stand_beside_each_other(model: Path, tmp_path: Path, typed: Typed) -> None:
    other = write_causal_lm(tmp_path / "other", seed=1)
    shown = typed(str(model), "--prompt", "x = (", "--n", "2", "--seed", "3", "--compare", str(other), *ASKED)
    headings = [line for line in shown.splitlines() if line.startswith("# ")]
    assert headings == [f"# {folder}, {number} of 2" for folder in (model, other) for number in (1, 2)]


def test_on_a_terminal_they_are_columns(model: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    shown = typed(
        str(model), "--prompt", PROMPT, "--prompt", "[bold]x[/bold] = (", "--compare", str(model), *ASKED
    )
    assert shown.count("╭") == 2 and "[bold]x[/bold]" in shown


def test_a_model_is_found_on_the_hub_or_named(model: Path, typed: Typed) -> None:
    LocalHub(get_settings().hub_folder).push("model", "me/coder", model, "first")
    assert typed("me/coder", "--prompt", "x = (", *ASKED) == typed(str(model), "--prompt", "x = (", *ASKED)
    with pytest.raises(HubError, match="me/nothing has no revision 'main'"):
        typed("me/nothing", "--prompt", "x")
    with pytest.raises(ArtifactError, match="artifact:pretrain/00"):
        typed("artifact:pretrain/00", "--prompt", "x")


def test_an_empty_prompt_is_refused(model: Path, typed: Typed) -> None:
    with pytest.raises(DataError, match="the prompt is empty"):
        typed(str(model), "--prompt", " \n")
