"""A flow's command line, as typed."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from infra.cli.flow_command import FlowCommand
from infra.cli.flow_run import RunnableFlow
from infra.engine.run import PlanLine, current_run, open_run
from infra.errors import DataError

from prefect import flow  # isort: skip


class Extract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    table: tuple[Path, ...] = Field((), description="your rows")
    text_column: str | None = Field(None, description="column of the text")
    parameters: dict[str, str | int | tuple[str, ...]] = Field(
        {}, description="values of the query's parameters"
    )


class Distill(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    temperature: float = Field(2.0, gt=0, description="softens both softmaxes")


class Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    recipe: str | None = None
    extract: Extract = Field(Extract(), description="which rows")
    distill: Distill = Field(Distill(), description="the student")


class Result(BaseModel):
    asked: Asked


@flow(name="echo")
def echo(config: Asked) -> Result:
    with open_run("echo", config):
        if config.distill.temperature == 13:
            raise DataError("13 rows found: expected 14. Add one.")
        current_run().planned(PlanLine(name="echo", state="miss", why="temperature"))
        return Result(asked=config)


@pytest.fixture
def command(tmp_path: Path) -> FlowCommand[Asked]:
    presets = tmp_path / "presets"
    presets.mkdir()
    (presets / "warm.yaml").write_text("distill: {temperature: 5}\nextract: {text_column: '{here}'}\n")
    return FlowCommand(
        "echo", "Say it again.", Asked, presets, lambda: RunnableFlow(echo, lambda r: r, lambda r: 3)
    )


def run(command: FlowCommand[Asked], tmp_path: Path, *argv: str) -> Asked:
    report = tmp_path / "out" / "report.json"
    assert command.main([*argv, "--report", str(report)]) == 3
    return Result(**json.loads(report.read_text())).asked


@pytest.mark.usefixtures("prefect_server", "tracked_home")
class TestStrength:
    def test_command_line_over_file_over_environment_over_preset(
        self, command: FlowCommand[Asked], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        preset = ["--preset", "warm"]
        assert run(command, tmp_path, *preset).distill.temperature == 5
        monkeypatch.setenv("STILLHOUSE_DISTILL__TEMPERATURE", "6")
        assert run(command, tmp_path, *preset).distill.temperature == 6
        (tmp_path / "mine.yaml").write_text("distill: {temperature: 7}")
        file = ["--config", str(tmp_path / "mine.yaml")]
        assert run(command, tmp_path, *preset, *file).distill.temperature == 7
        assert run(command, tmp_path, *preset, *file, "--distill.temperature", "8").distill.temperature == 8

    def test_dashes_and_underscores_are_the_same_in_names_and_untouched_in_values(
        self, command: FlowCommand[Asked], tmp_path: Path
    ) -> None:
        for option in ("--extract.text-column", "--extract.text_column"):
            assert run(command, tmp_path, option, "a_b-c").extract.text_column == "a_b-c"
        assert run(command, tmp_path, "--extract.text_column=a_b-c").extract.text_column == "a_b-c"

    def test_one_entry_of_a_mapping_is_set_without_json(
        self, command: FlowCommand[Asked], tmp_path: Path
    ) -> None:
        asked = run(
            command, tmp_path, "--extract.parameters.sample_percent", "5", "--extract.parameters.domains=a,b"
        )
        assert asked.extract.parameters == {"sample_percent": "5", "domains": "a,b"}

    def test_a_preset_knows_its_folder(self, command: FlowCommand[Asked], tmp_path: Path) -> None:
        assert run(command, tmp_path, "--preset", "warm").extract.text_column == str(command.presets)

    def test_a_user_s_mistake_inside_the_flow_is_one_message(
        self, command: FlowCommand[Asked], capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert command.main(["--distill.temperature", "13"]) == 2
        error = capfd.readouterr().err
        assert "DataError: 13 rows found" in error
        assert "Traceback" not in error


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--distill.temperature", "0"], "distill.temperature is '0': input should be greater than 0"),
        (["--distill.temprature", "1"], "Did you mean --distill.temperature?"),
        (["--preset", "wram"], "'wram' is no recipe: expected one of 'warm'. Did you mean warm?"),
        (["--extract.parameters.domains"], "--extract.parameters.domains has no value"),
        (["--config", "absent.yaml"], "absent.yaml cannot be read"),
        (["stray"], "unrecognized arguments: stray"),
    ],
)
def test_a_wrong_word_is_one_message_with_the_remedy(
    command: FlowCommand[Asked], argv: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert command.main(argv) == 2
    error = " ".join(capfd.readouterr().err.split())
    assert said in error
    assert "Traceback" not in error


def test_help_all_lists_every_field_and_every_option(
    command: FlowCommand[Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--help-all"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for word in (
        "--extract.table",
        "--distill.temperature",
        "softens both softmaxes",
        "--preset",
        "--dry-run",
        "--report",
    ):
        assert word in shown


def test_a_dry_run_prints_the_plan_and_makes_no_home(
    command: FlowCommand[Asked], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--dry-run"]) == 0
    assert "miss echo temperature" in " ".join(capsys.readouterr().out.split())
    assert not (home / "artifacts").exists()
