"""Quantization-aware training: the model learns while it answers as its int8 form will.

Jacob et al. 2018 (Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference),
section 3: values are rounded to their int8 grid and back in the forward pass; weights have a scale for each row,
activations the moving range of the batches seen. The gradient passes the rounding as if it were not there, and is zero
for what lies beyond the range (Bengio et al. 2013, the straight-through estimator). Folded, the weights lie on the very
grid that the exporter will find, so int8 loses nothing of them.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import embedding, linear

from infra.errors import ConfigError
from tasks.compression.quantization.affine import ASYMMETRIC, SYMMETRIC
from tasks.models.batching import pad
from tasks.models.device import on_device
from tasks.models.model import SentenceClassifier

TINY = torch.finfo(torch.float32).tiny


class FakeQuantLinear(nn.Linear):
    """A linear layer, with the parameters of `source`, whose weight and input are rounded to int8.

    `low` and `high` (persistent buffers) are the moving range of the input: the first batch's, then each further batch's
    by `momentum`. They move in training mode alone, and stay as they are in evaluation.
    """

    low: torch.Tensor
    high: torch.Tensor

    def __init__(self, source: nn.Linear, momentum: float) -> None:
        super().__init__(source.in_features, source.out_features, source.bias is not None, device="meta")
        self.weight, self.bias = source.weight, source.bias
        self.momentum = momentum
        for name in ("low", "high"):
            self.register_buffer(name, torch.full((), torch.nan, device=source.weight.device))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Map float [..., in] to [..., out]; raises ConfigError in evaluation while the range is unknown."""
        values = input.float()  # rounded in float32, whatever autocast computes the product in
        if self.training:
            self._move(values.detach())
        elif self.low.isnan():
            raise ConfigError(
                "a layer prepared for int8 is evaluated before it saw any text: expected the range of what goes into it. "
                "Call see_ranges first."
            )
        return linear(round_range(values, self.low, self.high), round_rows(self.weight), self.bias)

    def _move(self, values: torch.Tensor) -> None:
        for moving, seen in ((self.low, values.amin()), (self.high, values.amax())):
            moving.copy_(torch.where(moving.isnan(), seen, moving.lerp(seen, self.momentum)))

    def converted(self) -> nn.Linear:
        """An ordinary layer whose weight lies on its grid."""
        plain = nn.Linear(self.in_features, self.out_features, self.bias is not None, device="meta")
        plain.weight = nn.Parameter(round_rows(self.weight).detach(), self.weight.requires_grad)
        plain.bias = self.bias
        return plain


class FakeQuantEmbedding(nn.Embedding):
    """An embedding, with the table of `source`, that is rounded to unsigned int8 with one scale."""

    def __init__(self, source: nn.Embedding) -> None:
        super().__init__(source.num_embeddings, source.embedding_dim, source.padding_idx, device="meta")
        self.weight = source.weight

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Rows float [..., width] of ids int64 [...]."""
        return embedding(input, self._rounded(), self.padding_idx)

    def _rounded(self) -> torch.Tensor:
        weight = self.weight.detach()
        return round_range(self.weight, weight.amin(), weight.amax())

    def converted(self) -> nn.Embedding:
        """An ordinary embedding whose table lies on its grid."""
        plain = nn.Embedding(self.num_embeddings, self.embedding_dim, self.padding_idx, device="meta")
        plain.weight = nn.Parameter(self._rounded().detach(), self.weight.requires_grad)
        return plain


def prepare(model: SentenceClassifier, momentum: float, embeddings: bool) -> None:
    """Put fake-quantized layers in the place of the linear ones of `model`, and of embeddings, in place.

    Parameters and their names stay. Ranges are unknown until a batch was seen in training mode: see `see_ranges`.
    """
    for name, module in list(model.named_modules()):
        if type(module) is nn.Linear:
            model.set_submodule(name, FakeQuantLinear(module, momentum))
        elif embeddings and type(module) is nn.Embedding:
            model.set_submodule(name, FakeQuantEmbedding(module))
    model.train(model.training)


def calibrate_observers(
    model: SentenceClassifier, rows: Sequence[Sequence[int]], pad_id: int, batch_size: int
) -> None:
    """Let a prepared model see the ranges of its activations over `rows` of token ids, without learning."""
    mode, order = model.training, sorted(range(len(rows)), key=lambda i: len(rows[i]))
    model.train()
    with on_device(model) as device, torch.no_grad():
        for start in range(0, len(order), batch_size):
            ids, mask = pad([rows[i] for i in order[start : start + batch_size]], pad_id)
            model(ids.to(device), mask.to(device))
    model.train(mode)


def convert(model: SentenceClassifier) -> None:
    """Take the fake-quantized layers out again, in place: an ordinary float32 model with weights on the int8 grid."""
    for name, module in list(model.named_modules()):
        if isinstance(module, FakeQuantLinear | FakeQuantEmbedding):
            model.set_submodule(name, module.converted())
    model.train(model.training)


def round_rows(weight: torch.Tensor) -> torch.Tensor:
    """`weight` [out, in] rounded to signed int8 with a scale for each row, and back."""
    scale = _scale_of(weight.detach().abs().amax(dim=1), SYMMETRIC.high)
    zeros = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zeros, 0, *SYMMETRIC)


def round_range(values: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """`values` rounded to unsigned int8 over the range from `low` to `high` (both []), widened to hold 0, and back.

    An activation has its moving range, a table of embeddings that of its own weights.
    """
    low, high = low.clamp(max=0.0), high.clamp(min=0.0)
    scale = _scale_of(high - low, ASYMMETRIC.high)
    zero_point = (-low / scale).round().to(torch.int32)
    return torch.fake_quantize_per_tensor_affine(values, scale, zero_point, *ASYMMETRIC)


def _scale_of(span: torch.Tensor, steps: int) -> torch.Tensor:
    """`span` in so many steps, by `map_of_range`'s rule: 1 where there is nothing, never subnormal elsewhere."""
    return torch.where(span == 0, torch.ones_like(span), (span / steps).clamp(min=TINY))
