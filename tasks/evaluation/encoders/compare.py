"""Which encoder to take for how many labels: accuracies, their paired differences, and what these support."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.errors import ArtifactError
from tasks.evaluation.encoders.config import CompareEncodersConfig
from tasks.formats.encoder_comparison import ComparedEncoder, EncoderComparison, Recommendation
from tasks.formats.encoder_scores import EncoderScores, read_scores
from tasks.formats.report_file import write_report
from tasks.metrics.paired_seeds import Paired, seeded_difference


def compare_encoders(
    config: CompareEncodersConfig, scores: Mapping[str, Path], output_dir: Path
) -> Mapping[str, float]:
    """Compare with the first of `scores`; returns each one's mean accuracies by `NAME_LABELS`.

    Raises ArtifactError when they are not of the same rows.
    """
    read = {name: read_scores(folder) for name, folder in scores.items()}
    first = next(iter(read.values()))
    asked = [(one.labels, one.seed) for one in first.report.classifiers]
    for name, found in read.items():
        if [(one.labels, one.seed) for one in found.report.classifiers] != asked or (
            found.report.test_rows != first.report.test_rows
        ):
            raise ArtifactError(
                f"the scores of {name} are of other rows than those of {next(iter(read))}: expected the same labels, seeds and "
                "test rows. Score both again."
            )
    compared = tuple(_compared(read, config.confidence))
    sizes = sorted({labels for labels, _ in asked})
    report = EncoderComparison(
        test_rows=first.report.test_rows,
        seeds=len({seed for _, seed in asked}),
        confidence=config.confidence,
        encoders=compared,
        recommended=tuple(recommend([one for one in compared if one.labels == size]) for size in sizes),
    )
    write_report(output_dir, report)
    return {f"{one.name}_{one.labels}": one.accuracy for one in compared}


def _compared(scores: Mapping[str, EncoderScores], confidence: float) -> Iterator[ComparedEncoder]:
    """By number of labels, then as they are given. Several comparisons share the error (Bonferroni)."""
    first = next(iter(scores.values()))
    each = 1 - (1 - confidence) / max(1, len(scores) - 1)
    for labels in sorted({one.labels for one in first.report.classifiers}):
        for name, found in scores.items():
            right = found.of(labels)
            difference = seeded_difference([Paired(first.of(labels), right)], each)
            chosen = Counter(one.choice for one in found.report.classifiers if one.labels == labels)
            accuracies = right.mean(axis=1)
            yield ComparedEncoder(
                name=name,
                labels=labels,
                accuracy=float(accuracies.mean()),
                lowest=float(accuracies.min()),
                highest=float(accuracies.max()),
                difference=difference.value,
                interval=(0.0, 0.0) if found is first else (difference.low, difference.high),
                choice=chosen.most_common(1)[0][0],
            )


def recommend(rows: list[ComparedEncoder]) -> Recommendation:
    """Of encoders at one number of labels, the reference first: the best of those that are better for sure, else the
    reference, which costs nothing.
    """
    reference, *others = rows
    better = [one for one in others if one.is_better]
    if better:
        best = max(better, key=lambda one: one.accuracy)
        low, high = best.interval
        why = (
            f"{100 * best.difference:+.1f} points over {reference.name} [{100 * low:+.1f}, {100 * high:+.1f}]"
        )
        return Recommendation(labels=reference.labels, take=best.name, because=why)
    closest = max(others, key=lambda one: one.accuracy, default=None)
    why = "nothing else was measured"
    if closest is not None:
        low, high = closest.interval
        why = (
            f"none is better for sure; the next, {closest.name}, has {100 * closest.difference:+.1f} points "
            f"[{100 * low:+.1f}, {100 * high:+.1f}]"
        )
    return Recommendation(labels=reference.labels, take=reference.name, because=why)
