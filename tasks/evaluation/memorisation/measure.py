"""What completions and held-out texts have word for word from the training text: the longest run, and how many have a long one.

Held-out text says how much of it is everybody's: licences, imports and idioms are copied by people too.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from infra.errors import DataError
from tasks.baselines.causal_ngrams.measure import compact_ids
from tasks.evaluation.memorisation.config import MemorisationConfig
from tasks.evaluation.memorisation.runs import Texts, Training
from tasks.formats.code_tokens import END_OF_TEXT
from tasks.formats.completion_report import read_completed_tokens
from tasks.formats.memorisation_report import CopiedTexts, MemorisationReport
from tasks.formats.packed_corpus import TRAIN, PackedCorpus, open_part, read_packed_corpus
from tasks.formats.report_file import write_report


def measure_memorisation(
    config: MemorisationConfig, corpus_dir: Path, completions_dir: Path, output_dir: Path
) -> Mapping[str, float]:
    """Write `report.json`; returns the longest run and the share of texts with a long one, by origin.

    Raises ArtifactError for a damaged input, DataError when nothing was trained on.
    """
    corpus = read_packed_corpus(corpus_dir)
    completed = read_completed_tokens(completions_dir).tokens
    origins = {name: Texts.of(rows) for name, rows in completed.items()}
    origins |= {name: _texts_of(corpus, corpus_dir, name) for name in corpus.measured}
    packed = open_part(corpus_dir, TRAIN)
    if not len(packed.ids):
        raise DataError(
            "the training part has no tokens: expected some to look for copies in. Pack more files."
        )
    training = Training(compact_ids(packed), Texts.joined(list(origins.values())))
    found = tuple(_copied(name, texts, training, config.run) for name, texts in origins.items())
    write_report(output_dir, MemorisationReport(tokens=len(packed.ids), run=config.run, origins=found))
    longest = {f"{one.name}_longest": float(one.longest) for one in found}
    return longest | {f"{one.name}_long_runs": one.long_runs for one in found}


def _texts_of(corpus: PackedCorpus, corpus_dir: Path, name: str) -> Texts:
    """A part's texts without what stands before and after them: a run of these crosses no border of training documents."""
    packed = open_part(corpus_dir, name)
    tokens = packed.ids[:]
    text = ~np.isin(tokens, [*corpus.quality_ids.tolist(), corpus.special[END_OF_TEXT]])
    before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(text)])
    return Texts(tokens[text], before[packed.offsets])


def _copied(name: str, texts: Texts, training: Training, run: int) -> CopiedTexts:
    count = len(texts.offsets) - 1
    begins = training.copied(texts, run)
    long = np.unique(np.searchsorted(texts.offsets, begins, side="right"))
    inside = np.zeros(len(texts.tokens) + 1, dtype=np.int64)
    np.add.at(inside, begins, 1)
    np.subtract.at(inside, begins + run, 1)
    covered = int((np.cumsum(inside[:-1]) > 0).sum())
    return CopiedTexts(
        name=name,
        texts=count,
        tokens=len(texts.tokens),
        longest=training.longest(texts),
        long_runs=len(long) / max(1, count),
        copied=covered / max(1, len(texts.tokens)),
    )
