import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import DistilBertConfig, MPNetConfig, PreTrainedTokenizerFast, RobertaConfig, XLNetConfig

from infra.errors import ArtifactError, ConfigError
from tasks.compression.distillation.config import DistillConfig
from tasks.compression.distillation.initialise import spread_layers, student_from_teacher
from tasks.compression.distillation.vocabulary import common_words, student_vocabulary
from tasks.compression.pruning.importance import Importance
from tasks.models.embedding import factorise, word_table
from tasks.models.heads import keep_heads, kept_heads
from tasks.models.model import SentenceClassifier
from tests.tasks.models.tiny_encoder import VOCABULARY, tiny_config, tiny_tokenizer

CONFIG = DistillConfig(layers=3, intermediate_size=64, max_length=32)
ROWS = [[2, 9, 10, 21, 3], [2, 9, 3]]


def teacher(config=None):
    torch.manual_seed(0)
    return SentenceClassifier.from_config(config or tiny_config(), 4).eval()


def words(model):
    return model.body.get_input_embeddings().weight.detach().clone()


def logits(model, ids):
    with torch.inference_mode():
        return model.eval()(torch.tensor(ids), torch.ones(1, len(ids[0]), dtype=torch.int64)).logits


def test_two_of_six_layers_are_the_third_and_the_last():
    assert spread_layers(6, 2) == (2, 5)


@given(st.integers(1, 48), st.data())
def test_kept_layers_are_distinct_in_order_and_end_with_the_last(of, data):
    kept = spread_layers(of, data.draw(st.integers(1, of)))
    assert list(kept) == sorted(set(kept))
    assert kept[-1] == of - 1
    assert max(np.diff([-1, *kept])) - min(np.diff([-1, *kept])) <= 1


def test_a_student_with_everything_kept_answers_as_the_teacher():
    model = teacher()
    student = student_from_teacher(model, CONFIG, words(model), 0)
    torch.testing.assert_close(logits(student, ROWS[:1]), logits(model, ROWS[:1]))


def test_units_that_do_nothing_are_cut_without_a_trace():
    model = teacher()
    with torch.no_grad():
        for layer in model.body.encoder.layer:
            layer.output.dense.weight[:, ::2] = 0
    student = student_from_teacher(
        model, CONFIG.model_copy(update={"intermediate_size": 32}), words(model), 0
    )
    torch.testing.assert_close(logits(student, ROWS[:1]), logits(model, ROWS[:1]))
    assert student.body.config.intermediate_size == 32


def test_chosen_layers_and_head_are_the_teachers_and_the_teacher_is_left_alone():
    model = teacher()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    student = student_from_teacher(
        model, CONFIG.model_copy(update={"layers": 1, "max_length": 16}), words(model), 0
    )
    last = model.body.encoder.layer[2].attention.self.query.weight
    assert torch.equal(student.body.encoder.layer[0].attention.self.query.weight, last)
    assert torch.equal(student.head.weight, model.head.weight)
    assert (len(student.body.encoder.layer), student.body.config.max_position_embeddings) == (1, 16)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert student.head.weight.data_ptr() != model.head.weight.data_ptr()


def silence_heads(model, heads):
    """Let these heads of every layer of the teacher give nothing."""
    with torch.no_grad():
        for layer in model.body.encoder.layer:
            for head in heads:
                layer.attention.output.dense.weight[:, 8 * head : 8 * head + 8] = 0


def test_heads_that_do_nothing_are_cut_without_a_trace():
    model = teacher()
    silence_heads(model, (0, 2))
    student = student_from_teacher(model, CONFIG.model_copy(update={"heads": 2}), words(model), 0)
    torch.testing.assert_close(logits(student, ROWS[:1]), logits(model, ROWS[:1]))
    assert kept_heads(student.body) == ((1, 3),) * 3
    assert student.body.encoder.layer[0].attention.self.query.weight.shape == (16, 32)


def test_importance_that_is_given_chooses_heads_and_units_of_the_chosen_layers():
    model = teacher()
    heads = [torch.tensor([9.0, 0, 0, 0]).roll(i) for i in range(3)]
    units = [torch.arange(64.0).roll(i) for i in range(3)]
    small = CONFIG.model_copy(update={"layers": 1, "heads": 1, "intermediate_size": 2})
    student = student_from_teacher(model, small, words(model), 0, Importance(heads, units))
    last, layer = model.body.encoder.layer[2], student.body.encoder.layer[0]
    assert kept_heads(student.body) == ((2,),)
    assert torch.equal(layer.attention.self.key.weight, last.attention.self.key.weight[16:24])
    assert torch.equal(layer.output.dense.weight, last.output.dense.weight[:, :2])


def test_a_student_of_a_narrow_teacher_has_what_the_teacher_has_left():
    model = teacher()
    keep_heads(model.body, [[0, 1, 3]] * 3)
    factorise(model.body, 8)
    rows = word_table(model.body)
    same = student_from_teacher(model, CONFIG, rows, 0)
    torch.testing.assert_close(logits(same, ROWS[:1]), logits(model, ROWS[:1]))
    assert kept_heads(same.body) == ((0, 1, 3),) * 3
    assert not hasattr(same.body.config, "embedding_rank")
    fewer = student_from_teacher(model, CONFIG.model_copy(update={"heads": 1}), rows, 0)
    assert all(set(heads) < {0, 1, 3} for heads in kept_heads(fewer.body))


def test_more_heads_than_the_teacher_has_are_refused():
    model = teacher()
    with pytest.raises(ConfigError, match=r"distill\.heads is 5: expected 1 to 4"):
        student_from_teacher(model, CONFIG.model_copy(update={"heads": 5}), words(model), 0)


