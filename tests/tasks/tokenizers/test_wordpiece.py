"""The laws of a WordPiece vocabulary with fewer tokens, over any text and any choice of tokens."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from infra.errors import ConfigError
from tasks.tokenizers.wordpiece import WordPiece, with_tokens


@pytest.fixture(scope="module")
def trimmed(base: WordPiece) -> tuple[Tokenizer, np.ndarray]:
    """Special tokens, every reachable character and 2,000 of the other tokens."""
    kept = dict.fromkeys([*base.special, *base.characters, *base.reachable[1_000::12]])
    kept_ids = np.array([base.ids[token] for token in kept], dtype=np.int64)
    return with_tokens(base, kept_ids), kept_ids


def texts_over(characters: list[str]) -> st.SearchStrategy[str]:
    """Words of up to 40 of these characters (above 100 BERT itself gives up)."""
    word = st.text(st.sampled_from(characters), min_size=1, max_size=40)
    return st.lists(word, min_size=1, max_size=8).map(" ".join)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_text_over_kept_characters_is_unknown(base, trimmed, data):
    tokenizer, _ = trimmed
    characters = sorted({base.body(token) for token in base.characters})
    text = data.draw(texts_over(characters))
    assert "[UNK]" not in tokenizer.encode(text).tokens


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_text_inside_the_kept_vocabulary_is_cut_as_before(base, trimmed, data):
    tokenizer, kept_ids = trimmed
    kept_words = [base.tokens[i] for i in kept_ids if not base.tokens[i].startswith(("##", "["))]
    text = data.draw(st.lists(st.sampled_from(kept_words), min_size=1, max_size=12).map(" ".join))
    before = base.tokenizer.encode(text)
    assert set(before.ids) <= set(kept_ids.tolist())
    assert tokenizer.encode(text).tokens == before.tokens


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_whose_tokens_are_all_kept_has_the_same_ids_through_the_map(base, trimmed, text):
    tokenizer, kept_ids = trimmed
    before = base.tokenizer.encode(text).ids
    if set(before) <= set(kept_ids.tolist()):
        assert kept_ids[tokenizer.encode(text).ids].tolist() == before


def test_special_tokens_go_around_a_text_with_their_new_ids(base, trimmed):
    tokenizer, _ = trimmed
    encoded = tokenizer.encode("savings")
    assert encoded.tokens[0] == "[CLS]" and encoded.tokens[-1] == "[SEP]"
    assert encoded.ids[0] == tokenizer.token_to_id("[CLS]") == base.special.index("[CLS]")
    assert tokenizer.token_to_id("[PAD]") == 0


def test_dead_tokens_are_those_that_no_text_gives(base):
    reachable = set(base.reachable)
    assert {"the", "##ing", "a", "##a", ",", "一"} <= reachable
    assert not reachable & {"[unused7]", "##,", "##一", "[CLS]"}
    assert len(reachable) > 29_000


@pytest.mark.parametrize("processor", ["BertProcessing", "RobertaProcessing", "Sequence"])
def test_other_post_processors_get_new_ids_too(base, trimmed, processor):
    pair = {"sep": ["[SEP]", base.ids["[SEP]"]], "cls": ["[CLS]", base.ids["[CLS]"]]}
    spec = json.loads(base.tokenizer.to_str())
    plain = {"type": "BertProcessing", **pair}
    roberta = {"type": "RobertaProcessing", **pair, "trim_offsets": True, "add_prefix_space": False}
    sequence = {"type": "Sequence", "processors": [plain]}
    spec["post_processor"] = {"BertProcessing": plain, "RobertaProcessing": roberta, "Sequence": sequence}[
        processor
    ]
    other = WordPiece(Tokenizer.from_str(json.dumps(spec)))
    assert with_tokens(other, trimmed[1]).encode("a").tokens == ["[CLS]", "a", "[SEP]"]


def test_a_post_processor_of_another_kind_is_refused_with_the_way_out(base, trimmed):
    spec = json.loads(base.tokenizer.to_str())
    spec["post_processor"] = {
        "type": "ByteLevel",
        "add_prefix_space": True,
        "trim_offsets": True,
        "use_regex": True,
    }
    with pytest.raises(ConfigError, match=r"ByteLevel.*mode keep"):
        with_tokens(WordPiece(Tokenizer.from_str(json.dumps(spec))), trimmed[1])


@pytest.mark.parametrize(
    ("model", "kind"), [(models.BPE(), "BPE"), (models.Unigram([("a", 0.0)], 0), "Unigram")]
)
def test_another_kind_of_tokenizer_is_named_and_keep_is_offered(model, kind):
    with pytest.raises(ConfigError, match=rf"kind {kind}.*mode keep"):
        WordPiece(Tokenizer(model))


def test_ids_with_holes_are_understood():
    spec = json.loads(Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]")).to_str())
    spec["model"]["vocab"] = {"[UNK]": 3, "a": 10, "##a": 12, "b": 40}
    holes = WordPiece(Tokenizer.from_str(json.dumps(spec)))
    assert with_tokens(holes, np.array([3, 10, 12])).encode("aa").ids == [1, 2]
