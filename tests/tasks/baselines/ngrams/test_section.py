"""What the n-grams show: each perplexity with what it may look at."""

import json
from pathlib import Path

from tasks.baselines.ngrams.measure import PERPLEXITIES
from tasks.baselines.ngrams.stages import ngrams
from tests.tasks.sections import shown


def test_every_perplexity_is_told_with_what_it_sees(tmp_path: Path) -> None:
    window = {"window": "w _ w", "known": 0.4, "share": 0.7, "weights": [0.5]}
    found = {name: 100.0 + place for place, name in enumerate(PERPLEXITIES)} | {"windows": [window]}
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.json").write_text(json.dumps(found))
    measured, windows = shown(ngrams, tmp_path / "out", tmp_path / "copy").tables
    assert [row["perplexity"] for row in measured.rows] == [100.0, 101.0, 102.0, 103.0, 104.0]
    assert [row["name"] for row in measured.rows if measured.mark(row)] == ["from both sides, hidden"]
    assert windows.folded and windows.rows == ({"window": "w _ w", "known": 0.4, "share": 0.7},)
