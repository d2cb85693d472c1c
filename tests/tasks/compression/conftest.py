from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.compression.export.config import CompressConfig
from tasks.compression.export.export import export_onnx
from tasks.compression.quantization.quantize import quantize_onnx
from tests.tasks.models.tiny_encoder import write_dataset, write_teacher


@dataclass(frozen=True)
class Chain:
    """Folders of a checkpoint and what is made of it."""

    checkpoint: Path
    dataset: Path
    onnx: Path
    int8: Path


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    root = tmp_path_factory.mktemp("compress")
    made = Chain(
        write_teacher(root / "checkpoint"), write_dataset(root / "dataset"), root / "onnx", root / "int8"
    )
    for folder in (made.onnx, made.int8):
        folder.mkdir()
    export_onnx(CompressConfig(), made.checkpoint, made.dataset, made.onnx)
    quantize_onnx(CompressConfig(), made.onnx, made.dataset, made.int8)
    return made
