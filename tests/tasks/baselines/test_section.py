"""What a baseline shows of a real one."""

from pathlib import Path

from tasks.baselines.config import BaselineConfig
from tasks.baselines.stages import fit_baseline as fit_baseline_stage
from tasks.baselines.stages import fit_fast_text as fit_fast_text_stage
from tasks.baselines.tfidf import fit_baseline
from tasks.inference.fast_text import FastTextInfo
from tests.tasks.models.tiny_encoder import write_dataset
from tests.tasks.sections import facts_of, shown


def test_tfidf_shows_its_terms_and_its_rule(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    fit_baseline(BaselineConfig(), write_dataset(tmp_path / "rows", rows=80), tmp_path / "out")
    facts = facts_of(shown(fit_baseline_stage, tmp_path / "out", tmp_path / "copy"))
    assert facts["terms"] == "1 to 2 words, 2 to 5 characters of a word"
    assert facts["labels"] == "4" and facts["out of scope"].startswith("oos where ")


def test_fast_text_shows_its_labels(tmp_path: Path) -> None:
    info = FastTextInfo(labels=("a", "b"), out_of_scope=None, rule=None)
    (tmp_path / "fasttext.json").write_text(info.model_dump_json())
    facts = facts_of(shown(fit_fast_text_stage, tmp_path, tmp_path / "copy"))
    assert facts == {"labels": "2"}
