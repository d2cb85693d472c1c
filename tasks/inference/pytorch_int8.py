"""A checkpoint in PyTorch's dynamic int8: its files, and from texts to logits.

PyTorch stores such a model by pickling packed weights, which runs code when it is read and holds kernels of one
processor. Here the integers, scales and zero points lie in safetensors as they are and are packed when they are read.
"""

import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torch.ao.nn.quantized import Embedding as QuantizedEmbedding
from torch.ao.nn.quantized.dynamic import Linear as QuantizedLinear
from transformers import AutoConfig

from infra.errors import ArtifactError
from tasks.formats.checkpoint import load_info
from tasks.formats.foreign_config import check_asks_for_no_code, read_object
from tasks.formats.model_files import TOKENIZER_FILES
from tasks.inference.pytorch import PytorchRunner
from tasks.models.model import SentenceClassifier

WEIGHTS_FILE = "int8.safetensors"
BESIDE = ("config.json", "classifier.json", *TOKENIZER_FILES)
Tensors = dict[str, torch.Tensor]


class PytorchInt8Runner(PytorchRunner):
    """A SentenceClassifier whose linear layers and embeddings are int8. The rule is no part of it."""

    # A scale for what goes into a layer is taken over the whole batch, so a row's logits depend on its neighbours.
    rows_independent = False

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        super().__init__(folder, threads, load=load_int8)


class ContiguousEmbedding(QuantizedEmbedding):
    """PyTorch's int8 embedding for any ids: its kernel refuses those that `expand` made of one row."""

    def forward(self, indices: torch.Tensor) -> torch.Tensor:
        """Rows float32 [..., width] of ids int64 [...]."""
        return super().forward(indices.contiguous())


@contextmanager
def quantized_tensors() -> Iterator[None]:
    """Without PyTorch's word that its quantized tensors will go: this project pins the version that has them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(quantized tensor|torch.ao.quantization is deprecated)")
        yield


def save_int8(model: SentenceClassifier, checkpoint: Path, folder: Path) -> None:
    """Write a model with PyTorch's quantized modules, made from `checkpoint`, whose other files are copied.

    A quantized weight [n, ...] lies as integers of its own shape with `scale` and `zero_point` [n]; the rest is float32.
    """
    tensors: Tensors = {}
    for name, module in model.named_modules():
        if isinstance(module, QuantizedLinear) and module.bias() is not None:
            tensors[f"{name}.bias"] = module.bias().detach()
        if isinstance(module, QuantizedLinear | QuantizedEmbedding):
            weight = module.weight()
            tensors[f"{name}.weight"] = weight.int_repr()
            tensors[f"{name}.scale"] = weight.q_per_channel_scales()
            tensors[f"{name}.zero_point"] = weight.q_per_channel_zero_points()
        else:
            own = module.named_parameters(recurse=False)
            tensors |= {f"{name}.{part}": value.detach() for part, value in own}
    save_file({name: value.contiguous() for name, value in tensors.items()}, folder / WEIGHTS_FILE)
    for file in BESIDE:
        if (checkpoint / file).is_file():
            shutil.copyfile(checkpoint / file, folder / file)


def load_int8(folder: Path) -> SentenceClassifier:
    """Read what `save_int8` wrote, in evaluation mode; raises ArtifactError when it is damaged."""
    info = load_info(folder)
    check_asks_for_no_code(folder / "config.json", read_object(folder / "config.json"))
    try:
        tensors = load_file(folder / WEIGHTS_FILE)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        model = SentenceClassifier.from_config(config, len(info.labels))
        quantized = [name.removesuffix(".scale") for name in tensors if name.endswith(".scale")]
        model.load_state_dict(_dequantized(tensors, quantized))
        for name in quantized:
            model.set_submodule(name, _packed(model.get_submodule(name), name, tensors))
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, SafetensorError) as error:
        raise ArtifactError(
            f"{folder} cannot be read as an int8 model of PyTorch ({type(error).__name__}: {error}): expected "
            f"{WEIGHTS_FILE} and the configuration of one model. Quantize the checkpoint again."
        ) from error
    return model.eval()


def _dequantized(tensors: Tensors, quantized: Sequence[str]) -> Tensors:
    """The state of the float32 model: integers times their scale."""
    plain = {name: value for name, value in tensors.items() if not name.endswith((".scale", ".zero_point"))}
    for name in quantized:
        scale, zero_point = (tensors[f"{name}.{part}"].unsqueeze(1) for part in ("scale", "zero_point"))
        plain[f"{name}.weight"] = ((tensors[f"{name}.weight"] - zero_point) * scale).float()
    return plain


def _packed(module: nn.Module, name: str, tensors: Tensors) -> nn.Module:
    """The quantized form of a linear layer or an embedding whose weights lie on their grid already."""
    weight = module.get_parameter("weight").detach()
    scale, zero_point = tensors[f"{name}.scale"], tensors[f"{name}.zero_point"]
    rows, columns = weight.shape
    with quantized_tensors():
        if isinstance(module, nn.Embedding):
            table = torch.quantize_per_channel(weight, scale, zero_point, 0, torch.quint8)
            return ContiguousEmbedding(rows, columns, padding_idx=module.padding_idx, _weight=table)
        bias = dict(module.named_parameters()).get("bias")
        packed = QuantizedLinear(columns, rows, bias_=bias is not None)
        matrix = torch.quantize_per_channel(weight, scale, zero_point, 0, torch.qint8)
        packed.set_weight_bias(matrix, None if bias is None else bias.detach())
    return packed
