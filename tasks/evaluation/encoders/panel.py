"""What encoders come to on a panel of labelled sets: of the teacher's score the share that a student keeps."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from infra.errors import ArtifactError
from tasks.evaluation.encoders.config import PanelConfig
from tasks.formats.encoder_scores import EncoderScores, read_scores
from tasks.formats.panel_report import PanelReport, PanelRow
from tasks.formats.report_file import write_report
from tasks.metrics.paired_seeds import Paired, seeded_difference

Sets = dict[str, EncoderScores]  # of one encoder, by set
STEP = 0.001  # shares of the teacher's score are tried in such steps


def score_panel(config: PanelConfig, scores: Mapping[str, Path], output_dir: Path) -> Mapping[str, float]:
    """Put fine-tuned encoders' scores together, given by `SET/ENCODER`; returns each one's score by its name.

    Of each set the most labels count. Where one encoder has fewer seeds than another, the seeds that both have are compared.

    Raises ArtifactError when an encoder lacks a set, or the teacher is not among them.
    """
    by_encoder: dict[str, Sets] = {}
    for name, folder in scores.items():
        of_set, _, encoder = name.partition("/")
        by_encoder.setdefault(encoder, {})[of_set] = read_scores(folder)
    teacher = by_encoder.get(config.teacher)
    if teacher is None or any(found.keys() != teacher.keys() for found in by_encoder.values()):
        raise ArtifactError(
            f"the panel has {', '.join(scores)}: expected every set of each encoder, {config.teacher} among them. Score the "
            "others too."
        )
    undistilled = by_encoder.get(config.undistilled)
    rows = tuple(
        _row(name, found, teacher, None if found is undistilled else undistilled, config.confidence)
        for name, found in by_encoder.items()
    )
    sets = {name: found.report for name, found in teacher.items()}
    report = PanelReport(
        confidence=config.confidence,
        test_rows={name: found.test_rows for name, found in sets.items()},
        labels={name: max(one.labels for one in found.classifiers) for name, found in sets.items()},
        rows=rows,
    )
    write_report(output_dir, report)
    return {f"{row.name}_panel": row.score for row in rows}


def _row(name: str, own: Sets, teacher: Sets, undistilled: Sets | None, confidence: float) -> PanelRow:
    accuracies = {of_set: float(_right(found).mean()) for of_set, found in own.items()}
    against = paired(teacher, own)
    scored = {end: np.mean([getattr(one, end).mean() for one in against]) for end in Paired._fields}
    over = None if undistilled is None else seeded_difference(paired(undistilled, own), confidence)
    return PanelRow(
        name=name,
        score=float(np.mean([*accuracies.values()])),
        sets=accuracies,
        seeds=min(len(_right(found)) for found in own.values()),
        retained=float(scored["candidate"] / scored["reference"]),
        keeps=kept_share(against, confidence),
        over_undistilled=None if over is None else over.value,
        interval=None if over is None or len(against[0].candidate) < 2 else (over.low, over.high),
    )


def paired(reference: Sets, candidate: Sets) -> list[Paired]:
    """The answers of both on each set, of the seeds that both have."""
    found = []
    for of_set, own in candidate.items():
        first, second = _right(reference[of_set]), _right(own)
        seeds = min(len(first), len(second))
        found.append(Paired(first[:seeds], second[:seeds]))
    return found


def kept_share(sets: list[Paired], confidence: float) -> float:
    """The largest share of the reference's score that the candidate has for sure, in steps of STEP; 0 where no telling."""
    if len(sets[0].candidate) < 2:
        return 0.0
    shares = np.arange(0.0, 1.5, STEP)
    kept = [share for share in shares if seeded_difference(sets, confidence, share).low >= 0]
    return round(float(max(kept, default=0.0)), 3)


def _right(scores: EncoderScores) -> np.ndarray:
    return scores.of(max(one.labels for one in scores.report.classifiers))
