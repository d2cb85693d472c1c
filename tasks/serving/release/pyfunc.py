"""A release as an MLflow model (models-from-code: MLflow runs this file when it loads the model).

It needs onnxruntime, tokenizers, numpy and pandas, and nothing of this project, so that a serving image
stays small.
"""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnxruntime
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from tokenizers import Tokenizer


class ReleasedClassifier(PythonModel):
    """Answers texts with a label and a score, by the graph of a release folder."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the release folder, the model's artifact `release`."""
        folder = Path(context.artifacts["release"])
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        names = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"]
        self.labels = np.array([names[str(i)] for i in range(len(names))], dtype=object)
        options = onnxruntime.SessionOptions()
        # Without VNNI products of int8 saturate otherwise, and answers are not the released ones; elsewhere it changes nothing.
        options.add_session_config_entry("session.x64quantprecision", "1")
        self.session = onnxruntime.InferenceSession(
            str(folder / "onnx" / "model_quantized.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Label and softmax probability of each text.

        It has no type hints, though MLflow asks for them: what it makes of `list[str]` takes the first column of a
        frame for the text, whatever its name. The signature that the model is registered with hands the name on.

        Args:
            context: not used; the folder is read once, in `load_context`.
            model_input: texts, a list or a data frame with a column `text`, its first one.
            params: none are known.

        Returns:
            A data frame with the columns `label` and `score`, a row a text.

        Raises:
            ValueError: the input has no column `text`, or holds something that is no string.
        """
        texts = texts_of(model_input)
        if not texts:
            return pd.DataFrame({"label": [], "score": []})
        encodings = self.tokenizer.encode_batch(texts)
        feed = {
            "input_ids": np.array([encoding.ids for encoding in encodings], dtype=np.int64),
            "attention_mask": np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64),
        }
        logits = self.session.run(["logits"], feed)[0]
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
        best = probabilities.argmax(axis=1)
        return pd.DataFrame({"label": self.labels[best], "score": probabilities[np.arange(len(best)), best]})


def texts_of(model_input: Any) -> list[str]:
    """The texts of a list, or of the column `text` of a data frame.

    MLflow hands a list on as a frame whose one column has the number 0 for a name.
    """
    if isinstance(model_input, pd.DataFrame):
        columns = list(model_input.columns)
        if "text" not in columns and columns != [0]:
            raise ValueError(f"the input has the columns {columns}: expected one named 'text'.")
        model_input = model_input["text" if "text" in columns else 0]
    texts = list(model_input)
    wrong = [i for i, text in enumerate(texts) if not isinstance(text, str)]
    if wrong:
        raise ValueError(f"row {wrong[0]} is {texts[wrong[0]]!r}: expected a string in each row.")
    return texts


mlflow.models.set_model(ReleasedClassifier())
