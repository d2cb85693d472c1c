"""Data sets that defaults are chosen on: training and validation rows alone, curated as the flow does it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from tasks.data.curation.config import CurateConfig
from tasks.data.curation.curate import curate_rows
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.extraction import extract_own_table
from tasks.data.extraction.source import pin
from tasks.formats.dataset import DatasetInfo, Split, load_info, load_split

EVERY = 8  # every eighth intent of BANKING77 is out of scope where there must be such rows
KNOWN_OUTSIDE = 100  # training rows of those that are kept, as CLINC150 has


@dataclass(frozen=True)
class Data:
    """A curated data set without its test rows."""

    name: str
    info: DatasetInfo
    train: Split
    validation: Split


def clinc150(source: Path, folder: Path) -> Data:
    """`small`, as the default recipe."""
    return _curated("clinc150", source / "clinc150" / "small", "intent", folder)


def banking77(source: Path, folder: Path) -> Data:
    """77 intents, none of which is out of scope."""
    return _curated("banking77", source / "banking77", "intent", folder)


def nlbse24(source: Path, folder: Path) -> Data:
    """Titles of issues: bug, feature or question."""
    return _curated("nlbse24", source / "nlbse24_issues", "label", folder, "title")


def banking77_strangers(source: Path, folder: Path) -> Data:
    """BANKING77 with every eighth intent out of scope: few rows of those in training, all of them in validation."""
    rows = pandas.read_json(source / "banking77" / "train.jsonl.gz", lines=True)
    outside = rows["intent"].isin(sorted(rows["intent"].unique())[::EVERY])
    held_out = np.random.default_rng(0).random(len(rows)) < 0.1
    rows["split"] = np.where(held_out, "validation", "train")
    # Curation wants a test split; nothing here reads it.
    rows.loc[np.flatnonzero(held_out)[::EVERY], "split"] = "test"
    known = outside & (rows["split"] == "train")
    rows["intent"] = rows["intent"].where(~outside, "oos")
    rows = rows[~known | (known.cumsum() <= KNOWN_OUTSIDE)]
    path = folder / "banking77_strangers.parquet"
    rows.to_parquet(path)
    return _curated("banking77, strangers", path, "intent", folder)


def _curated(name: str, table: Path, label: str, folder: Path, text: str = "text") -> Data:
    asked, place = ExtractConfig(table=(table,), text_column=text, label_column=label), folder / name
    for step in ("extract", "dataset"):
        (place / step).mkdir(parents=True)
    extract_own_table(asked, pin(asked.table), place / "extract")
    curate_rows(CurateConfig(), place / "extract", place / "dataset")
    splits = (load_split(place / "dataset", split) for split in ("train", "validation"))
    return Data(name, load_info(place / "dataset"), *splits)
