"""Where a BERT-like encoder of transformers keeps its layers, its matrices and its sizes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from torch import nn
from transformers import PreTrainedModel

from infra.errors import ConfigError

WORDS = "embeddings.word_embeddings.weight"
POSITIONS = "embeddings.position_embeddings.weight"


@dataclass(frozen=True)
class Architecture:
    """Names within the body (`layers`), within a layer (`query` to `output`) and within the config (`depth`,
    `width`, `heads`).
    """

    layers: str = "encoder.layer"
    query: str = "attention.self.query"
    key: str = "attention.self.key"
    value: str = "attention.self.value"
    attention_output: str = "attention.output.dense"  # joins what the heads have read
    intermediate: str = "intermediate.dense"
    output: str = "output.dense"
    depth: str = "num_hidden_layers"
    width: str = "intermediate_size"
    heads: str = "num_attention_heads"
    dropouts: tuple[str, ...] = ("hidden_dropout_prob", "attention_probs_dropout_prob")
    positions_follow_padding: bool = False  # RoBERTa's kin count positions from the padding id + 1
    heads_are_alike: bool = True  # MPNet adds a position bias of its own to each head

    def first_position(self, pad_id: int) -> int:
        """Row of the position embeddings that the first token reads."""
        return pad_id + 1 if self.positions_follow_padding else 0

    def layers_of(self, body: PreTrainedModel) -> nn.ModuleList:
        """The body's layers, first to last."""
        return cast(nn.ModuleList, body.get_submodule(self.layers))

    def matrix(self, layer: nn.Module, name: str) -> nn.Linear:
        """The matrix of `layer` that one of the names above says."""
        return cast(nn.Linear, layer.get_submodule(name))

    def head_size(self, body: PreTrainedModel) -> int:
        """Width of one attention head; it stays when heads go."""
        return body.config.hidden_size // getattr(body.config, self.heads)

    def matrices_of(self, body: PreTrainedModel) -> Iterator[tuple[str, nn.Linear]]:
        """Every matrix of the layers, with its name within the body: what pruning looks at."""
        for name, module in self.layers_of(body).named_modules():
            if isinstance(module, nn.Linear):
                yield f"{self.layers}.{name}", module


BERT = Architecture()
ROBERTA = Architecture(positions_follow_padding=True)
MPNET = Architecture(
    query="attention.attn.q",
    key="attention.attn.k",
    value="attention.attn.v",
    attention_output="attention.attn.o",
    positions_follow_padding=True,
    heads_are_alike=False,
)
DISTILBERT = Architecture(
    layers="transformer.layer",
    query="attention.q_lin",
    key="attention.k_lin",
    value="attention.v_lin",
    attention_output="attention.out_lin",
    intermediate="ffn.lin1",
    output="ffn.lin2",
    depth="n_layers",
    width="hidden_dim",
    heads="n_heads",
    dropouts=("dropout", "attention_dropout"),
)
ARCHITECTURES = {
    "bert": BERT,
    "distilbert": DISTILBERT,
    "electra": BERT,
    "mpnet": MPNET,
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
}


def architecture_of(body: PreTrainedModel) -> Architecture:
    """The names for `body`; raises ConfigError for a kind of model whose layers are not known here."""
    kind = body.config.model_type
    if kind not in ARCHITECTURES:
        raise ConfigError(
            f"a model of type {kind!r} can be neither distilled nor cut: expected one of "
            f"{', '.join(ARCHITECTURES)}. Train from such an encoder, or name its layers in "
            "tasks/models/architecture.py."
        )
    return ARCHITECTURES[kind]
