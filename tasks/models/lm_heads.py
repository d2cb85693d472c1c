"""Where transformers' masked language models keep their heads, whether a checkpoint has one, and how one begins.

A head is a chain of modules: each takes what the one before it gave, from hidden vectors to logits.
"""

import json
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import PreTrainedModel

from infra.errors import ArtifactError, ConfigError
from tasks.formats.foreign_config import read_object

ACTIVATION = "activation"  # a link that holds no weights
CHAINS: dict[str, tuple[str, ...]] = {
    "albert": ("predictions",),
    "bert": ("cls.predictions",),
    "camembert": ("lm_head",),
    "deberta-v2": ("cls.predictions",),
    "distilbert": ("vocab_transform", ACTIVATION, "vocab_layer_norm", "vocab_projector"),
    "electra": ("generator_predictions", "generator_lm_head"),
    "modernbert": ("head", "decoder"),
    "mpnet": ("lm_head",),
    "roberta": ("lm_head",),
    "xlm-roberta": ("lm_head",),
}
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


def chain_of(kind: object) -> tuple[str, ...]:
    """Names of the head's modules in a model of type `kind`; raises ConfigError for one that is not known here."""
    if kind not in CHAINS:
        raise ConfigError(
            f"a model of type {kind!r} has no masked-LM head that is known here: expected one of {', '.join(CHAINS)}. Take "
            "such a model, or name its head in tasks/models/lm_heads.py."
        )
    return CHAINS[kind]


def links_of(model: PreTrainedModel) -> list[nn.Module]:
    """The modules of the head of `model`, a masked language model of transformers, in the order they are called."""
    return [model.get_submodule(name) for name in chain_of(model.config.model_type)]


def is_of_head(name: str, kind: object) -> bool:
    """Whether a weight of a model of type `kind` belongs to its head, by its name."""
    return any(name.startswith(f"{link}.") for link in chain_of(kind))


def has_head(folder: Path) -> bool:
    """Whether the checkpoint in `folder` comes with a masked-LM head: names of weights are read, no weights.

    Raises ConfigError for a type of model that is not known here, ArtifactError when config or weights cannot be read.
    """
    links = chain_of(read_object(folder / "config.json").get("model_type"))
    names = _weight_names(folder)
    return all(any(name.startswith(f"{link}.") for name in names) for link in links if link != ACTIVATION)


def _weight_names(folder: Path) -> list[str]:
    try:
        if (folder / INDEX).is_file():
            return list(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"])
        with safe_open(folder / WEIGHTS, "pt") as file:
            return list(file.keys())
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ArtifactError(
            f"the weights in {folder} cannot be read ({type(error).__name__}: {error}): expected {WEIGHTS}, or {INDEX} and "
            "its parts. Delete the folder and make or fetch it again."
        ) from error


def log_unigrams(counts: np.ndarray) -> torch.Tensor:
    """Log of each token's share of the text, float32 [vocabulary], from its `counts` int64 [vocabulary] there.

    Each is counted once more than it stood (add-one, Laplace), so that no token is impossible.
    """
    seen = counts.astype(np.float64) + 1.0
    return torch.from_numpy(np.log(seen / seen.sum())).float()


@torch.no_grad()
def begin_head(model: PreTrainedModel, counts: np.ndarray) -> None:
    """Set the head of `model`, in place, to what a new one begins with, from `counts` int64 [tokens] of the training text.

    The bias is the log of the unigram frequencies: which tokens are frequent need not be learned. The transform's matrix is
    the identity (of its first rows where it narrows): an encoder's last vectors still lie near the embeddings of their
    words, which are the decoder, and a random matrix would hide that. all-MiniLM-L6-v2 on books in nats a masked token,
    unigram 6.51: the identity has 6.21 before any training and 4.78 after 60 steps, random numbers 6.85 and 5.05.

    Raises ConfigError when more tokens are counted than the model has.
    """
    decoder = cast(nn.Linear, model.get_output_embeddings())
    if len(counts) > len(decoder.bias):
        raise ConfigError(
            f"{len(counts):,} tokens were counted, and the model has {len(decoder.bias):,}: expected a text of its own "
            "tokenizer. Tokenize the text again."
        )
    known = np.zeros(len(decoder.bias), dtype=np.int64)
    known[: len(counts)] = counts
    decoder.bias.copy_(log_unigrams(known))
    for link in links_of(model):
        for module in link.modules():
            if isinstance(module, nn.Linear) and module is not decoder:
                nn.init.eye_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
