import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from infra.errors import ArtifactError, ConfigError, DataError
from tasks.compression.quantization.dynamic import to_dynamic_int8
from tasks.formats.out_of_scope import OutOfScopeRule
from tasks.inference.classifier import LONGEST_TEXT, Classifier, buckets
from tasks.inference.onnx import OnnxRunner
from tests.conftest import ROOT
from tests.tasks.serving.release.tiny_release import LABELS, WORDS, make_onnx_artifact, voting_graph

RULE = OutOfScopeRule(label="oos", score="energy", threshold=1.0, expected_share=0.2)
HEAVY = {
    "torch", "transformers", "sklearn", "scipy", "pyarrow", "pandas", "pydantic", "prefect", "mlflow", "onnx",
}  # fmt: skip


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_onnx_artifact(tmp_path_factory.mktemp("release"), RULE)


@pytest.fixture(scope="module")
def classifier(release: Path) -> Classifier:
    return Classifier(release)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    words = ["pin", "money", "account", "move", "please"]
    random = np.random.default_rng(0)
    return [" ".join(random.choice(words, size=random.integers(1, 8))) for _ in range(60)]


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bag of word vectors with a dense layer, in dynamic int8: what a row gives depends on its batch."""
    folder = make_onnx_artifact(tmp_path_factory.mktemp("int8"))
    onnx.save(to_dynamic_int8(dense_graph(), embeddings=True), folder / "model.onnx")
    return folder


def dense_graph() -> onnx.ModelProto:
    """logits = (sum of the words' vectors) @ weights."""
    model = voting_graph()
    random = np.random.default_rng(0)
    votes = random.normal(size=(len(WORDS), 8)).astype(np.float32)
    weights = random.normal(size=(8, len(LABELS))).astype(np.float32)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(votes, "votes"))
    model.graph.initializer.append(numpy_helper.from_array(weights, "weights"))
    model.graph.node[-1].output[0] = "sums"
    model.graph.node.append(helper.make_node("MatMul", ["sums", "weights"], ["logits"]))
    return model


def test_an_answer_is_the_best_label_with_its_share_of_the_softmax(classifier: Classifier) -> None:
    # "pin" votes 5 for pin_change, "account" 1 for pin_change and 1 for transfer: logits 6, 1, 0.
    (answer,) = classifier.predict(["pin account"])
    assert answer.label == "pin_change"
    assert answer.confidence == pytest.approx(np.exp(6) / (np.exp(6) + np.exp(1) + np.exp(0)), rel=1e-6)
    assert not answer.out_of_scope
    assert answer.ranked == ((answer.label, answer.confidence),)


def test_a_tokenizer_that_fails_at_a_text_is_an_error_that_names_it(tmp_path: Path) -> None:
    folder = make_onnx_artifact(tmp_path / "release", RULE)
    spec = json.loads((folder / "tokenizer.json").read_text())
    spec["pre_tokenizer"] = {"type": "FixedLength", "length": 0}
    (folder / "tokenizer.json").write_text(json.dumps(spec))
    with pytest.raises(ArtifactError, match=f"the tokenizer of {folder} fails at a text"):
        Classifier(folder).predict(["pin account"])


def test_the_out_of_scope_label_is_flagged(classifier: Classifier) -> None:
    (answer,) = classifier.predict(["philosophy"])  # unknown: 0.1 for oos
    assert (answer.label, answer.out_of_scope) == ("oos", True)


def test_a_release_without_a_rule_flags_nothing(tmp_path: Path) -> None:
    (answer,) = Classifier(make_onnx_artifact(tmp_path)).predict(["philosophy"])
    assert (answer.label, answer.out_of_scope) == ("oos", False)


def test_top_k_ranks_the_labels(classifier: Classifier) -> None:
    (answer,) = classifier.predict(["money account"], top_k=2)
    assert [label for label, _ in answer.ranked] == ["transfer", "pin_change"]
    (all_of_them,) = classifier.predict(["money account"], top_k=99)
    assert {label for label, _ in all_of_them.ranked} == set(LABELS)
    assert sum(confidence for _, confidence in all_of_them.ranked) == pytest.approx(1)
    confidences = [confidence for _, confidence in all_of_them.ranked]
    assert confidences == sorted(confidences, reverse=True)


