"""A release logged to MLflow, loaded from its registry and asked."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

import tasks.serving.release
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
    with mlflow.start_run(experiment_id=experiment):
        logged = mlflow.pyfunc.log_model(
            name="release",
            python_model=str(CODE),
            artifacts={"release": str(home / "release")},
            pip_requirements=["onnxruntime", "tokenizers", "numpy"],
            registered_model_name="tiny",
        )
    client.set_registered_model_alias("tiny", "champion", logged.registered_model_version)
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
    assert model.predict([]).empty


def test_an_input_without_texts_is_refused(model: mlflow.pyfunc.PyFuncModel) -> None:
    with pytest.raises(ValueError, match="expected one named 'text'"):
        model.predict(pd.DataFrame({"query": ["pin"]}))
    with pytest.raises(ValueError, match="row 1 is None"):
        model.predict(["pin", None])
