"""The stage as its own process runs it, over one data set or over tables that lie in several places, and what it shows."""

import json
import shutil
from pathlib import Path

from infra.engine.child import compute
from infra.engine.child_process import place
from infra.engine.spec import InputSpec, Spec
from infra.files import folder_digest
from infra.store.references import ArtifactRef
from tasks.data.packing.config import PackConfig
from tasks.data.packing.stages import pack
from tasks.formats.kinds import CheckpointRef, DatasetRef, SourceRef
from tests.tasks.data.packing.sources import NO_SPLITS, corpus, lines, pinned
from tests.tasks.data.packing.tiny_tokenizers import saved, word_piece, wordless
from tests.tasks.sections import shown


def packed(folder: Path, model: Path, texts: ArtifactRef, path: Path | None) -> Path:
    """What the stage leaves, computed as its process does."""
    output = folder / "out"
    output.mkdir()
    base = InputSpec(kind=place(CheckpointRef), uri=model.as_uri(), digest="b", path=model)
    given = InputSpec(kind=place(type(texts)), uri=texts.uri, digest=texts.digest, path=path)
    spec = Spec(
        stage=pack.place, label="pack", key="k", config_class=place(PackConfig), config=json.loads(NO_SPLITS.model_dump_json()),
        inputs={"model": base, "texts": given}, output=output, work=folder, home=folder, machine=None, parent=0,
    )  # fmt: skip
    assert compute(spec, folder, 0).metrics["train_tokens"] > 0
    return output


def test_tables_in_several_places_and_a_data_set_of_the_same_texts_are_packed_alike(tmp_path: Path) -> None:
    model = saved(word_piece(), tmp_path / "model")
    texts = {"train": ["rain and sun"] * 9, "test": ["tell me about the storm"] * 4}
    tables = pinned(*(lines(tmp_path / f"{split}.jsonl", rows) for split, rows in texts.items()))
    assert isinstance(tables, SourceRef) and ";" in tables.uri
    digest = folder_digest(packed(tmp_path, model, tables, None))
    shutil.rmtree(tmp_path / "out")
    dataset = corpus(tmp_path / "corpus", **texts)
    ref = DatasetRef(uri=dataset.as_uri(), digest="d")
    assert folder_digest(packed(tmp_path, model, ref, dataset)) == digest


def test_it_shows_both_counts_and_what_was_left_out(tmp_path: Path) -> None:
    tables = pinned(lines(tmp_path / "t.jsonl", ["rain and sun"] * 2_000 + ["猫", None]))
    section = shown(
        pack, packed(tmp_path, saved(word_piece(), tmp_path / "model"), tables, None), tmp_path / "copy"
    )
    (row,) = section.tables[0].rows
    assert (row["blocks"], row["dropped"], row["blocks_in_thousands"]) == (1_250, 0, 1_250)
    assert (row["documents"], row["tokens"], row["starts"]) == (2_001, 10_000, 100.0)
    assert (
        section.notes[-1]
        == "Left out: 1 without a token but special ones (train); 1 rows without a text (train)."
    )
    assert not section.warnings


def test_it_warns_of_a_tokenizer_that_knows_no_words(tmp_path: Path) -> None:
    tables = pinned(lines(tmp_path / "t.jsonl", ["what is the balance of my account? " * 9] * 3))
    section = shown(
        pack, packed(tmp_path, saved(wordless(), tmp_path / "model"), tables, None), tmp_path / "copy"
    )
    assert len(section.warnings) == 1 and "hardly tells words apart" in section.warnings[0]
