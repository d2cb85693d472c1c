"""What a tokenizer shows: the base model's figures against the student's."""

from pathlib import Path

import pytest

from tasks.tokenizers.build import build
from tasks.tokenizers.config import TokenizerConfig
from tasks.tokenizers.measure import TokenizerMeasurements
from tasks.tokenizers.stages import build_tokenizer
from tests.tasks.sections import shown


@pytest.mark.parametrize("config", [TokenizerConfig(vocabulary_size=1_000),
                                    TokenizerConfig(mode="train", vocabulary_size=300)])  # fmt: skip
def test_figures_stand_before_and_after(
    config: TokenizerConfig, base_folder: Path, dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    build(config, base_folder, dataset, tmp_path / "out")
    measured = TokenizerMeasurements.model_validate_json(
        (tmp_path / "out" / "measurements.json").read_bytes()
    )
    section = shown(build_tokenizer, tmp_path / "out", tmp_path / "copy")
    rows = {row["figure"]: (row["before"], row["after"]) for row in section.tables[0].rows}
    assert rows["vocabulary size"] == (30_522, measured.after.vocabulary_size)
    assert rows["fertility"] == (measured.before.fertility, measured.after.fertility)
    assert section.title == f"Tokenizer ({config.mode})" and bool(section.notes) == (config.mode == "trim")
