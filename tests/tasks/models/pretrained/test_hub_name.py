"""What a card says of a base model: its name on the Hub, and the licence that its own card states."""

from pathlib import Path

import pytest

from tasks.models.pretrained.hub_name import hub_id, stated_licence
from tasks.models.pretrained.resolve import packaged_model


def test_a_local_base_model_keeps_its_path_to_itself(tmp_path: Path) -> None:
    assert hub_id(str(tmp_path)) is None and hub_id("artifact:adapt/0123abcd") is None
    assert hub_id("google-bert/bert-base-uncased") == "google-bert/bert-base-uncased"


def test_the_licence_of_the_packaged_model_is_read_from_its_card() -> None:
    assert stated_licence(packaged_model()) == "apache-2.0"


@pytest.mark.parametrize("card", [
    None, "# No header", "---\nlicense: [mit, other]\n---\n", "---\nlicense: '<b>free</b>'\n---\n",
    "---\nlicense: {a\n---\n", "---\n- a list\n---\n",
])  # fmt: skip
def test_a_card_that_states_no_licence_states_none(tmp_path: Path, card: str | None) -> None:
    if card is not None:
        (tmp_path / "README.md").write_text(card)
    assert stated_licence(tmp_path) is None
