"""Where a BERT-like encoder of transformers keeps its layers, its feed-forward blocks and its sizes."""

from dataclasses import dataclass

from transformers import PreTrainedModel

from infra.errors import ConfigError

WORDS = "embeddings.word_embeddings.weight"
POSITIONS = "embeddings.position_embeddings.weight"


@dataclass(frozen=True)
class Architecture:
    """Names within the body (`layers`), within a layer (`up`, `down`) and within the config (`depth`,
    `width`).
    """

    layers: str = "encoder.layer"
    up: str = "intermediate.dense"
    down: str = "output.dense"
    depth: str = "num_hidden_layers"
    width: str = "intermediate_size"
    dropouts: tuple[str, ...] = ("hidden_dropout_prob", "attention_probs_dropout_prob")
    positions_follow_padding: bool = False  # RoBERTa's kin count positions from the padding id + 1

    def first_position(self, pad_id: int) -> int:
        """Row of the position embeddings that the first token reads."""
        return pad_id + 1 if self.positions_follow_padding else 0


BERT = Architecture()
ROBERTA = Architecture(positions_follow_padding=True)
DISTILBERT = Architecture(
    layers="transformer.layer",
    up="ffn.lin1",
    down="ffn.lin2",
    depth="n_layers",
    width="hidden_dim",
    dropouts=("dropout", "attention_dropout"),
)
ARCHITECTURES = {
    "bert": BERT,
    "distilbert": DISTILBERT,
    "electra": BERT,
    "mpnet": ROBERTA,
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
}


def architecture_of(body: PreTrainedModel) -> Architecture:
    """The names for `body`; raises ConfigError for a kind of model whose layers are not known here."""
    kind = body.config.model_type
    if kind not in ARCHITECTURES:
        raise ConfigError(
            f"a teacher of type {kind!r} cannot be distilled: expected one of {', '.join(ARCHITECTURES)}. "
            "Train the teacher from such an encoder, or name its layers in tasks/distill/architecture.py."
        )
    return ARCHITECTURES[kind]
