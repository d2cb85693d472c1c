"""The package: its layout, the same bytes each time, and the ten lines of the docs that use it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.errors import ArtifactError
from tasks.serving.release.package import MODEL_FILE, package_model, read_package
from tests.conftest import ROOT
from tests.tasks.serving.release.tiny_release import make_onnx_artifact

DOC = ROOT / "docs" / "use-a-release.md"
USE = ROOT / "tasks" / "serving" / "release" / "templates" / "use_release.txt"


def test_what_was_quantized_is_copied_byte_for_byte_beside_the_settings_of_its_tokenizer(
    tmp_path: Path,
) -> None:
    model = make_onnx_artifact(tmp_path / "model")
    metrics = package_model(model, tmp_path / "release")
    files = {
        str(path.relative_to(tmp_path / "release"))
        for path in (tmp_path / "release").rglob("*")
        if path.is_file()
    }
    assert files == {MODEL_FILE, "config.json", "tokenizer.json", "tokenizer_config.json"}
    assert (tmp_path / "release" / MODEL_FILE).read_bytes() == (model / "model.onnx").read_bytes()
    assert metrics["size_mb"] * 1e6 == sum((tmp_path / "release" / name).stat().st_size for name in files)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model = make_onnx_artifact(tmp_path / "model")
    package_model(model, tmp_path / "a")
    package_model(model, tmp_path / "b")
    assert read_package(tmp_path / "a").sha256 == read_package(tmp_path / "b").sha256


@pytest.mark.parametrize("name", ["model.onnx", "config.json", "tokenizer.json"])
def test_an_incomplete_model_is_refused_by_the_name_of_what_is_missing(tmp_path: Path, name: str) -> None:
    model = make_onnx_artifact(tmp_path / "model")
    (model / name).unlink()
    with pytest.raises(ArtifactError, match=f"lacks {name}"):
        package_model(model, tmp_path / "release")


def test_weights_outside_the_graph_are_refused(tmp_path: Path) -> None:
    model = make_onnx_artifact(tmp_path / "model")
    (model / "model.onnx.data").write_bytes(b"weights")
    with pytest.raises(ArtifactError, match="self-contained"):
        package_model(model, tmp_path / "release")


def test_the_ten_lines_of_the_docs_answer_without_this_project(tmp_path: Path) -> None:
    package_model(make_onnx_artifact(tmp_path / "model"), tmp_path / "release")
    blocks = re.findall(r"```python\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks[0] == USE.read_text(encoding="utf-8")  # the card shows the same lines
    assert len([line for line in blocks[0].splitlines() if line and "import" not in line]) <= 10
    result = subprocess.run(
        [sys.executable, "-I", "-c", blocks[0]],
        cwd=tmp_path / "release",
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "['pin_change', 'transfer']"
