"""Packed text, its frozen masks and a tiny masked language model, as the stages before a training leave them."""

from pathlib import Path

from tasks.data.packing.config import PackConfig
from tasks.data.packing.pack import pack_dataset
from tasks.training.masked_lm.adapt import give_head
from tasks.training.masked_lm.config import FrozenConfig, HeadConfig
from tasks.training.masked_lm.freeze import freeze_splits
from tests.tasks.models.tiny_encoder import write_base, write_dataset
from tests.tasks.training.lesson import silent

HEAD = HeadConfig(steps=20, batch_size=8, learning_rate=1e-2, mixed_precision="no")


def write_text(folder: Path, rows: int = 240) -> dict[str, Path]:
    """`base_dir` with a head, `packed_dir` and `frozen_dir`, as `adapt` takes them, and the `encoder` that had none."""
    base, dataset = write_base(folder / "base"), write_dataset(folder / "set", rows=rows)
    pack_dataset(PackConfig(length=16), base, dataset, folder / "tokens")
    freeze_splits(FrozenConfig(documents=30), folder / "tokens", folder / "masks")
    given = {"base_dir": base, "packed_dir": folder / "tokens", "frozen_dir": folder / "masks"}
    give_head(HEAD, **given, output_dir=folder / "head", work_dir=folder / "work", log=silent)
    return given | {"base_dir": folder / "head", "encoder": base}
