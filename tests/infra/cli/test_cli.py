"""`stillhouse` as a person uses it: the right words, the right exit code, never a stack trace."""

from pathlib import Path

import pytest

from infra.cli.command import main
from infra.hub.local import LocalHub
from infra.settings import get_settings
from infra.store.artifacts import Store
from infra.store.record import Record
from tests.conftest import ROOT
from tests.infra.artifacts import folder, make_artifact

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def store(home: Path) -> Store:
    return Store(get_settings())


@pytest.fixture
def released(store: Store) -> Record:
    dataset = make_artifact(store, "curate", {"train.parquet": "rows"})
    record = make_artifact(store, "package", {"model.onnx": "graph"}, {"dataset": dataset}, kind="ReleaseRef")
    LocalHub(store.settings.hub_folder).push("model", "me/intents", folder(store, record), "first")
    make_artifact(store, "train", {"weights": "dropped" * 1000}, {"dataset": dataset})
    return record


def test_lineage_of_a_release_reaches_its_data(released: Record, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["artifacts", "lineage", "me/intents"]) == 0
    shown = capsys.readouterr().out
    assert "package" in shown
    assert "dataset: curate" in shown


def test_lineage_of_something_unknown_says_how_to_name_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["artifacts", "lineage", "no/such"]) == 2
    assert "artifact:stage/key" in capsys.readouterr().err


def test_lineage_down_tells_what_to_make_anew_and_a_source_needs_it(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    held = '{"repo": {"owner/name": 2}, "licence": {"mit": 2}}'
    dataset = make_artifact(store, "curate_code", {"data": "files", "contains.json": held})
    make_artifact(store, "pretrain", {"weights": "w"}, {"dataset": dataset}, finished="2021-01-01T00:00:00")
    assert main(["artifacts", "lineage", "--down", "repo:owner/name"]) == 0
    shown = capsys.readouterr().out
    assert "(2 of its parts)" in shown and "in this order: curate_code, pretrain." in shown
    assert main(["artifacts", "lineage", "licence:mit"]) == 2
    assert "Add --down" in capsys.readouterr().err
    assert main(["artifacts", "lineage", "--down", "licence:gpl-3.0"]) == 2
    assert "nothing here holds licence:gpl-3.0" in capsys.readouterr().err


def test_a_dry_gc_only_tells_and_a_real_one_frees(
    store: Store, released: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["artifacts", "gc", "--dry-run", "--keep-days", "0"]) == 0
    assert "Would free 0.0 MB in 1 folders" in capsys.readouterr().out
    assert len(list(store.records())) == 3
    assert main(["artifacts", "gc", "--keep-days=0"]) == 0
    assert "no kept release reaches it" in capsys.readouterr().out
    assert {record.stage for record in store.records()} == {"curate", "package"}


@pytest.mark.parametrize("command", ["rollback", "history"])
def test_a_name_that_is_no_repository_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", command, "intents"]) == 2
    assert "expected owner/name" in capsys.readouterr().err


def test_without_a_champion_there_is_nothing_to_show_and_nothing_to_go_back_to(
    released: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "history", "me/intents"]) == 0
    assert "me/intents has had no champion" in capsys.readouterr().out
    assert main(["models", "rollback", "me/intents"]) == 2
    assert "no champion to go back to" in capsys.readouterr().err


def test_the_help_names_every_command_with_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "history List who was champion of a model, when and why that changed" in told
    assert "rollback Make a model's previous champion" in told


def test_gc_of_an_empty_home_frees_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["artifacts", "gc"]) == 0
    assert "Freed 0.0 MB in 0 folders" in capsys.readouterr().out


def test_a_value_out_of_bounds_names_the_option_and_the_bound(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["artifacts", "gc", "--keep-days=-1"]) == 2
    assert 'value "-1.0" for --keep-days. Must be >= 0' in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["artifacts", "gcc"], ["artifacts", "gc", "--keep-day"]])
def test_what_is_not_understood_is_told_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert "Did you mean" in shown and "See `stillhouse " in shown and "Traceback" not in shown


def test_doctor_on_a_fresh_home_finds_no_fault_in_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) in (0, 1)  # 1: a fault of this machine, perhaps; not of the home.
    shown = capsys.readouterr().out
    assert f"ok    home              {home}" in shown
    assert "not made yet" in shown


def test_doctor_exits_with_one_when_something_is_wrong(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.parent.joinpath("home").write_text("a file where the folder should be")
    assert main(["doctor"]) == 1
    assert "fault home" in capsys.readouterr().out


def test_without_servers_status_and_down_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    assert main(["down"]) == 0
    shown = capsys.readouterr().out
    assert "stillhouse up" in shown
    assert "Nothing was running" in shown


def test_the_environment_is_printed_without_what_is_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (
        "PREFECT_API_KEY",
        "MLFLOW_TRACKING_TOKEN",
        "MLFLOW_TRACKING_PASSWORD",
        "PREFECT_API_AUTH_STRING",
    ):
        monkeypatch.setenv(name, "canary")
    monkeypatch.delenv("PREFECT_HOME")  # what a shell has is not told it
    assert main(["env"]) == 0
    shown = capsys.readouterr().out
    assert "export PREFECT_HOME=" in shown and "export MLFLOW_TRACKING_URI=sqlite:///" in shown
    assert "canary" not in shown


def test_an_artifact_is_shown_with_what_it_was_made_from(
    store: Store, released: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["artifacts", "show", released.digest[:12]]) == 0
    shown = capsys.readouterr().out
    assert released.digest in shown and "from dataset" in shown and "model.onnx" in shown
    assert str(folder(store, released)) in shown


def test_models_are_listed_and_shown_with_their_card(
    store: Store, released: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "README.md").write_text("# A small classifier \x1b]0;title\x07")
    pushed = LocalHub(store.settings.hub_folder).push("model", "me/intents", tmp_path / "release", "second")
    assert main(["models", "list"]) == 0
    listed = capsys.readouterr().out
    assert "me/intents" in listed and f"no champion; main is {pushed.revision[:7]}" in listed
    assert main(["models", "show", "me/intents"]) == 0
    shown = capsys.readouterr().out
    assert "No champion; main is: revision" in shown and "# A small classifier" in shown
    assert "\x1b" not in shown
    assert main(["models", "show", "me/nothing"]) == 2
    assert "`stillhouse models list`" in capsys.readouterr().err


def test_where_nothing_was_published_or_run_lists_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    assert main(["runs", "list"]) == 0
    shown = capsys.readouterr().out
    assert "No model was published in" in shown and "Nothing was run yet" in shown


def test_every_recipe_is_listed_with_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert any("run end-to-end --preset own_table" in line and "Your own rows" in line for line in shown)
    assert len(shown) == len([*(ROOT / "flows" / "recipes").glob("*/*.yaml")])


def test_a_recipe_that_says_its_flow_is_run_by_its_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("flow: data\ndataset: {min_wrds: 3}\n")
    assert main(["run", str(recipe), "--dry-run"]) == 2
    assert "dataset.min_wrds is not a field: did you mean 'min_words'?" in capfd.readouterr().err
    recipe.write_text("dataset: {min_words: 3}\n")
    assert main(["run", str(recipe)]) == 2
    assert "does not say which flow it is of" in capfd.readouterr().err
    recipe.write_text("flow: nothing\n")
    assert main(["run", str(recipe)]) == 2
    assert "there is no flow 'nothing'" in capfd.readouterr().err
