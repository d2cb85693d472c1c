"""`--help` of a flow: what users set; `--help-all`: every field with its bounds. Short, and without loading the flow."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from infra.cli.flow_help import OFTEN, SELDOM, bounds, print_help
from infra.engine.registry import flow_commands
from tests.typed import STILLHOUSE, typed

LINES, COLUMNS = 100, 100
HEAVY = ("prefect", "mlflow", "torch", "numpy", "pyarrow", "duckdb", "transformers")
FLOWS = sorted(flow_commands())


class Inner(BaseModel):
    rate: float = Field(
        0.1, gt=0, le=1, description="how quick; more is worse", json_schema_extra={OFTEN: True}
    )
    rare: int = Field(3, ge=1, description="what nobody sets")


class Asked(BaseModel):
    inner: Inner = Field(Inner(), description="the inner part")


@pytest.mark.parametrize("flow", FLOWS)
def test_help_of_a_flow_fits_on_a_screen_or_two(flow: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert flow_commands()[flow].main(["--help"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) <= LINES
    assert max(map(len, shown)) <= COLUMNS


@pytest.mark.parametrize("flow", FLOWS)
def test_every_flow_says_of_some_fields_that_users_set_them(
    flow: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flow_commands()[flow].main(["--help"])
    short = capsys.readouterr().out
    flow_commands()[flow].main(["--help-all"])
    whole = capsys.readouterr().out
    assert "--extract.table" in short
    assert len(short) < len(whole)


def test_a_section_that_is_seldom_set_is_in_the_whole_help_alone(capsys: pytest.CaptureFixture[str]) -> None:
    class Rarely(BaseModel):
        inner: Inner = Field(Inner(), description="the inner part", json_schema_extra={SELDOM: True})

    print_help("a flow", {}, Rarely, whole=False)
    assert "--inner" not in capsys.readouterr().out
    print_help("a flow", {}, Rarely, whole=True)
    assert "--inner.rate" in capsys.readouterr().out


def test_a_field_that_users_set_is_told_with_its_default_and_in_whole_with_its_bounds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_help("a flow", {"--dry-run": "what would be computed"}, Asked, whole=False)
    short = capsys.readouterr().out
    assert "inner: the inner part" in short and "how quick [0.1]" in short and "rare" not in short
    print_help("a flow", {}, Asked, whole=True)
    whole = " ".join(capsys.readouterr().out.split())
    assert "how quick; more is worse (above 0 to 1, default 0.1)" in whole
    assert "--inner.rare N what nobody sets (1 or more, default 3)" in whole


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"ge": 1, "le": 1000}, "1 to 1000"),
        ({"gt": 0}, "above 0"),
        ({"ge": 0}, "0 or more"),
        ({"ge": 0, "lt": 1}, "0 to below 1"),
        ({"lt": 5}, "below 5"),
        ({}, ""),
    ],
)
def test_bounds_are_told_in_words(given: dict[str, float], told: str) -> None:
    assert bounds(Field(**given)) == told  # type: ignore[call-overload]


@pytest.mark.parametrize("command", [("stillhouse", "run", "end-to-end"), ("flows.end_to_end",)])
def test_help_loads_none_of_the_libraries_that_take_seconds(command: tuple[str, ...], tmp_path: Path) -> None:
    words = typed(*command)
    words = words if words[0] == STILLHOUSE else [sys.executable, "-X", "importtime", *words[1:]]
    words = [sys.executable, "-X", "importtime", *words] if words[0] == STILLHOUSE else words
    done = subprocess.run([*words, "--help"], capture_output=True, text=True, timeout=60, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert loaded.isdisjoint(HEAVY)
