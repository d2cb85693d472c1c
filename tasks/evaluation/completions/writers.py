"""Who completes the prompts: models, the n-grams of their corpus, and whoever wrote the files."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from infra.errors import ArtifactError
from tasks.baselines.causal_ngrams.config import CausalNgramConfig
from tasks.baselines.causal_ngrams.measure import count_training
from tasks.baselines.causal_ngrams.sampling import continued
from tasks.evaluation.completions.config import CompletePromptsConfig
from tasks.formats.code_tokens import END_OF_TEXT, quality_token
from tasks.formats.packed_corpus import TRAIN, open_part, read_packed_corpus
from tasks.generation.completion.block import end_of_block
from tasks.generation.completion.complete import Completed, complete_all
from tasks.models.causal_lm import ids_of_text, load_causal_lm, load_text_tokenizer, text_of


def by_model(config: CompletePromptsConfig, folder: Path, prompts: Sequence[str]) -> list[Completed]:
    """One completion of each prompt by the model in `folder`."""
    model, tokenizer = load_causal_lm(folder), load_text_tokenizer(folder)
    return [found.completed[0] for found in complete_all(model, tokenizer, prompts, config)]


def by_ngrams(
    config: CompletePromptsConfig, corpus_dir: Path, tokenizer_dir: Path, prompts: Sequence[str]
) -> list[Completed]:
    """One completion of each prompt by the n-grams of a corpus, whose tokenizer lies in `tokenizer_dir`.

    Raises ArtifactError for a tokenizer with another vocabulary.
    """
    corpus, tokenizer = read_packed_corpus(corpus_dir), load_text_tokenizer(tokenizer_dir)
    size = open_part(corpus_dir, TRAIN).info.vocabulary.size
    if len(tokenizer) != size:
        raise ArtifactError(
            f"{tokenizer_dir} has a tokenizer of {len(tokenizer):,} tokens and the corpus was packed with one of {size:,}: "
            "expected one and the same. Name a model of this corpus first."
        )
    model = count_training(CausalNgramConfig(order=config.order), corpus_dir)
    end, first = corpus.special[END_OF_TEXT], corpus.special[quality_token(config.quality)]

    def is_over(prompt: str, made: Sequence[int]) -> bool:
        if made[-1:] == [end]:
            return True
        text = text_of(tokenizer, made)
        return "\n" in text and end_of_block(prompt + text, len(prompt)) is not None

    completed = []
    for prompt, ids in zip(prompts, ids_of_text(tokenizer, prompts), strict=True):
        random = np.random.default_rng(_seed(config.seed, prompt))
        made = continued(
            model,
            [first, *ids],
            config.temperature,
            random,
            config.max_tokens,
            lambda made, prompt=prompt: is_over(prompt, made),  # type: ignore[misc]
        )
        text = text_of(tokenizer, [token for token in made if token != end])
        cut = end_of_block(prompt + text, len(prompt))
        kept = text if cut is None else (prompt + text)[len(prompt) : cut]
        completed.append(Completed(kept, is_over(prompt, made)))
    return completed


def _seed(seed: int, prompt: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{prompt}".encode()).digest()[:8], "big")