def test_a_trimmed_vocabulary_reads_the_same_rows(tmp_path):
    model, kept = teacher(), [0, 1, 2, 3, 4, 9, 21]
    np.save(tmp_path / "kept_ids.npy", np.array(kept))
    vocabulary = student_vocabulary(
        tmp_path, tiny_tokenizer([VOCABULARY[i] for i in kept]), words(model), tiny_tokenizer()
    )
    assert vocabulary.inherited
    student = student_from_teacher(model, CONFIG, vocabulary.rows, 0)
    torch.testing.assert_close(logits(student, [[2, 5, 6, 3]]), logits(model, [[2, 9, 21, 3]]))
    assert student.body.config.vocab_size == len(kept)


def test_the_teachers_own_vocabulary_is_kept_whole(tmp_path):
    rows = words(teacher())
    vocabulary = student_vocabulary(tmp_path, tiny_tokenizer(), rows, tiny_tokenizer())
    assert vocabulary.inherited
    assert torch.equal(vocabulary.rows, rows)


def test_tokens_of_a_new_vocabulary_start_at_the_mean_of_their_pieces(tmp_path):
    rows, ids = words(teacher()), {token: i for i, token in enumerate(VOCABULARY)}
    new = tiny_tokenizer([*VOCABULARY[:5], "rain", "rains", "nowhere"])
    vocabulary = student_vocabulary(tmp_path, new, rows, tiny_tokenizer())
    assert not vocabulary.inherited
    torch.testing.assert_close(vocabulary.rows[:6], rows[[0, 1, 2, 3, 4, ids["rain"]]])
    torch.testing.assert_close(vocabulary.rows[6], (rows[ids["rain"]] + rows[ids["##s"]]) / 2)
    torch.testing.assert_close(vocabulary.rows[7], rows[ids["[UNK]"]])


@pytest.mark.parametrize(
    "kept", [[0, 1, 2], [*range(len(VOCABULARY) - 1), 999], [-1, *range(1, len(VOCABULARY))]]
)
def test_kept_ids_of_another_teacher_are_refused(tmp_path, kept):
    np.save(tmp_path / "kept_ids.npy", np.array(kept))
    with pytest.raises(ArtifactError, match="Build the tokenizer anew"):
        student_vocabulary(tmp_path, tiny_tokenizer(), words(teacher()), tiny_tokenizer())


def test_common_words_are_whole_words_in_the_order_of_the_vocabulary():
    assert common_words(tiny_tokenizer())[:3] == ["what", "is", "my"]
    assert not {"##s", "[PAD]"} & set(common_words(tiny_tokenizer()))


def test_common_words_of_a_byte_level_vocabulary_follow_a_blank():
    inner = Tokenizer(
        models.WordLevel({"th": 0, "\u0120hello": 1, "ing": 2, "\u0120a": 3, "\u0120you": 4}, unk_token="th")
    )
    assert common_words(PreTrainedTokenizerFast(tokenizer_object=inner)) == ["hello", "you"]


def test_damaged_kept_ids_are_refused(tmp_path):
    (tmp_path / "kept_ids.npy").write_bytes(b"not numpy")
    with pytest.raises(ArtifactError, match="cannot be read"):
        student_vocabulary(tmp_path, tiny_tokenizer(), words(teacher()), tiny_tokenizer())


SIZES = {
    "vocab_size": 40,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
DISTILBERT = DistilBertConfig(
    vocab_size=40, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=40
)


@pytest.mark.parametrize(
    ("config", "pad_id"),
    [
        (RobertaConfig(**SIZES, max_position_embeddings=42, pad_token_id=1), 1),
        (MPNetConfig(**SIZES, max_position_embeddings=42, pad_token_id=1), 1),
        (DISTILBERT, 0),
    ],
    ids=["roberta", "mpnet", "distilbert"],
)
def test_other_encoders_are_cut_as_bert_is(config, pad_id):
    model = teacher(config)
    same = DistillConfig(layers=2, intermediate_size=64, max_length=16)
    student = student_from_teacher(model, same, words(model), pad_id)
    torch.testing.assert_close(logits(student, [[5, 9, 10, 11, 6]]), logits(model, [[5, 9, 10, 11, 6]]))
    smaller = student_from_teacher(
        model, same.model_copy(update={"layers": 1, "intermediate_size": 8}), words(model), pad_id
    )
    assert torch.isfinite(logits(smaller, [[5, 9, 6]])).all()


def test_roberta_positions_follow_a_padding_id_that_moves():
    model = teacher(RobertaConfig(**SIZES, max_position_embeddings=42, pad_token_id=1))
    same = DistillConfig(layers=2, intermediate_size=64, max_length=16)
    moved = words(model)
    moved[[1, 3]] = moved[[3, 1]]
    student = student_from_teacher(model, same, moved, 3)
    torch.testing.assert_close(logits(student, [[5, 9, 10, 6]]), logits(model, [[5, 9, 10, 6]]))


def test_an_encoder_of_unknown_shape_is_refused():
    model = teacher()
    model.body.config = XLNetConfig()
    with pytest.raises(ConfigError, match="xlnet"):
        student_from_teacher(model, CONFIG, torch.zeros(4, 32), 0)


@pytest.mark.parametrize("field", ["layers", "intermediate_size", "max_length"])
@pytest.mark.parametrize("value", [None, 500])
def test_a_shape_that_the_teacher_does_not_have_is_refused(field, value):
    model = teacher()
    with pytest.raises(ConfigError, match=rf"distill\.{field} is {value}"):
        student_from_teacher(model, CONFIG.model_copy(update={field: value}), words(model), 0)
