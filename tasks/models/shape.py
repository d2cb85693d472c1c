"""Whether what is asked for fits into the base model, looked at before anything is trained."""

import json
from pathlib import Path

from pydantic import Field

from infra.errors import ConfigError
from tasks.formats.value import Value

# As transformers' configs call them: BERT and its kin, then DistilBERT.
NAMES = {
    "layers": ("num_hidden_layers", "n_layers"),
    "intermediate_size": ("intermediate_size", "hidden_dim"),
    "positions": ("max_position_embeddings",),
}


class AskedShapes(Value):
    """What a run wants of its base model at most, each size by the option that asks for it."""

    layers: dict[str, int] = Field(
        {}, description="option -> layers that a student keeps, or that stay frozen"
    )
    intermediate_size: dict[str, int] = Field(
        {}, description="option -> feed-forward units kept in each layer"
    )
    positions: dict[str, int] = Field({}, description="option -> tokens of a block")


def check_shapes(asked: AskedShapes, base: Path) -> None:
    """Raise ConfigError for what is deeper, wider or longer than the base model in the folder `base`.

    A base model whose config does not name a size passes: another check comes with the training.
    """
    there = json.loads((base / "config.json").read_text(encoding="utf-8"))
    for field, names in NAMES.items():
        most = next((there[name] for name in names if isinstance(there.get(name), int)), None)
        for option, size in getattr(asked, field).items():
            if most is not None and size > most:
                raise ConfigError(
                    f"{option} is {size}: expected at most {most}, what the base model has. "
                    f"Give --{option.replace('_', '-')}, or a larger base model by --base.source."
                )
