"""Who has how much from the training text; what is asked is what is shown."""

from pathlib import Path

import numpy as np
import pytest

from infra.errors import DataError
from tasks.evaluation.memorisation.config import MemorisationConfig
from tasks.evaluation.memorisation.measure import measure_memorisation
from tasks.evaluation.memorisation.stages import memorisation
from tasks.formats.completion_report import CompletedTokens, write_completed_tokens
from tasks.formats.memorisation_report import CopiedTexts, read_memorisation
from tests.tasks.baselines.causal_ngrams.documents import write_corpus
from tests.tasks.sections import shown

CONFIG = MemorisationConfig(run=10)


def test_copies_are_counted_by_text_and_by_token(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    trained = [[3, *random.integers(4, 100, 50).tolist(), 0] for _ in range(4)]
    held_out = [3, *range(100, 140), *trained[0][1:13], 0]
    parts = {"train": trained, "files": [held_out, [3, 100, 101, 0]]}
    corpus = write_corpus(tmp_path / "tokens", parts, vocabulary=200)
    across = [*trained[1][-9:-1], *trained[2][1:9]]
    completed = {"it": (tuple(trained[2][5:45]), tuple(across)), "other": ((), (150,))}
    write_completed_tokens(tmp_path, CompletedTokens(tokens=completed))
    (tmp_path / "out").mkdir()
    metrics = measure_memorisation(CONFIG, corpus, tmp_path, tmp_path / "out")
    found = read_memorisation(tmp_path / "out")
    assert found.origins == (
        CopiedTexts(name="it", texts=2, tokens=56, longest=40, long_runs=0.5, copied=40 / 56),
        CopiedTexts(name="other", texts=2, tokens=1, longest=0, long_runs=0.0, copied=0.0),
        CopiedTexts(name="files", texts=2, tokens=54, longest=12, long_runs=0.5, copied=12 / 54),
    )
    assert metrics["it_longest"] == 40 and metrics["files_long_runs"] == 0.5
    (table,) = shown(memorisation, tmp_path / "out", tmp_path / "copy").tables
    assert [row["name"] for row in table.rows] == ["it", "other", "files"]
    assert table.columns[2].heading == "with a run of 10 tokens"


def test_a_corpus_without_training_is_refused(tmp_path: Path) -> None:
    write_completed_tokens(tmp_path, CompletedTokens(tokens={}))
    with pytest.raises(DataError, match="the training part has no tokens"):
        measure_memorisation(CONFIG, write_corpus(tmp_path, {"train": []}), tmp_path, tmp_path)
