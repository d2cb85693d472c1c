"""Four sizes from one dial, to the parameter, and what may differ from them."""

import pytest
import torch
from pydantic import ValidationError
from transformers import GPT2LMHeadModel

from tasks.models.gpt.config import SHAPES, GptConfig, Size
from tasks.models.gpt.forward import hidden_states
from tasks.models.gpt.fresh import gpt_config
from tasks.models.gpt.model import Gpt


def on_meta(size: Size) -> Gpt:
    """The whole model without a byte of its weights."""
    with torch.device("meta"):
        return Gpt(GPT2LMHeadModel(gpt_config(GptConfig(size=size), SHAPES[size].vocabulary, end_id=0)))


@pytest.mark.parametrize(
    ("size", "parameters", "embeddings"),
    [
        ("nano", 1_135_744, 540_672),
        ("small", 5_322_240, 2_162_688),
        ("base", 111_008_256, 25_952_256),
        ("xl", 1_529_628_800, 54_067_200),
    ],
)
def test_each_size_has_the_parameters_that_it_says(size: Size, parameters: int, embeddings: int) -> None:
    model, shape = on_meta(size), SHAPES[size]
    assert (model.parameter_count, model.embedding_count) == (parameters, embeddings)
    # By hand: a layer has 12 d^2 in its four matrices and 13 d in biases and norms; a last norm; the embeddings, once.
    layer = 12 * shape.width**2 + 13 * shape.width
    assert parameters == shape.layers * layer + 2 * shape.width + embeddings
    assert model.context == shape.context and model.model.config.n_head == shape.heads
    assert model.model.lm_head.weight is model.model.transformer.wte.weight
    body, ids = model.model.transformer, torch.zeros(2, 8, dtype=torch.int64, device="meta")
    body.h = body.h[:1]  # one layer says as much of shapes as 48
    assert hidden_states(body, ids).shape == (2, 8, shape.width)


def test_what_is_asked_otherwise_takes_the_place_of_the_size_s() -> None:
    assert GptConfig(size="nano").shape == SHAPES["nano"]
    asked = GptConfig(size="base", layers=2, context=64)
    assert asked.shape == SHAPES["base"]._replace(layers=2, context=64)


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(
        ValidationError, match="width is 100 and heads is 3: expected a multiple of the heads"
    ):
        GptConfig(width=100, heads=3)
    with pytest.raises(ValidationError, match="width is 128 and heads is 5"):
        GptConfig(size="nano", heads=5)
