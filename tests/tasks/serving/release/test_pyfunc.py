"""A release logged to MLflow, loaded from its registry and asked."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from mlflow.types import DataType

import tasks.serving.release
from infra.tracking.client import EXAMPLE, log_release
from tasks.deploy.package import package_model
from tests.tasks.deploy.tiny_release import make_onnx_artifact

CODE = Path(tasks.serving.release.__path__[0]) / "pyfunc.py"


@pytest.fixture(scope="module")
def model(
    tmp_path_factory: pytest.TempPathFactory, tracking_database: Path
) -> Iterator[mlflow.pyfunc.PyFuncModel]:
    """The tiny release, registered in a tracking store of its own and loaded by its alias."""
    home = tmp_path_factory.mktemp("mlflow")
    package_model(make_onnx_artifact(home / "model"), home / "release")
    shutil.copy(tracking_database, home / "mlflow.db")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    client = MlflowClient()
    experiment = client.create_experiment("releases", (home / "artifacts").as_uri())
    run = client.create_run(experiment).info.run_id
    version = log_release(mlflow.get_tracking_uri(), run, "tiny", home / "release", CODE)
    client.set_registered_model_alias("tiny", "champion", version)
    yield mlflow.pyfunc.load_model("models:/tiny@champion")
    mlflow.set_tracking_uri(before)


def test_a_list_of_texts_is_answered_in_order(model: mlflow.pyfunc.PyFuncModel) -> None:
    answers = model.predict(["pin account", "move money to my account", "tell me a joke"])
    assert list(answers["label"]) == ["pin_change", "transfer", "oos"]
    assert answers["score"].between(0, 1).all()


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
