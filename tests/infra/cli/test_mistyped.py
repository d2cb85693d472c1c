"""STILLHOUSE_* that nothing reads."""

from pathlib import Path

import pytest

from infra.cli.mistyped import warnings

OWN = ("extract", "expected_share")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    ["STILLHOUSE_STORE", "STILLHOUSE_EXTRACT__TABLE", "STILLHOUSE_EXPECTED_SHARE"],
)
def test_what_is_read_is_not_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    assert list(warnings(OWN)) == []


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("STILLHOUSE_STROE", "STILLHOUSE_STORE"),
        ("STILLHOUSE_EXTRCAT__TABLE", "STILLHOUSE_EXTRACT__TABLE"),
        ("STILLHOUSE_HUB_TOKN", "STILLHOUSE_HUB_TOKEN"),
    ],
)
def test_a_slip_is_told_with_what_was_meant(name: str, close: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    assert list(warnings(OWN)) == [f"{name} is not a setting: did you mean {close}?"]


def test_a_flow_s_field_in_dotenv_is_told_because_it_is_not_read_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "team.env"
    file.write_text("STILLHOUSE_EXTRACT__TEXT_COLUMN=body\nSTILLHOUSE_HUB=local\n")
    monkeypatch.setenv("STILLHOUSE_ENV_FILE", str(file))
    (said,) = warnings(OWN)
    assert "STILLHOUSE_EXTRACT__TEXT_COLUMN" in said and "--extract.text-column" in said
