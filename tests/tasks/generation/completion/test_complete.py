"""Completions are what plain transformers would write, the same in any batch, and end with their block."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from infra.errors import ConfigError, DataError
from tasks.formats.code_tokens import END_OF_TEXT
from tasks.generation.completion.complete import complete, complete_all
from tasks.generation.completion.config import CompletionConfig
from tasks.generation.completion.steps import BlockEnded, Drawn
from tasks.models.causal_lm import ids_of_text, load_causal_lm, load_text_tokenizer
from tests.tasks.models.tiny_causal_lm import POSITIONS, write_causal_lm

PROMPT = "def add(a, b):\n    '''Sum.'''"
PROMPTS = [PROMPT, "for x in y:", "x = [1, 2", "class Tree:\n    def grow(self):"]
Model = tuple[PreTrainedModel, PreTrainedTokenizerBase]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = write_causal_lm(tmp_path_factory.mktemp("model"))
    return load_causal_lm(folder), load_text_tokenizer(folder)


def writes(model: Model, text: str) -> Model:
    """A model that writes `text` after any prompt, then ends the file."""
    learner, tokenizer = model
    ids = iter([*ids_of_text(tokenizer, [text])[0], *[tokenizer.eos_token_id] * 9])

    class Fixed(type(learner)):  # type: ignore[misc]
        def forward(self, input_ids: torch.Tensor, **given: object) -> object:
            output = super().forward(input_ids, **given)
            output.logits[:, -1, next(ids)] += 1e4
            return output

    return Fixed(learner.config).eval(), tokenizer


def test_greedy_text_is_that_of_plain_transformers(model: Model) -> None:
    learner, tokenizer = model
    found = complete(learner, tokenizer, "x = (", temperature=0, max_tokens=20, quality="low")
    ids = torch.tensor([[1, *ids_of_text(tokenizer, ["x = ("])[0]]])
    expected = learner.generate(
        ids, max_new_tokens=20, do_sample=False, suppress_tokens=[1, 2, 3], pad_token_id=0
    )[0, ids.shape[1] :]
    assert found.texts == (tokenizer.decode(expected, skip_special_tokens=True),)
    assert not found.completed[0].ended and found.unread == 0


def test_what_is_drawn_is_the_same_in_any_batch(model: Model) -> None:
    several = [
        complete_all(*model, PROMPTS, CompletionConfig(batch=batch, max_tokens=16, temperature=0.9), n=3)
        for batch in (1, 5, 32)
    ]
    assert several[0] == several[1] == several[2]
    alone = complete(*model, PROMPTS[2], n=1, temperature=0.9, max_tokens=16)
    assert alone.texts[0] == several[0][2].texts[0]
    assert len({text for found in several[0] for text in found.texts}) > 4


def test_another_seed_or_quality_gives_another_text(model: Model) -> None:
    first = complete(*model, "x = (", n=2, max_tokens=24)
    assert complete(*model, "x = (", n=2, max_tokens=24) == first and len(set(first.texts)) == 2
    assert complete(*model, "x = (", n=2, max_tokens=24, seed=1) != first
    assert complete(*model, "x = (", n=2, max_tokens=24, quality="low") != first


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0, 3.0])
    refused = torch.tensor([False, False, True, False])
    generators = [torch.Generator().manual_seed(seed) for seed in range(4000)]
    taken = Drawn(generators, 0.7, refused)(torch.zeros(0), logits.expand(4000, 4)).argmax(dim=1)
    expected = (logits / 0.7).masked_fill(refused, -torch.inf).softmax(dim=0)
    assert torch.bincount(taken, minlength=4) / 4000 == pytest.approx(expected, abs=0.02)


def test_a_completion_ends_with_its_block(model: Model) -> None:
    block = "\n    s = a\n    return s"
    for rest, ended in (("\n\n\ndef b():\n    c", True), ("\n", True), ("\n    # and so on" * 9, False)):
        written = writes(model, block + rest)
        (found,) = complete(*written, PROMPT, temperature=0, max_tokens=40).completed
        assert found.ended == ended
        assert found.text.startswith(block) and (not ended or found.text.rstrip() == block)


def test_a_row_has_ended_once_a_line_of_another_block_begins(model: Model) -> None:
    ended = BlockEnded(model[1], ["if x:", "if x:"], 0)
    ids = torch.tensor(ids_of_text(model[1], ["\n  a\n\n ", "\n  a\n\nb"]))
    assert ended(ids[:, :-1], None).tolist() == [False, False]
    assert ended(ids, None).tolist() == [False, True]


def test_blank_space_at_the_end_of_a_prompt_is_left_to_the_model(model: Model) -> None:
    found = [complete(*model, PROMPT + blank, max_tokens=12) for blank in ("", "\n", "\n    ")]
    assert found[0] == found[1] == found[2]


def test_of_a_long_prompt_the_end_is_read_and_that_is_said(model: Model) -> None:
    long = "# " + "many words " * 20 + "\nx = ("
    found = complete(*model, long, max_tokens=16)
    room = POSITIONS - 16 - 1
    assert found.unread == len(long) - room
    with pytest.raises(ConfigError, match=f"tokens of a completion leave 5 of the model's {POSITIONS}"):
        complete(*model, long, max_tokens=POSITIONS - 6)


def test_special_tokens_in_a_prompt_are_text_and_none_is_written(model: Model) -> None:
    found = complete(*model, f"x = '{END_OF_TEXT}", n=3, temperature=3, max_tokens=30)
    assert not any("<|" in text for text in found.texts)


def test_a_model_without_quality_tokens_is_asked_for_none(tmp_path: Path) -> None:
    folder = write_causal_lm(tmp_path, special=(END_OF_TEXT,))
    plain = load_causal_lm(folder), load_text_tokenizer(folder)
    low, high = (complete(*plain, "x = (", max_tokens=8, quality=quality) for quality in ("low", "high"))
    assert low == high
    with pytest.raises(DataError, match="a prompt is empty"):
        complete(*plain, "\n", max_tokens=8)
