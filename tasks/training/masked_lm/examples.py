"""Show what a training sees: some of the first blocks that it reads, masked as it masks them, and in the other way.

By the training's own sampler, draw and masks: of a training with the same seed and masking these are the very tokens that are
hidden in its first pass.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from tasks.data.packing.tokens import TextTokenizer, open_tokenizer
from tasks.formats.mask_examples import HiddenToken, MaskExamples, ShownBlock, ShownMasking, ShownToken
from tasks.formats.packed_tokens import open_packed
from tasks.formats.packing_report import read_packing
from tasks.formats.report_file import write_report
from tasks.formats.rust_panics import tokenizing
from tasks.formats.token_blocks import Blocks
from tasks.training.loop.objective import Draw
from tasks.training.loop.sampler import Shuffled
from tasks.training.masked_lm.config import ExamplesConfig, MaskingConfig
from tasks.training.masked_lm.masking import IGNORED, Masked, Vocabulary, mask_rows

LOOKED_AT = 64  # blocks, the first that are read, of which those with a seam are shown before others
MOST_TOKENS = 256  # of a block
OTHER: Mapping[str, Literal["token", "whole_word"]] = {"token": "whole_word", "whole_word": "token"}


def show_masks(
    config: ExamplesConfig, model_dir: Path, packed_dir: Path, output_dir: Path
) -> Mapping[str, float]:
    """Write a `MaskExamples` of the packed training split, whose tokenizer is in `model_dir`; returns how many blocks it has.

    Raises ArtifactError for damaged tokens or a damaged tokenizer, ConfigError for a tokenizer without a mask token.
    """
    packed, length = open_packed(packed_dir / "train"), read_packing(packed_dir).length
    vocabulary, tokenizer = Vocabulary.of_packed(packed.info.vocabulary), open_tokenizer(model_dir)
    blocks = packed.blocks(length)
    numbers = choose_blocks(blocks, config)
    (ids, starts), begins = blocks[numbers], blocks.seams(numbers)
    ways = (config.masking, MaskingConfig(kind=OTHER[config.masking.kind]))
    masked = [mask_rows([*ids], [*starts], numbers, Draw(config.seed, 0), way, vocabulary) for way in ways]

    def token(place: int, at: int) -> ShownToken:
        own = int(ids[place, at])
        return ShownToken(
            text=written(tokenizer, own),
            starts=bool(starts[place, at]),
            begins=bool(begins[place, at]),
            special=bool(vocabulary.is_special[own]),
        )

    shown = tuple(
        ShownBlock(
            number=int(number),
            tokens=tuple(token(place, at) for at in range(min(length, MOST_TOKENS))),
            hidden=tuple(_hidden(of_way[place], tokenizer, vocabulary) for of_way in masked),
        )
        for place, number in enumerate(numbers)
    )
    told = tuple(
        ShownMasking(kind=way.kind, **way.shares._asdict(), trained=way is config.masking) for way in ways
    )
    mask = written(tokenizer, vocabulary.mask)
    write_report(output_dir, MaskExamples(length=length, mask_token=mask, maskings=told, blocks=shown))
    return {"blocks": float(len(shown))}


def choose_blocks(blocks: Blocks, config: ExamplesConfig) -> np.ndarray:
    """Numbers of the blocks to show, int64 [at most `config.blocks`], in the order in which they are read.

    Those in which a document ends come before others.
    """
    first = Shuffled(len(blocks), LOOKED_AT, config.seed).rows(0)
    joined = blocks.seams(first)[:, 1:MOST_TOKENS].any(axis=1)
    return first[np.sort(np.argsort(~joined, kind="stable")[: config.blocks])]


def written(tokenizer: TextTokenizer, token: int) -> str:
    """A token as it stands in a text: what it adds to one that ends with it, `ing` of `##ing`."""
    with tokenizing(tokenizer.folder):
        once, twice = (
            tokenizer.tokenizer.decode([token] * times, skip_special_tokens=False) for times in (1, 2)
        )
    # Of a blank the name is left: a tokenizer writes it as a letter.
    return twice[len(once) :].strip() or once.strip() or tokenizer.tokenizer.id_to_token(token) or ""


def _hidden(masked: Masked, tokenizer: TextTokenizer, vocabulary: Vocabulary) -> tuple[HiddenToken, ...]:
    """What is asked for among the tokens that are shown of a block."""
    found = []
    for at in np.flatnonzero(masked.labels[:MOST_TOKENS] != IGNORED).tolist():
        seen = int(masked.input_ids[at])
        how = "mask" if seen == vocabulary.mask else "same" if seen == masked.labels[at] else "random"
        found.append(HiddenToken(at=at, how=how, text=written(tokenizer, seen)))
    return tuple(found)
