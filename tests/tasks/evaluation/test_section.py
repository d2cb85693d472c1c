"""What an evaluation shows: a row a model, whatever the flow calls them, the plots, the weak spots."""

from pathlib import Path

import numpy as np

from tasks.evaluation.config import EvaluateConfig
from tasks.evaluation.evaluate import evaluate
from tasks.evaluation.stages import evaluate as evaluate_stage
from tests.tasks.models.tiny_encoder import write_dataset
from tests.tasks.predicted import write_predicted
from tests.tasks.sections import shown


def test_a_row_a_model_whatever_the_flow_calls_them(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "rows", rows=80, out_of_scope=False)
    models = {}
    for seed, name in enumerate(("majority", "prompted", "released")):
        random = np.random.default_rng(seed)

        def logits(labels: np.ndarray, random=random, seed=seed) -> np.ndarray:
            return random.normal(size=(len(labels), 3)) + seed * np.eye(3)[labels]

        models[name] = write_predicted(tmp_path / name, dataset, logits)
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


def test_the_heads_of_the_columns_say_for_whose_share_figures_are(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "rows", rows=80)
    folder = write_predicted(tmp_path / "released", dataset, lambda labels: 3.0 * np.eye(4)[labels], 0.6)
    (tmp_path / "out").mkdir()
    evaluate(EvaluateConfig(expected_share_source="our May"), {"released": folder}, dataset, tmp_path / "out")
    section = shown(evaluate_stage, tmp_path / "out", tmp_path / "copy")
    heads = {column.name: " ".join(column.heading.split()) for column in section.tables[0].columns}
    assert heads["accuracy"] == "accuracy for 60%: our May"
    assert heads["accuracy_validation_share"] == "accuracy for 25.0%: validation"
    assert {"accuracy_argmax", "accuracy_in_scope", "auroc"} <= set(heads)
    assert any("25.0% of which are out of scope" in note for note in section.notes)
