"""Curated data sets for these tests, in the format of tasks/formats/dataset.py."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write_dataset(folder: Path, train: Sequence[str], held_out: Sequence[str], shards: int = 1) -> Path:
    """A data set of one label whose validation and test splits are `held_out`, train in `shards` files."""
    (folder / "data").mkdir(parents=True)
    rows = {"train": train, "validation": held_out, "test": held_out}
    for split, texts in rows.items():
        parts = shards if split == "train" else 1
        for part in range(parts):
            some = list(texts[part::parts])
            table = pa.table({"text": pa.array(some, pa.string()), "label": ["x"] * len(some)})
            pq.write_table(table, folder / "data" / f"{split}-{part:05}-of-{parts:05}.parquet")
    info = {
        "labels": ["x"],
        "out_of_scope": None,
        "rows": {split: len(texts) for split, texts in rows.items()},
        "words_p50": 5,
        "words_p99": 10,
    }
    (folder / "dataset.json").write_text(json.dumps(info))
    return folder


def read_clinc(shared_data: Path, split: str) -> list[str]:
    """Texts of one split of CLINC150 `small`."""
    path = shared_data / "clinc150" / "small" / f"{split}.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]
