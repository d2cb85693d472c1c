"""n-grams are counted in the blocks that a training reads first, or in all of its text."""

from pathlib import Path

import numpy as np

from tasks.baselines.ngrams.config import NgramConfig
from tasks.baselines.ngrams.measure import counted, measure_ngrams
from tasks.data.packing.config import PackConfig
from tasks.data.packing.pack import pack_dataset
from tasks.formats.packed_tokens import open_packed
from tasks.training.loop.sampler import Shuffled
from tasks.training.masked_lm.config import FrozenConfig
from tasks.training.masked_lm.freeze import freeze_splits
from tests.tasks.models.tiny_encoder import write_base, write_dataset

LENGTH, SEED, BATCH, STEPS = 16, 7, 4, 3


def test_what_a_training_reads_first_is_counted(tmp_path: Path) -> None:
    base, dataset = write_base(tmp_path / "base"), write_dataset(tmp_path / "set", rows=240)
    pack_dataset(PackConfig(length=LENGTH), base, dataset, tmp_path / "tokens")
    packed = open_packed(tmp_path / "tokens" / "train")
    blocks = packed.blocks(LENGTH)
    sampler = Shuffled(len(blocks), BATCH, SEED)
    read = np.concatenate([sampler.rows(step) for step in range(STEPS)])
    ids, offsets = counted(NgramConfig(blocks=BATCH * STEPS, seed=SEED), packed, LENGTH)
    expected, _ = blocks[np.sort(read)]
    assert np.array_equal(np.asarray(ids).reshape(-1, LENGTH), expected)
    assert offsets.tolist() == [LENGTH * number for number in range(BATCH * STEPS + 1)]
    for config in (NgramConfig(), NgramConfig(blocks=len(blocks) + 1)):
        every, ends = counted(config, packed, LENGTH)
        assert len(every) == ends[-1] == len(packed.ids)
    freeze_splits(FrozenConfig(documents=30), tmp_path / "tokens", tmp_path / "masks")
    found = [
        measure_ngrams(config, tmp_path / "tokens", tmp_path / "masks", tmp_path)
        for config in (NgramConfig(blocks=4), NgramConfig())
    ]
    assert found[0]["unigram"] != found[1]["unigram"]
