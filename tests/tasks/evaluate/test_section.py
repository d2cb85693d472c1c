"""What an evaluation shows: a row a model, whatever the flow calls them, the plots, the weak spots."""

from pathlib import Path

import numpy as np

from tasks.evaluate.config import EvaluateConfig
from tasks.evaluate.evaluate import evaluate
from tasks.evaluate.task import evaluate as evaluate_stage
from tasks.labelled_text.dataset import load_split
from tests.tasks.encoder.tiny_encoder import write_dataset
from tests.tasks.sections import shown


def test_a_row_a_model_whatever_the_flow_calls_them(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "rows", rows=80, out_of_scope=False)
    labels = load_split(dataset, "test").labels
    models = {}
    for seed, name in enumerate(("majority", "prompted", "released")):
        models[name] = tmp_path / name
        models[name].mkdir()
        noise = np.random.default_rng(seed).normal(size=(len(labels), 3))
        np.save(models[name] / "test_logits.npy", (noise + seed * np.eye(3)[labels]).astype(np.float32))
    (tmp_path / "out").mkdir()
    evaluate(EvaluateConfig(), models, dataset, tmp_path / "out")
    section = shown(evaluate_stage, tmp_path / "out", tmp_path / "copy")
    scores = section.tables[0]
    assert [row["name"] for row in scores.rows] == list(models)
    assert "out_of_scope_recall" not in {column.name for column in scores.columns}  # no label is out of scope
    assert [scores.mark(row) for row in scores.rows] == ["", "", "strong"]
    assert [figure.title for figure in section.figures] == [
        "confidence", "confusion", "reliability", "risk coverage", "roc"]  # fmt: skip
    every = next(table for table in section.tables if table.folded)
    assert len(every.rows) == 3 and [row["f1"] for row in every.rows] == sorted(
        row["f1"] for row in every.rows
    )
