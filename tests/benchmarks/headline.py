"""README's headline: one release of several seeds, each figure their mean and range."""

import statistics
from collections.abc import Iterator, Sequence

from tasks.evaluation.comparison import ComparisonRow, ratio_text
from tasks.formats.evaluation_report import ModelScores
from tasks.formats.roles import BASELINE, CANDIDATE, REFERENCE, YARDSTICK
from tasks.formats.shares import Shares, quality_headings
from tasks.formats.value import Value
from tests.benchmarks.tables import one_line, table

WHAT = {
    BASELINE: "TF-IDF (words 1-2, characters 2-5) + logistic regression",
    YARDSTICK: "BERT-base in PyTorch, the yardstick (random weights)",
    REFERENCE: "teacher: all-MiniLM-L6-v2, fine-tuned",
    "student": "student: 2 layers, 10,000 tokens",
    CANDIDATE: "**released: ONNX int8, out-of-scope rule inside**",
}
DECLARED = ("accuracy", "out_of_scope_recall", "expected_calibration_error")
OWN = (
    "accuracy_validation_share",
    "out_of_scope_recall_validation_share",
    "calibration_error_validation_share",
)


class SeedRun(Value):
    """One run of the flow: its table, every figure of its models, and how the gate saw it."""

    seed: int
    rows: tuple[ComparisonRow, ...]
    scores: tuple[ModelScores, ...]
    difference: float
    interval: tuple[float, float]
    margin: float
    verdict: str
    seconds: float


class Headline(Value):
    """The runs, of one data set on one machine."""

    command: str
    cpu: str
    cpu_flags: tuple[str, ...]
    cores: int
    test_rows: int
    shares: Shares | None
    runs: tuple[SeedRun, ...]


def headline_text(found: Headline) -> str:
    """The table, and paragraphs on what its figures are of."""
    return "\n\n".join([_table(found), _of_what(found), *_by_share(found), _gate(found)]) + "\n"


def mean_and_range(values: Sequence[float]) -> str:
    """`0.917 (0.915-0.918)`; a dash for none, and no range where all are the same."""
    if not values:
        return "-"
    low, mean, high = (f"{value:.3f}" for value in (min(values), statistics.mean(values), max(values)))
    return mean if low == high else f"{mean} ({low}-{high})"


def _table(found: Headline) -> str:
    qualities = quality_headings(found.shares)
    heads = [one_line(heading) for heading in qualities.values()]
    cells = [
        [what, *(mean_and_range(_values(found, name, quality)) for quality in qualities), *_cost(found, name)]
        for name, what in WHAT.items()
    ]
    return table(["model", *heads, "MB", "p50 ms", "times faster", "times smaller"], cells)


def _values(found: Headline, name: str, field: str) -> list[float]:
    rows = [row for run in found.runs for row in run.rows if row.name == name]
    return [value for row in rows if (value := getattr(row, field)) is not None]


def _cost(found: Headline, name: str) -> list[str]:
    """Size and latency are the shape's and the machine's, not the seed's: medians over the runs."""
    size, latency, faster, smaller = (
        statistics.median(_values(found, name, field))
        for field in ("size_mb", "p50_ms", "latency_ratio", "size_ratio")
    )
    return [f"{size:.1f}", f"{latency:.2f}", ratio_text(faster), f"{smaller:.0f}"]


def _of_what(found: Headline) -> str:
    seeds = [str(run.seed) for run in found.runs]
    of_seeds = f"seed {seeds[0]}" if len(seeds) == 1 else f"mean and range of seeds {', '.join(seeds)}"
    return (
        f"{found.test_rows:,} test rows; {of_seeds}, by `{found.command}`. {found.cpu}, "
        f"{found.cores} cores ({', '.join(found.cpu_flags)}), each model at its own best number of threads; on another "
        "machine the ratios are others."
    )


def _by_share(found: Headline) -> Iterator[str]:
    """The release with the threshold that it has, and beside it with one for validation's own share."""
    if (shares := found.shares) is None:
        return
    own = "validation's own share"
    for share, fields, whose in (
        (shares.expected, DECLARED, shares.source or own),
        (shares.validation, OWN, own),
    ):
        accuracy, recall, error = (mean_and_range(_scores(found, field)) for field in fields)
        yield (
            f"The release with a threshold for {share:.1%} out of scope ({whose}): accuracy {accuracy}, recall of what is "
            f"out of scope {recall}, calibration error {error}."
        )


def _gate(found: Headline) -> str:
    told = []
    for run in found.runs:
        low, high = (100 * end for end in run.interval)
        told.append(
            f"{100 * run.difference:+.1f} points, 95% interval {low:+.1f} to {high:+.1f} ({run.verdict})"
        )
    margin = 100 * found.runs[0].margin
    return f"The gate, margin {margin:.0f} points, against the teacher, seed by seed: {'; '.join(told)}."


def _scores(found: Headline, field: str) -> list[float]:
    scores = [one for run in found.runs for one in run.scores if one.name == CANDIDATE]
    return [value for one in scores if (value := getattr(one, field)) is not None]
