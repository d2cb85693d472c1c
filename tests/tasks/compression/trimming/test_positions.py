import pytest
import torch
from transformers import BertConfig, RobertaConfig

from tasks.compression.trimming.positions import cut_positions
from tasks.models.model import SentenceClassifier


@pytest.mark.parametrize(("padding_first", "rows"), [(None, 16), (1, 18)])
def test_cutting_positions_changes_no_answer(padding_first: int | None, rows: int) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    if padding_first is None:
        config = BertConfig(vocab_size=60, max_position_embeddings=66, **sizes)
    else:  # positions begin after the padding id
        config = RobertaConfig(vocab_size=60, max_position_embeddings=66, pad_token_id=padding_first, **sizes)
    model = SentenceClassifier.from_config(config, 5).eval()
    ids, mask = torch.full((2, 16), 7), torch.ones((2, 16), dtype=torch.int64)
    with torch.no_grad():
        before = model(ids, mask).logits
        after = cut_positions(model, 16)(ids, mask).logits
    assert torch.equal(before, after)
    assert model.body.config.max_position_embeddings == rows
