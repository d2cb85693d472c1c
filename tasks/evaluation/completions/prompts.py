"""Which functions are completed: some of the held-out files, chosen by a hash of seed and prompt."""

import hashlib
import heapq
from collections.abc import Iterator
from pathlib import Path

from infra.errors import DataError
from tasks.evaluation.completions.config import CompletePromptsConfig
from tasks.evaluation.completions.functions import Function, Reader
from tasks.formats.texts import stream_texts


def choose_functions(config: CompletePromptsConfig, dataset: Path, reader: Reader) -> list[Function]:
    """`config.prompts` functions of the test split, or as many as there are, in the order of their digests.

    Raises ArtifactError when the data set has no test split, DataError when no file of it has a function for it.
    """
    found = heapq.nsmallest(config.prompts, _candidates(config, dataset, reader))
    if not found:
        raise DataError(
            f"no file of the test split in {dataset} has a function with a docstring of at most {config.prompt_characters} "
            "characters and a real body: expected some to complete. Hold out more files, or raise prompt_characters."
        )
    return [function for _, function in found]


def _candidates(
    config: CompletePromptsConfig, dataset: Path, reader: Reader
) -> Iterator[tuple[bytes, Function]]:
    seen: set[bytes] = set()
    for texts in stream_texts(dataset, "test"):
        for text in texts:
            fit = reader.functions(text, config.prompt_characters)
            for digest, function in sorted((_digest(config.seed, one), one) for one in fit)[
                : config.per_file
            ]:
                if digest not in seen:
                    seen.add(digest)
                    yield digest, function


def _digest(seed: int, function: Function) -> bytes:
    return hashlib.sha256(f"{seed}:{function.prompt}".encode()).digest()
