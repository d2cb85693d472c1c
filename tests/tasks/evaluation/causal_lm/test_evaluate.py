"""Bits a byte of held-out code are those that plain transformers comes to, part by part, and what they show."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GPT2LMHeadModel

from infra.errors import ConfigError
from tasks.evaluation.causal_lm.config import EvaluateCausalLmConfig
from tasks.evaluation.causal_lm.evaluate import evaluate_causal_lm, told_quality
from tasks.evaluation.causal_lm.section import MEAN
from tasks.evaluation.causal_lm.stages import evaluate_causal_lm as stage
from tasks.formats.causal_lm_report import CausalLmEvaluation, read_causal_lm_evaluation
from tasks.formats.code_tokens import QUALITIES
from tasks.formats.packed_corpus import FILES, open_part, read_packed_corpus
from tasks.models.gpt.fresh import fresh_gpt
from tasks.models.loading import quiet_transformers
from tests.tasks.baselines.causal_ngrams.documents import write_corpus
from tests.tasks.sections import shown
from tests.tasks.training.causal_lm.tiny_code import CONTEXT, MODEL, UNSEEN, write_code

CONFIG = EvaluateCausalLmConfig(batch_size=3)
Measured = tuple[dict[str, Path], Path, dict[str, float]]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Corpus and model, the evaluation of two models, and its metrics."""
    folder = tmp_path_factory.mktemp("measured")
    code = write_code(folder)
    other = MODEL.model_copy(update={"seed": 1, "layers": 1})
    fresh_gpt(other, folder / "tokenizer", folder / "other")
    (folder / "out").mkdir()
    models = {"model": code["model_dir"], "other": folder / "other"}
    found = evaluate_causal_lm(CONFIG, models, code["tokens_dir"], folder / "out")
    return code, folder / "out", dict(found)


def report(measured: Measured) -> CausalLmEvaluation:
    return read_causal_lm_evaluation(measured[1])


def bits_by_transformers(code: dict[str, Path], name: str) -> float:
    """Of a part's tokens in windows that are cut, as anybody would write it down."""
    corpus = read_packed_corpus(code["tokens_dir"])
    ids, nats = open_part(code["tokens_dir"], name).ids[:], 0.0
    with quiet_transformers():
        model = GPT2LMHeadModel.from_pretrained(code["model_dir"])
    for start in range(0, len(ids) - 1, CONTEXT):
        window = torch.from_numpy(ids[start : start + CONTEXT + 1])
        with torch.no_grad():
            chances = torch.log_softmax(model(window[None, :-1]).logits[0], dim=1)
        said = [at for at, token in enumerate(window[1:].tolist()) if token not in corpus.quality_ids]
        nats -= float(chances[said, window[1:][said]].double().sum())
    return nats / math.log(2) / corpus.parts[name].bytes


def test_bits_a_byte_are_those_of_plain_transformers(measured: Measured) -> None:
    found = report(measured)
    for name, cost in found.models[0].parts.items():
        assert cost.bits_per_byte == pytest.approx(bits_by_transformers(measured[0], name), rel=1e-5)
        assert measured[2][f"model_{name.replace('/', '-')}_bits_per_byte"] == cost.bits_per_byte


def test_every_part_that_was_held_out_is_measured_and_nothing_dropped(measured: Measured) -> None:
    code, found = measured[0], report(measured)
    assert found.context == CONTEXT and [model.name for model in found.models] == ["model", "other"]
    corpus = read_packed_corpus(code["tokens_dir"])
    for model in found.models:
        assert [*model.parts] == [FILES, *UNSEEN]
    for name, part in corpus.parts.items():
        if (
            name in found.tokens
        ):  # all but the quality of each file, of which the first is the part's first token
            assert found.tokens[name] == part.tokens - part.documents


