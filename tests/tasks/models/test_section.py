"""What a checkpoint shows, by whichever stage it was made."""

from pathlib import Path

import pytest

from infra.engine.stage import Stage
from tasks.compression.distillation.stages import distill, distill_bag, prune
from tasks.compression.trimming.stages import shrink
from tasks.models.section import checkpoint_section
from tasks.training.fine_tuning.stages import train_teacher
from tests.tasks.models.test_embedding_bag import save_bag
from tests.tasks.models.tiny_encoder import VOCABULARY, write_dataset, write_teacher
from tests.tasks.sections import facts_of, shown


@pytest.mark.parametrize("stage", [train_teacher, distill, prune, shrink])
def test_shape_and_labels_are_shown(stage: Stage, tmp_path: Path) -> None:  # type: ignore[type-arg]
    section = shown(stage, write_teacher(tmp_path / "model"), tmp_path / "copy")
    facts = facts_of(section)
    assert (facts["layers"], facts["hidden size"], facts["vocabulary"]) == ("3", "32", str(len(VOCABULARY)))
    assert (facts["labels"], facts["longest text"], facts["out of scope"]) == ("4", "32 tokens", "oos")


def test_a_bag_shows_its_tables_and_no_layers(tmp_path: Path) -> None:
    made = save_bag(tmp_path / "bag", write_dataset(tmp_path / "rows"))
    facts = facts_of(shown(distill_bag, made, tmp_path / "copy"))
    assert facts["pairs of tokens"] == "50" and "layers" not in facts


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        checkpoint_section("Student", tmp_path)
