"""What a worker does that holds the body of an encoder: it says how large it is, and times itself on made-up tokens.

Latency does not depend on which tokens these are. Libraries are imported here alone: the parent needs none of them.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import ConfigError
from tasks.evaluation.latency.protocol import OpenedBody
from tasks.evaluation.latency.threads import set_torch_threads

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_held: list["PreTrainedModel"] = []  # at most one


def open_body(folder: Path, threads: int, tokens: int) -> OpenedBody:
    """Load the encoder in `folder` without head and pooler, in float32.

    Raises ArtifactError when it cannot be read, ConfigError when it cannot read rows of `tokens`.
    """
    import torch

    from tasks.models.loading import load_body

    set_torch_threads(threads)
    body = load_body(folder).eval()
    _held[:] = [body]
    require_positions(body, tokens)
    parameters = sum(value.numel() for value in body.parameters())
    embeddings = sum(value.numel() for value in body.get_submodule("embeddings").parameters())
    return OpenedBody(
        runtime=f"torch {torch.__version__}",
        architecture=body.config.model_type,
        layers=getattr(body.config, "num_hidden_layers", None),
        parameters=parameters,
        layer_parameters=parameters - embeddings,
        weight_bytes=sum(path.stat().st_size for path in folder.glob("model*.safetensors")),
    )


def require_positions(body: "PreTrainedModel", tokens: int) -> None:
    """Raise ConfigError when `body` cannot read rows of `tokens`."""
    from tasks.models.architecture import ARCHITECTURES

    config = body.config
    names = ARCHITECTURES.get(config.model_type)
    most = config.max_position_embeddings - (names.first_position(config.pad_token_id) if names else 0)
    if tokens > most:
        raise ConfigError(f"rows of {tokens} tokens: expected at most the model's {most}. Give fewer tokens.")


def time_body(batch_size: int, tokens: int, warmups: int, timed: int) -> list[int]:
    """Nanoseconds of each of `timed` forward passes over [batch_size, tokens], after `warmups` that are not counted."""
    import torch

    (body,) = _held
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(body.config.vocab_size, (batch_size, tokens), generator=random)
    mask, times = torch.ones_like(ids), []
    with torch.inference_mode():
        for _ in range(warmups + timed):
            start = time.perf_counter_ns()
            body(input_ids=ids, attention_mask=mask)
            times.append(time.perf_counter_ns() - start)
    return times[warmups:]