def test_the_mean_is_of_the_repositories_alone(measured: Measured) -> None:
    model = report(measured).models[0]
    own = [model.parts[name].bits_per_byte for name in UNSEEN]
    assert model.mean == pytest.approx(sum(own) / 2) == measured[2]["model_bits_per_byte"]
    assert model.files == model.parts[FILES].bits_per_byte and [*model.repositories] == [*UNSEEN]
    nats = (
        math.log(2)
        * model.parts[FILES].bits_per_byte
        * read_packed_corpus(measured[0]["tokens_dir"]).parts[FILES].bytes
    )
    assert model.parts[FILES].perplexity == pytest.approx(math.exp(nats / report(measured).tokens[FILES]))


def test_files_are_read_as_if_they_were_of_each_quality(measured: Measured) -> None:
    code, model = measured[0], report(measured).models[0]
    assert [*model.by_quality] == ["own", *QUALITIES] and len({*model.by_quality.values()}) == 4
    # All windows were read: their cost is nearly that of the whole text, whose last tokens fill none.
    corpus = read_packed_corpus(code["tokens_dir"])
    sizes = {name: corpus.parts[name].bytes for name in corpus.measured}
    together = sum(model.parts[name].bits_per_byte * size for name, size in sizes.items()) / sum(
        sizes.values()
    )
    assert model.by_quality["own"] == pytest.approx(together, rel=0.05)
    part = open_part(code["tokens_dir"], UNSEEN[0])
    said = told_quality(part.ids[:], corpus, "medium")
    changed = said != part.ids[:]
    assert np.flatnonzero(changed).tolist() == part.offsets[:-1].tolist()
    assert {*said[changed]} == {2} and {*part.ids[:][changed]} == {1, 3}


def test_whether_quality_is_heeded_is_asked_of_few_windows_of_each_part(
    measured: Measured, tmp_path: Path
) -> None:
    code = measured[0]
    few = CONFIG.model_copy(update={"quality_windows": 1})
    evaluate_causal_lm(few, {"model": code["model_dir"]}, code["tokens_dir"], tmp_path)
    (model,) = read_causal_lm_evaluation(tmp_path).models
    assert model.parts == report(measured).models[0].parts
    assert model.by_quality["own"] != report(measured).models[0].by_quality["own"]


def test_a_text_of_less_than_a_window_is_measured_and_its_quality_is_not(
    measured: Measured, tmp_path: Path
) -> None:
    tokens = write_corpus(tmp_path, {"train": [[1, 5, 0]], "files": [[3, 5, 7, 0]]}, vocabulary=600)
    metrics = evaluate_causal_lm(CONFIG, {"model": measured[0]["model_dir"]}, tokens, tmp_path)
    found = read_causal_lm_evaluation(tmp_path)
    assert found.tokens == {"files": 3} and metrics.keys() == {"model_files_bits_per_byte"}
    assert found.models[0].by_quality == {} and found.models[0].mean is None
    (tmp_path / "shown").mkdir()
    assert [table.title for table in shown(stage, tmp_path, tmp_path / "shown").tables] == ["model"]


def test_each_model_has_a_table_of_its_parts_and_what_it_makes_of_quality(
    measured: Measured, tmp_path: Path
) -> None:
    section = shown(stage, measured[1], tmp_path)
    assert [table.title for table in section.tables] == [
        f"{name}{what}" for name in ("model", "other") for what in ("", ": does it heed the quality?")
    ]
    costs, qualities, *_ = section.tables
    assert [row["part"] for row in costs.rows] == [FILES, *UNSEEN, MEAN] and costs.strong == (MEAN,)
    assert costs.rows[-1]["bits_per_byte"] == report(measured).models[0].mean
    assert len(qualities.rows) == 4 and qualities.folded
    assert f"Windows of {CONTEXT} tokens" in section.notes[0]


def test_where_nothing_was_held_out_there_is_nothing_to_measure(measured: Measured, tmp_path: Path) -> None:
    tokens = write_corpus(tmp_path, {"train": [[1, 5, 0]], "validation": [[1, 5, 0]]})
    with pytest.raises(ConfigError, match="the corpus has no test split"):
        evaluate_causal_lm(CONFIG, {"model": measured[0]["model_dir"]}, tokens, tmp_path)
