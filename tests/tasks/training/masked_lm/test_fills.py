from pathlib import Path

import pytest
import torch
from transformers import pipeline

from infra.errors import DataError
from tasks.models.loading import load_tokenizer, quiet_transformers
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.training.masked_lm.fills import fills
from tests.tasks.models.tiny_encoder import tiny_tokenizer
from tests.tasks.training.masked_lm.toy import tiny_model

TEXT = "what is my [MASK] please"


def test_fills_are_those_of_transformers_pipeline(tmp_path: Path) -> None:
    """Of a model just made, saved and read again: the pipeline opens the folder as it is."""
    tiny_model(initializer_range=0.5).save(tmp_path, tiny_tokenizer())
    model = MaskedLanguageModel.load(tmp_path).train()
    found = fills(model, load_tokenizer(tmp_path), TEXT, k=4)
    assert model.training
    with quiet_transformers():
        theirs = pipeline("fill-mask", model=str(tmp_path))(TEXT, top_k=4)
    assert [fill.token for fill in found] == [fill["token_str"] for fill in theirs]
    assert [fill.probability for fill in found] == pytest.approx([fill["score"] for fill in theirs], rel=1e-4)


def test_probabilities_of_all_tokens_add_up_to_one() -> None:
    found = fills(tiny_model(), tiny_tokenizer(), TEXT, k=32)
    assert sum(fill.probability for fill in found) == pytest.approx(1.0, rel=1e-5)
    assert [fill.probability for fill in found] == sorted((fill.probability for fill in found), reverse=True)


@pytest.mark.parametrize("text", ["what is my balance", "[MASK] is my [MASK]", "what " * 70 + "[MASK]"])
def test_a_text_without_one_gap_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="expected it once"):
        fills(tiny_model(), tiny_tokenizer(), text)


def test_the_likeliest_is_what_the_bias_says_where_nothing_else_does() -> None:
    model = tiny_model(initializer_range=1e-4)
    with torch.no_grad():
        model.model.get_output_embeddings().bias[9] = 5.0
    (best,) = fills(model, tiny_tokenizer(), TEXT, k=1)
    assert best.token == tiny_tokenizer().convert_ids_to_tokens(9) and best.probability > 0.8
