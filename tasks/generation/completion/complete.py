"""Complete code by a causal language model: until the block that the prompt opened ends.

Whitespace at a prompt's end is not read but left to the model. A tokenizer of code has tokens for a line break with the
indentation after it; a prompt that ends in a line break keeps the model from writing the one it knows, and what follows is
wrong.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    StoppingCriteriaList,
)

from infra.errors import ConfigError, DataError
from tasks.formats.code_tokens import Quality
from tasks.generation.completion.block import end_of_block
from tasks.generation.completion.config import MAX_TOKENS, CompletionConfig
from tasks.generation.completion.steps import BlockEnded, Drawn
from tasks.models.causal_lm import ids_of_text, quality_ids, text_of
from tasks.models.device import on_device
from tasks.models.loading import quiet_transformers

LEAST_CONTEXT = 8  # tokens of a prompt that must have room


class Completed(NamedTuple):
    """`text` goes after the prompt without its blank end; `ended` is False where it was cut at its most tokens."""

    text: str
    ended: bool


class Completions(NamedTuple):
    """Of one prompt, of which the first `unread` tokens were more than the model can read."""

    completed: tuple[Completed, ...]
    unread: int

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts alone."""
        return tuple(one.text for one in self.completed)


def complete(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    n: int = 1,
    temperature: float = 0.6,
    quality: Quality = "high",
    seed: int = 0,
    max_tokens: int = MAX_TOKENS,
) -> Completions:
    """`n` completions of one prompt; see `complete_all`, and raises what it raises."""
    config = CompletionConfig(temperature=temperature, quality=quality, seed=seed, max_tokens=max_tokens)
    (found,) = complete_all(model, tokenizer, [prompt], config, n)
    return found


def complete_all(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    config: CompletionConfig,
    n: int = 1,
) -> list[Completions]:
    """`n` completions of each prompt. What is written does not depend on the batches.

    Each completion ends with the innermost block that is open at the prompt's end, at the token that ends a file, or at the
    most tokens. Of a prompt that is too long its end is read. The quality token is put first, where the model has one.

    Args:
        model: in evaluation mode.
        tokenizer: as `load_text_tokenizer` reads it.

    Raises:
        ConfigError: the completion leaves no room for a prompt among the model's positions.
        DataError: a prompt has nothing but whitespace, and the model has no token that stands before a text.
    """
    stripped = [prompt.rstrip() for prompt in prompts]
    first = quality_ids(tokenizer).get(config.quality)
    read = _prompt_ids(model, tokenizer, stripped, first, config)
    rows = [(number, copy) for number in range(len(prompts)) for copy in range(n)]
    rows.sort(key=lambda row: len(read[row[0]][0]))  # little padding
    written: dict[tuple[int, int], Completed] = {}
    with on_device(model), torch.inference_mode(), quiet_transformers():
        for begin in range(0, len(rows), config.batch):
            batch = rows[begin : begin + config.batch]
            texts = [stripped[number] for number, _ in batch]
            ids = [read[number][0] for number, _ in batch]
            generators = [
                _generator(config.seed, text, copy) for text, (_, copy) in zip(texts, batch, strict=True)
            ]
            made = _written(model, tokenizer, texts, ids, generators, config)
            written |= zip(batch, made, strict=True)
    return [
        Completions(tuple(written[number, copy] for copy in range(n)), read[number][1])
        for number in range(len(prompts))
    ]


def _prompt_ids(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    first: int | None,
    config: CompletionConfig,
) -> list[tuple[list[int], int]]:
    """Tokens of each prompt behind the quality token, and how many of its own did not fit."""
    begin = [] if first is None else [first]
    positions = getattr(model.config, "max_position_embeddings", None)
    found = []
    for ids in ids_of_text(tokenizer, prompts):
        room = len(ids) if positions is None else positions - config.max_tokens - len(begin)
        if room < min(len(ids), LEAST_CONTEXT):
            raise ConfigError(
                f"{config.max_tokens} tokens of a completion leave {room} of the model's {positions} positions to the prompt: "
                f"expected {LEAST_CONTEXT} at least. Give a smaller max_tokens."
            )
        unread = max(0, len(ids) - room)
        found.append(([*begin, *ids[unread:]], unread))
        if not found[-1][0]:
            raise DataError("a prompt is empty: expected some text that is to go on. Give a prompt.")
    return found


def _generator(seed: int, prompt: str, copy: int) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}:{copy}:{prompt}".encode("utf-8", "surrogatepass")).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def _written(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    ids: Sequence[list[int]],
    generators: Sequence[torch.Generator],
    config: CompletionConfig,
) -> list[Completed]:
    """Of one batch."""
    width, end = max(map(len, ids)), tokenizer.eos_token_id
    pad = 0 if end is None else end
    input_ids = torch.tensor([[pad] * (width - len(row)) + row for row in ids], device=model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids], device=model.device)
    asked = GenerationConfig(
        max_new_tokens=config.max_tokens, do_sample=False, eos_token_id=end, pad_token_id=pad
    )
    drawn = Drawn(generators, config.temperature, _refused(model, tokenizer))
    generate = cast("Callable[..., torch.Tensor]", model.generate)
    output = generate(
        input_ids,
        attention_mask=mask,
        generation_config=asked,
        logits_processor=LogitsProcessorList([drawn]),
        stopping_criteria=StoppingCriteriaList([BlockEnded(tokenizer, prompts, width)]),
    )
    return [
        _cut(tokenizer, prompt, row, end)
        for prompt, row in zip(prompts, output[:, width:].tolist(), strict=True)
    ]


def _cut(tokenizer: PreTrainedTokenizerBase, prompt: str, ids: list[int], end: int | None) -> Completed:
    stopped = end is not None and end in ids
    text = text_of(tokenizer, ids[: ids.index(end)] if end is not None and stopped else ids)
    cut = end_of_block(prompt + text, len(prompt))
    return Completed(text if cut is None else (prompt + text)[len(prompt) : cut], stopped or cut is not None)


def _refused(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> torch.Tensor:
    """What is no text: bool [vocabulary], special tokens but the end's, and rows of the model that no token has."""
    refused = torch.zeros(model.get_output_embeddings().weight.shape[0], dtype=torch.bool)
    refused[len(tokenizer) :] = True
    special = {*tokenizer.all_special_ids, *quality_ids(tokenizer).values()} - {tokenizer.eos_token_id}
    refused[sorted(special)] = True
    return refused.to(model.device)
