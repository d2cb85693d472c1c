"""What `flows.distill_lm` refuses before anything is computed, and what it makes of what is asked."""

from pathlib import Path

import pytest

from flows.configs.distill_lm import COMMAND, DistillLmFlowConfig
from infra.errors import ConfigError
from tasks.models.shape import check_shapes
from tests.flows.refused import refused
from tests.tasks.models.tiny_encoder import write_base


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("--distill.student.layers [2,1]", "layers are (2, 1): expected rising numbers from 0 on"),
        ("--panel a/small,b/small", "the panel has small twice"),
        ("--panel mine.csv --name mine", "the panel has mine twice"),
        ("--distill.mlm-weight 0 --distill.kl-weight 0 --distill.cosine-weight 0", "expected one above it"),
        ("--fine-tune.labels [8]", "expected rising numbers from 20 on"),
    ],
)
def test_a_wrong_word_is_one_message_with_its_remedy(
    asked: str, said: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(COMMAND, asked, home, capsys)


def test_layers_that_the_teacher_has_not_are_said_before_it_is_adapted(tmp_path: Path) -> None:
    base = write_base(tmp_path)
    for layers in ([0, 2], None):
        asked = {"distill": {"student": {"layers": layers}}, "pack": {"length": 64}}
        check_shapes(DistillLmFlowConfig.model_validate(asked).asked_shapes(), base)
    asked = {"distill": {"student": {"layers": [0, 3]}}, "pack": {"length": 64}}
    with pytest.raises(
        ConfigError, match=r"distill\.student\.layers \(counted from 1\) is 4: expected at most 3"
    ):
        check_shapes(DistillLmFlowConfig.model_validate(asked).asked_shapes(), base)


def test_each_term_is_left_out_in_turn_where_there_are_several() -> None:
    config = DistillLmFlowConfig.model_validate({"ablate": True, "distill": {"kl_weight": 0}})
    assert {name: asked.weights for name, asked in config.ablations.items()} == {
        "without masked lm": {"cosine": 1.0},
        "without cosine": {"masked_lm": 2.0},
    }
    alone = {"ablate": True, "distill": {"kl_weight": 0, "cosine_weight": 0}}
    assert DistillLmFlowConfig.model_validate(alone).ablations == {}
