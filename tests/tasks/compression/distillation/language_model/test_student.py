"""Where a student begins: its teacher's layers, in DistilBERT's classes where these compute the same."""

import copy
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    ElectraConfig,
    MPNetConfig,
    PretrainedConfig,
    RobertaConfig,
    XLMRobertaConfig,
    pipeline,
)

from infra.errors import ArtifactError, ConfigError
from tasks.compression.distillation.language_model.config import StudentConfig
from tasks.compression.distillation.language_model.stages import begin_student as begin_stage
from tasks.compression.distillation.language_model.stages import distill_lm as distill_stage
from tasks.compression.distillation.language_model.student import begin_student, chosen_layers, write_student
from tasks.models.architecture import architecture_of
from tasks.models.loading import quiet_transformers
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.models.model import SentenceClassifier
from tests.tasks.models.test_masked_lm import CONFIGS, SIZES, model_of, rows_of
from tests.tasks.models.tiny_encoder import tiny_config, tiny_tokenizer
from tests.tasks.sections import facts_of, shown

OWN_CLASS: dict[str, PretrainedConfig] = {
    "roberta": RobertaConfig(**SIZES, pad_token_id=1),
    "xlm-roberta": XLMRobertaConfig(**SIZES, pad_token_id=1),
    "mpnet": MPNetConfig(**SIZES, pad_token_id=1),
    "electra": ElectraConfig(**SIZES, embedding_size=16),
    "distilbert": CONFIGS["distilbert"],
    "other norms": tiny_config(layer_norm_eps=1e-5),
    "relative positions": tiny_config(position_embedding_type="relative_key"),
    "reads one way": tiny_config(is_decoder=True),
}


def teacher_of(config: PretrainedConfig) -> MaskedLanguageModel:
    """With norms and biases that are not what every model begins with."""
    torch.manual_seed(0)
    teacher = MaskedLanguageModel.from_config(copy.deepcopy(config)).eval()
    with torch.no_grad():
        for value in teacher.parameters():
            value.add_(0.05 * torch.randn_like(value))
    return teacher


def student_of(teacher: MaskedLanguageModel, *layers: int, begin: str = "teacher") -> MaskedLanguageModel:
    return begin_student(StudentConfig(layers=layers or None, begin=begin), teacher)