@given(st.lists(st.text("ab ", max_size=30).map(lambda s: s.replace("a", "pin ").replace("b", "money "))))
def test_answers_come_in_the_order_of_the_texts(classifier: Classifier, texts: list[str]) -> None:
    assert classifier.predict(texts) == [classifier.predict([text])[0] for text in texts]


@given(st.lists(st.integers(0, 9), max_size=50), st.integers(1, 7))
def test_every_row_is_in_one_bucket_of_like_length(lengths: list[int], size: int) -> None:
    made = buckets(lengths, size)
    flat = [i for bucket in made for i in bucket]
    assert sorted(flat) == list(range(len(lengths)))
    assert [lengths[i] for i in flat] == sorted(lengths)
    assert all(len(bucket) == size for bucket in made[:-1])


def test_no_texts_give_no_answers(classifier: Classifier) -> None:
    assert classifier.predict([]) == []


def test_an_empty_text_is_answered(classifier: Classifier) -> None:
    assert classifier.predict(["", "pin"])[1].label == "pin_change"
    assert 0 < classifier.predict([""])[0].confidence < 1


def test_a_very_long_text_is_answered_by_its_beginning(classifier: Classifier) -> None:
    (answer,) = classifier.predict(["pin " * LONGEST_TEXT])
    assert answer == classifier.predict(["pin " * 8])[0]  # the tokenizer keeps 8 tokens


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ("pin", "texts is the string 'pin'"),
        (["pin", None], "text 1 is of type NoneType"),
        ([b"pin"], "text 0 is of type bytes"),
        (["caf\udce9"], "text 0 has half of a surrogate pair"),
    ],
)
def test_what_is_no_list_of_strings_is_refused(classifier: Classifier, texts: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        classifier.predict(texts)


def test_numbers_below_one_are_refused(classifier: Classifier, release: Path) -> None:
    with pytest.raises(ConfigError, match="top_k is 0"):
        classifier.predict(["pin"], top_k=0)
    with pytest.raises(ConfigError, match="threads is 0"):
        Classifier(release, threads=0)


def test_a_folder_without_a_graph_is_refused(release: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((release / name).read_bytes())
    with pytest.raises(ArtifactError, match="holds no ONNX graph"):
        Classifier(tmp_path)


def test_a_damaged_rule_is_refused(release: Path, tmp_path: Path) -> None:
    make_onnx_artifact(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | {"out_of_scope": "oos"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ArtifactError, match="says out_of_scope as 'oos'"):
        Classifier(tmp_path)


def test_alone_it_gives_the_recorded_answers_of_an_int8_model(int8: Path, texts: list[str]) -> None:
    runner, classifier = OnnxRunner(int8, threads=1), Classifier(int8)
    recorded = [runner.labels[runner.logits([text]).argmax()] for text in texts]
    assert [classifier.predict([text])[0].label for text in texts] == recorded
    together = [answer.label for answer in classifier.predict(texts)]
    assert np.mean([one == other for one, other in zip(together, recorded, strict=True)]) > 0.8


def test_threads_may_share_it(int8: Path, texts: list[str]) -> None:
    classifier = Classifier(int8)
    expected = [classifier.predict([text])[0] for text in texts]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert list(pool.map(lambda text: classifier.predict([text])[0], texts)) == expected


def test_a_fresh_interpreter_answers_without_heavy_imports(release: Path) -> None:
    script = (
        "import json, sys; from pathlib import Path; from tasks.inference.classifier import Classifier; "
        f"answer = Classifier(Path({str(release)!r})).predict(['move money'])[0].label; "
        "print(json.dumps([answer, sorted({name.split('.')[0] for name in sys.modules})]))"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    answer, modules = json.loads(out)
    assert answer == "transfer"
    assert not HEAVY & set(modules)
