"""What transformers' `generate` asks at each token: which one to take, and whether a row has come to its end."""

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor, PreTrainedTokenizerBase, StoppingCriteria

from tasks.generation.completion.block import end_of_block
from tasks.models.causal_lm import text_of


class Drawn(LogitsProcessor):
    """Scores whose largest is a draw from the model's distribution: logits over the temperature plus Gumbel noise.

    (Maddison, Tarlow & Minka 2014, A* sampling.) The noise of a row comes from its own generator, so what is drawn does not
    depend on the rows beside it. At a temperature of 0 there is no noise.
    """

    def __init__(
        self, generators: Sequence[torch.Generator], temperature: float, refused: torch.Tensor
    ) -> None:
        """`refused` bool [vocabulary]: tokens that are never written."""
        self._generators, self._temperature, self._refused = generators, temperature, refused

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """`scores` float32 [rows, vocabulary]."""
        scores = scores.masked_fill(self._refused, -torch.inf)
        if self._temperature == 0:
            return scores
        rows = [
            torch.empty(scores.shape[1]).exponential_(generator=generator) for generator in self._generators
        ]
        return scores / self._temperature - torch.stack(rows).log().to(scores.device)


class BlockEnded(StoppingCriteria):
    """True for rows whose block, opened by the prompt, has ended."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], width: int) -> None:
        """`width` tokens of each row are of its prompt."""
        self._tokenizer, self._prompts, self._width = tokenizer, prompts, width
        self._ended = [False] * len(prompts)

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        """`input_ids` int64 [rows, width and what was written]; bool [rows]."""
        for row, prompt in enumerate(self._prompts):
            if not self._ended[row]:
                written = text_of(self._tokenizer, input_ids[row, self._width :].tolist())
                self._ended[row] = "\n" in written and end_of_block(prompt + written, len(prompt)) is not None
        return torch.tensor(self._ended, device=input_ids.device)