def assert_same_answers(student: MaskedLanguageModel, teacher: MaskedLanguageModel) -> None:
    """Logits, and the hidden states of the embeddings and of each layer."""
    ids, mask, asked = rows_of(teacher)
    with torch.no_grad():
        own, given = (model(ids, mask, asked, hidden=True) for model in (student, teacher))
    torch.testing.assert_close(own.logits, given.logits, rtol=1e-6, atol=2e-6)
    assert len(own.hidden) == len(given.hidden)
    for ours, theirs in zip(own.hidden, given.hidden, strict=True):
        torch.testing.assert_close(ours[mask == 1], theirs[mask == 1], rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("changed", [{}, {"hidden_act": "relu"}, {"tie_word_embeddings": False}])
def test_a_distilbert_of_all_layers_answers_as_its_bert(changed: dict[str, object]) -> None:
    teacher = teacher_of(tiny_config(num_hidden_layers=12, **changed))
    student = student_of(teacher, *range(12))
    assert student.model.config.model_type == "distilbert"
    names = [name for name, _ in student.model.named_modules()]
    assert not [name for name in names if "token_type" in name or "pooler" in name]
    tied = student.model.get_output_embeddings().weight is student.body.get_input_embeddings().weight
    assert tied == changed.get("tie_word_embeddings", True)
    assert_same_answers(student, teacher)


@pytest.mark.parametrize("name", OWN_CLASS)
def test_what_distilbert_cannot_be_keeps_its_class_and_its_answers(name: str) -> None:
    teacher = teacher_of(OWN_CLASS[name])
    of = len(architecture_of(teacher.body).layers_of(teacher.body))
    student = student_of(teacher, *range(of))
    assert type(student.model) is type(teacher.model)
    assert_same_answers(student, teacher)
    assert_same_answers(student_of(teacher, 0), with_first_layer_alone(teacher))


def with_first_layer_alone(teacher: MaskedLanguageModel) -> MaskedLanguageModel:
    """The teacher itself, whose other layers are taken out of its list."""
    names = architecture_of(teacher.body)
    del names.layers_of(teacher.body)[1:]
    setattr(teacher.model.config, names.depth, 1)
    return teacher


def test_a_list_of_layers_is_those_layers_one_after_the_other() -> None:
    teacher = teacher_of(tiny_config(num_hidden_layers=4))
    student = student_of(teacher, 1, 3)
    layers = teacher.body.encoder.layer
    del layers[2], layers[0]
    teacher.model.config.num_hidden_layers = 2
    assert_same_answers(student, teacher)


def test_the_student_is_a_copy_and_its_teacher_stays() -> None:
    teacher = teacher_of(tiny_config())
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    with torch.no_grad():
        for value in student_of(teacher).parameters():
            value.zero_()
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert teacher.model.config.num_hidden_layers == 3


def test_fresh_weights_are_of_the_same_shape_by_their_seed_and_move_no_other_dice() -> None:
    teacher = teacher_of(tiny_config())
    kept = student_of(teacher)
    dice = torch.get_rng_state()
    one, same = (student_of(teacher, begin="random") for _ in range(2))
    other = begin_student(StudentConfig(begin="random", seed=1), teacher)
    assert torch.equal(dice, torch.get_rng_state())
    shapes = [{name: value.shape for name, value in model.state_dict().items()} for model in (kept, one)]
    assert shapes[0] == shapes[1]
    words = [model.body.get_input_embeddings().weight for model in (one, same, other, kept)]
    assert torch.equal(words[0], words[1])
    assert not torch.equal(words[0], words[2]) and not torch.equal(words[0], words[3])


@given(st.integers(1, 24), st.data())
def test_layers_are_the_teachers_in_their_order_and_anything_else_is_refused(
    of: int, data: st.DataObject
) -> None:
    good = tuple(sorted(data.draw(st.sets(st.integers(0, of - 1), min_size=1))))
    assert chosen_layers(good, of) == good
    assert chosen_layers(None, of) == tuple(range(of))[::2]
    bad = data.draw(st.lists(st.integers(-2, of + 2), max_size=6).map(tuple))
    if list(bad) != sorted(set(bad)) or not bad or bad[0] < 0 or bad[-1] >= of:
        with pytest.raises(ConfigError, match=f"expected some of the teacher's, 0 to {of - 1}, each once"):
            chosen_layers(bad, of)


def test_a_teacher_whose_layers_are_not_known_is_refused() -> None:
    with pytest.raises(ConfigError, match="'albert' can be neither distilled nor cut"):
        student_of(model_of("albert"))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("student")
    teacher_of(tiny_config()).save(folder / "teacher", tiny_tokenizer())
    sizes = write_student(StudentConfig(), folder / "teacher", folder / "student")
    student = MaskedLanguageModel.load(folder / "student")
    assert sizes == {"layers": 2, "parameters": sum(value.numel() for value in student.parameters())}
    return folder


def test_a_written_student_fills_gaps(written: Path) -> None:
    with quiet_transformers():
        found = pipeline("fill-mask", model=str(written / "student"))("what is my [MASK]", top_k=32)
    student = student_of(MaskedLanguageModel.load(written / "teacher"))
    ids = torch.tensor([tiny_tokenizer()("what is my [MASK]")["input_ids"]])
    with torch.no_grad():
        expected = student(ids, None, ids == tiny_tokenizer().mask_token_id).logits[0].softmax(0)
    scores = {fill["token"]: fill["score"] for fill in found}
    assert scores == pytest.approx(dict(enumerate(expected.tolist())), rel=1e-4)


def test_a_student_is_the_base_of_a_classifier(written: Path, tmp_path: Path) -> None:
    """DistilBERT's body, whatever head lies beside it; and that classifier comes back."""
    classifier = SentenceClassifier.from_base(written / "student", 3)
    student = MaskedLanguageModel.load(written / "student")
    ids, mask, asked = rows_of(student)
    with torch.no_grad():
        last = student(ids, mask, asked, hidden=True).hidden[-1]
        body = classifier.body(ids, attention_mask=mask).last_hidden_state
        assert torch.equal(body, last)
        assert classifier(ids, mask).logits.shape == (3, 3)


def test_its_shape_is_shown(written: Path, tmp_path: Path) -> None:
    for stage, title in ((begin_stage, "Student before training"), (distill_stage, "Distilled student")):
        section = shown(stage, written / "student", tmp_path / title)
        assert section.title == title
        facts = facts_of(section)
        assert (facts["architecture"], facts["layers"], facts["hidden size"]) == ("distilbert", "2", "32")


def test_a_damaged_teacher_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        write_student(StudentConfig(), tmp_path, tmp_path / "out")
