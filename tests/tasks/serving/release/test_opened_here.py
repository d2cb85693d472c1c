"""A release opened in this environment, by the code of the docs: by ONNX Runtime with either tokenizer, and from MLflow."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from mlflow.types import DataType

import tasks.serving.release
from infra.champions.registry import registered_name
from infra.tracking.client import EXAMPLE, log_release
from tests.tasks.serving.release.conftest import Opened

CODE = Path(tasks.serving.release.__path__[0]) / "pyfunc.py"
DOCUMENTED_TEXTS = re.compile(r'\["What is[^\]]*\]')


@pytest.mark.parametrize("library", ["tokenizers", "transformers"])
def test_onnxruntime_gives_the_released_answers_with_either_tokenizer(
    library: str, opened: Opened, documented: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(opened.folder)
    opens, answers = re.split(
        r"(?=^(?:batch|feed) = )", documented(f"{library} import"), maxsplit=1, flags=re.MULTILINE
    )
    names: dict[str, Any] = {}
    exec(opens, names)
    answer, given = compile(DOCUMENTED_TEXTS.sub("texts", answers), "docs", "exec"), []
    for text in opened.texts:
        names["texts"] = [text]
        exec(answer, names)
        scores = np.exp(names["logits"][0] - names["logits"][0].max())
        given.append((names["labels"][str(scores.argmax())], float(scores.max() / scores.sum())))
    opened.assert_same(given, score=1e-6)


@pytest.fixture(scope="module")
def model(
    tmp_path_factory: pytest.TempPathFactory,
    tracking_database: Path,
    opened: Opened,
    documented: Callable[[str], str],
) -> Iterator[mlflow.pyfunc.PyFuncModel]:
    """The release, registered in a tracking store of its own as the demo's is, and loaded as documented."""
    home, name = tmp_path_factory.mktemp("mlflow"), registered_name("local/clinc150-classifier")
    shutil.copy(tracking_database, home / "mlflow.db")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    client = MlflowClient()
    experiment = client.create_experiment("releases", (home / "artifacts").as_uri())
    run = client.create_run(experiment).info.run_id
    version = log_release(
        mlflow.get_tracking_uri(), run, name, opened.folder, CODE, "What it is.", {"accuracy": 0.5}
    )
    client.set_registered_model_alias(name, "champion", version)
    names: dict[str, Any] = {}
    exec(documented("import mlflow"), names)
    yield names["model"]
    mlflow.set_tracking_uri(before)


def test_mlflow_gives_the_released_answers(model: mlflow.pyfunc.PyFuncModel, opened: Opened) -> None:
    frames = [model.predict([text]) for text in opened.texts]
    opened.assert_same([(frame["label"][0], float(frame["score"][0])) for frame in frames], score=1e-6)


def test_a_list_of_texts_is_answered_in_order(model: mlflow.pyfunc.PyFuncModel, opened: Opened) -> None:
    answers = model.predict(opened.texts[:3])
    assert list(answers["label"]) == [label for label, _ in opened.answers[:3]]


def test_a_data_frame_gives_the_same_as_a_list(model: mlflow.pyfunc.PyFuncModel) -> None:
    texts = ["pin", "move money"]
    pd.testing.assert_frame_equal(
        model.predict(pd.DataFrame({"text": texts, "id": [1, 2]})), model.predict(texts)
    )


def test_no_texts_give_no_answers(model: mlflow.pyfunc.PyFuncModel) -> None:
    assert model.predict(pd.DataFrame({"text": []}, dtype=object)).empty


def test_its_signature_says_what_goes_in_and_comes_out(model: mlflow.pyfunc.PyFuncModel) -> None:
    signature = model.metadata.signature
    assert signature.inputs.input_types() == [DataType.string]
    assert dict(zip(signature.outputs.input_names(), signature.outputs.input_types(), strict=True)) == {
        "label": DataType.string, "score": DataType.float}  # fmt: skip
    answers = model.predict(["pin", "move money"])
    assert {name: str(kind) for name, kind in answers.dtypes.items() if name == "score"} == {
        "score": "float32"
    }
    assert list(answers.columns) == ["label", "score"]


def test_its_example_is_no_row_of_the_data_and_is_answered(model: mlflow.pyfunc.PyFuncModel) -> None:
    example = model.input_example
    assert example == [EXAMPLE]
    assert len(model.predict(example)) == 1


def test_an_input_without_texts_is_refused(model: mlflow.pyfunc.PyFuncModel) -> None:
    with pytest.raises(ValueError, match="expected one named 'text'"):
        model.predict(pd.DataFrame({"query": ["pin"]}))
    with pytest.raises(ValueError, match=r"row 1 is (None|nan): expected a string"):
        model.predict(["pin", None])
