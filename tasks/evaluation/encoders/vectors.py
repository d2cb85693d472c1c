"""A vector a text from each layer of an encoder, by each pooling: computed once, chosen from later."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import normalize
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tasks.evaluation.encoders.config import GAP, ProbeConfig
from tasks.formats.rust_panics import tokenizing
from tasks.models.batching import encode, pad
from tasks.models.device import accelerated_device, on_device
from tasks.models.loading import load_body, load_tokenizer, longest_row
from tasks.models.model import mean_pool
from tasks.training.precision import autocast

BATCH = 64
Vectors = dict[str, np.ndarray]  # of each layer and pooling, by `layer 5, mean`


def layer_vectors(folder: Path, texts: Sequence[str], config: ProbeConfig) -> Vectors:
    """float32 [texts, hidden] of length one by `layer N, pooling`; layer 0 are the embeddings.

    Raises ArtifactError when the encoder in `folder` is damaged.
    """
    body, tokenizer = load_body(folder).eval(), load_tokenizer(folder)
    longest = min(config.max_length, longest_row(body, tokenizer))
    rows = encode(tokenizer, texts, longest)
    found = _forward(body, rows, tokenizer.pad_token_id, config, None)
    if config.prompt is not None:
        prompted = _with_prompt(tokenizer, texts, config.prompt, longest)
        found |= _forward(body, prompted, tokenizer.pad_token_id, config, tokenizer.mask_token_id)
    return found


def _with_prompt(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], prompt: str, max_length: int
) -> list[list[int]]:
    """Texts, cut so that the prompt behind each is whole, as pairs."""
    behind = [prompt.replace(GAP, str(tokenizer.mask_token))] * len(texts)
    with tokenizing(tokenizer.name_or_path):
        pairs = tokenizer(list(texts), behind, truncation="only_first", max_length=max_length, padding=False)
    return pairs["input_ids"]


def _forward(
    body: PreTrainedModel, rows: Sequence[Sequence[int]], pad_id: int, config: ProbeConfig, gap: int | None
) -> Vectors:
    """All layers; poolings of the config, or of the last token `gap` alone where one is given."""
    order = np.argsort([len(row) for row in rows], kind="stable")
    poolings = config.poolings if gap is None else ("gap",)
    found: Vectors = {}
    with (
        on_device(body) as device,
        torch.inference_mode(),
        autocast(config.mixed_precision, accelerated_device()),
        tqdm(total=len(rows), desc="vectors", unit="text", leave=False, disable=None) as bar,
    ):
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            ids, mask = (part.to(device) for part in pad([rows[row] for row in chosen], pad_id))
            layers = body(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
            for number, tokens in enumerate(layers):
                for pooling in poolings:
                    vectors = normalize(
                        _pool(tokens.float(), ids, mask, pooling, -1 if gap is None else gap), dim=-1
                    )
                    name = f"layer {number}, {pooling}"
                    if name not in found:
                        found[name] = np.empty((len(rows), vectors.shape[1]), dtype=np.float32)
                    found[name][chosen] = vectors.cpu().numpy()
            bar.update(len(chosen))
    return found


def _pool(
    tokens: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor, pooling: str, gap: int
) -> torch.Tensor:
    """float [batch, hidden] of token vectors [batch, sequence, hidden]."""
    if pooling == "mean":
        return mean_pool(tokens, mask)
    if pooling == "first":
        return tokens[:, 0]
    # The text itself may hold a mask token: the prompt's is the last one.
    last = ids.eq(gap).long() * torch.arange(1, ids.shape[1] + 1, device=ids.device)
    return tokens[torch.arange(len(ids), device=ids.device), last.argmax(dim=1)]
