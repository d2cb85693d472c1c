"""What `flows.adapt` refuses before anything is computed: what was found, what was expected, what to do."""

from pathlib import Path

import pytest

from flows.configs.adapt import COMMAND, AdaptFlowConfig
from infra.errors import ConfigError
from tasks.models.shape import check_shapes
from tests.flows.refused import refused
from tests.tasks.models.tiny_encoder import write_base


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("--preset smok", "'smok' is no recipe: expected one of 'clinc150', 'imdb-study', 'imdb', 'smoke'."),
        ("--unlabelled true", "rows are those of the query intents.sql: expected tables alone"),
        ("--extract.kind code", "extract.kind is code: expected labelled"),
        ("--adapt.freeze-layers 99", "adapt.freeze_layers is '99': input should be less than or equal to 96"),
        ("--publish.name mine", "publish.name is 'mine': string should match pattern"),
        ("--adapt.masking.rate 1.5", "adapt.masking.rate is '1.5': input should be less than 1"),
        ("--evaluate.texts [\"none\"]", "'none' has 0 gaps: expected one [MASK]"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_one_message_with_its_remedy(
    asked: str, said: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(COMMAND, asked, home, capsys)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"adapt": {"freeze_layers": 4}}, r"adapt\.freeze_layers is 4: expected at most 3"),
        ({"study": {"frozen_layers": [2, 4]}}, r"study\.frozen_layers is 4: expected at most 3"),
        ({"pack": {"length": 65}}, r"pack\.length is 65: expected at most 64"),
        (
            {"general": {"table": ["books.jsonl"], "length": 65}},
            r"general\.length is 65: expected at most 64",
        ),
    ],
)
def test_what_the_base_model_is_too_small_for_is_said_before_a_head_is_trained(
    asked: dict[str, object], said: str, tmp_path: Path
) -> None:
    base = write_base(tmp_path)
    small = {"pack": {"length": 64}, "adapt": {"freeze_layers": 3}}
    check_shapes(AdaptFlowConfig.model_validate(small).asked_shapes(), base)
    with pytest.raises(ConfigError, match=said):
        check_shapes(AdaptFlowConfig.model_validate(small | asked).asked_shapes(), base)


def test_a_model_is_named_after_its_text() -> None:
    assert AdaptFlowConfig().publish.name == "local/clinc150-adapted"
    assert (
        AdaptFlowConfig(extract={"table": ["reviews.jsonl"]}, unlabelled=True).publish.name
        == "local/reviews-adapted"
    )
    assert AdaptFlowConfig(publish={"name": "me/mine"}).publish.name == "me/mine"
    assert AdaptFlowConfig().about()["model"] == "local/clinc150-adapted"
