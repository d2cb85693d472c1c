"""A student that the base model is too small for is refused before anything is trained."""

import json
from pathlib import Path

import pytest

from flows.configs.compress import CompressFlowConfig, asked_shapes
from flows.configs.end_to_end import EndToEndConfig
from infra.errors import ConfigError
from tasks.models.shape import AskedShapes, check_shapes


def base(folder: Path, **config: int | str) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def asked(layers: int, units: int) -> AskedShapes:
    return AskedShapes(
        layers={"distill.layers": layers}, intermediate_size={"distill.intermediate_size": units}
    )


@pytest.mark.parametrize(
    ("depth", "width"), [("num_hidden_layers", "intermediate_size"), ("n_layers", "hidden_dim")]
)
def test_a_student_may_have_all_that_the_base_has_and_no_more(tmp_path: Path, depth: str, width: str) -> None:
    folder = base(tmp_path, **{depth: 6, width: 1536})
    check_shapes(asked(6, 1536), folder)
    with pytest.raises(ConfigError, match=r"distill.layers is 7: expected at most 6.*--distill.layers"):
        check_shapes(asked(7, 768), folder)
    with pytest.raises(ConfigError, match=r"1537: expected at most 1536.*--distill.intermediate-size"):
        check_shapes(asked(2, 1537), folder)


def test_a_base_that_says_neither_size_passes(tmp_path: Path) -> None:
    check_shapes(asked(99, 99), base(tmp_path, model_type="other"))


def test_a_search_asks_for_its_deepest_and_widest(tmp_path: Path) -> None:
    search = {"search": {"layers": [1, 9], "intermediate_size": [384, 4096]}}
    shapes = asked_shapes(CompressFlowConfig.model_validate(search))
    assert (shapes.layers["search.layers"], shapes.intermediate_size["search.intermediate_size"]) == (9, 4096)
    with pytest.raises(ConfigError, match=r"search.layers is 9"):
        check_shapes(shapes, base(tmp_path, num_hidden_layers=6, intermediate_size=8192))
    assert set(asked_shapes(EndToEndConfig()).layers) == {"distill.layers"}
