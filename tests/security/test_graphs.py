"""An exported graph is read from its folder alone, and one that says otherwise is named."""

from pathlib import Path

import pytest

from infra.errors import ArtifactError
from tasks.compression.export.folder import read_model
from tests.security.outside_graph import PLACES, write_graph


@pytest.mark.parametrize("place", PLACES)
def test_a_graph_whose_weights_lie_elsewhere_is_named(tmp_path: Path, place: str) -> None:
    folder = write_graph(tmp_path / "graph", place)
    with pytest.raises(ArtifactError, match=rf"{folder}/model\.onnx cannot be read"):
        read_model(folder)
