"""`python -m infra.cli` as a person uses it: the right words, the right exit code, never a stack trace."""

from pathlib import Path

import pytest

from infra.cli.app import main
from infra.hub.local import LocalHub
from infra.settings import get_settings
from infra.store.artifacts import Store
from infra.store.record import Record
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
    assert main(["lineage", "me/intents"]) == 0
    shown = capsys.readouterr().out
    assert "package" in shown
    assert "dataset: curate" in shown


def test_lineage_of_something_unknown_says_how_to_name_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lineage", "no/such"]) == 1
    assert "artifact:stage/key" in capsys.readouterr().err


def test_a_dry_gc_only_tells_and_a_real_one_frees(
    store: Store, released: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gc", "--dry-run", "--keep-days", "0"]) == 0
    assert "Would free 0.0 MB in 1 folders" in capsys.readouterr().out
    assert len(list(store.records())) == 3
    assert main(["gc", "--keep-days=0"]) == 0
    assert "no kept release reaches it" in capsys.readouterr().out
    assert {record.stage for record in store.records()} == {"curate", "package"}


@pytest.mark.parametrize("command", ["rollback", "promotions"])
def test_a_name_that_is_no_repository_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "intents"]) == 1
    assert "expected owner/name" in capsys.readouterr().err


def test_without_a_champion_there_is_nothing_to_show_and_nothing_to_go_back_to(
    released: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["promotions", "me/intents"]) == 0
    assert "me/intents has had no champion" in capsys.readouterr().out
    assert main(["rollback", "me/intents"]) == 1
    assert "no champion to go back to" in capsys.readouterr().err


def test_the_help_names_every_command_with_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "promotions who was champion of a model, when and why" in told
    assert "rollback make a model's previous champion champion again" in told


def test_gc_of_an_empty_home_frees_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc"]) == 0
    assert "Freed 0.0 MB in 0 folders" in capsys.readouterr().out


def test_a_value_out_of_bounds_names_the_option_and_the_bound(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", "--keep-days=-1"]) == 2
    assert "gc --keep-days is '-1'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["gcc"], ["gc", "--keep-day"]])
def test_what_is_not_understood_is_told_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    shown = capsys.readouterr()
    assert "usage: python -m infra.cli" in shown.out + shown.err


def test_doctor_on_a_fresh_home_finds_no_fault_in_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        main(["doctor"])
    except SystemExit as fault:  # Of this machine, perhaps; not of the home.
        assert fault.code == 1
    shown = capsys.readouterr().out
    assert f"ok    home              {home}" in shown
    assert "not made yet" in shown


def test_doctor_exits_with_one_when_something_is_wrong(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.parent.joinpath("home").write_text("a file where the folder should be")
    with pytest.raises(SystemExit) as fault:
        main(["doctor"])
    assert fault.value.code == 1
    assert "fault home" in capsys.readouterr().out


def test_without_servers_status_and_down_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    assert main(["down"]) == 0
    shown = capsys.readouterr().out
    assert "make up" in shown
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
