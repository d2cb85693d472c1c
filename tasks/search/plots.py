"""Pictures of a search: the Pareto front, and what each stage of the winner cost and gained."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from tasks.figures.style import INK, MUTED, bubble, canvas, light_grid
from tasks.formats.benchmark_report import BenchmarkReport
from tasks.formats.evaluation_report import EvaluationReport
from tasks.search.config import BudgetConfig
from tasks.search.outcome import Outcome
from tasks.search.trial_parameters import Measured, TrialRow

TRIAL, FRONT, WINNER, SHADE = "#9db4c0", "#2f6690", "#d1495b", "#e8f1e4"
AREA_PER_MB = 18.0


def plot_front(
    rows: Sequence[TrialRow], outcome: Outcome, budget: BudgetConfig, lines: Mapping[str, float], path: Path
) -> None:
    """Latency across, validation accuracy up, area by megabytes; the budget shaded.

    `lines` are accuracies to compare with, among them the teacher's, which a drop in the budget is against.
    """
    finished = [(row, row.measured) for row in rows if row.measured is not None]
    with canvas(path, 7.6, 4.8) as (axes,):
        for (name, accuracy), style in zip(lines.items(), ("--", ":"), strict=False):
            axes.axhline(
                accuracy, color=MUTED, linestyle=style, linewidth=1.0, label=f"{name} {accuracy:.3f}"
            )
        for row, measured in sorted(finished, key=lambda pair: -pair[1].size_mb):
            area = AREA_PER_MB * measured.size_mb
            bubble(axes, measured.latency_ms, measured.accuracy, area, _colour(row, outcome))
            axes.annotate(
                f"{row.number}", (measured.latency_ms, measured.accuracy), ha="center", va="center",
                fontsize=7, color="white", zorder=4,
            )  # fmt: skip
        _limits(axes, [measured for _, measured in finished], lines.values())
        _shade(axes, budget, lines["teacher"])
        axes.set_xlabel("latency of one query at p50 on one thread, milliseconds")
        axes.set_ylabel("accuracy on validation")
        axes.set_title("Students tried (area: megabytes; blue: nothing beats them; red: chosen)")
        axes.legend(loc="lower right", fontsize=8)
        light_grid(axes)


def plot_waterfall(
    evaluation: EvaluationReport, benchmark: BenchmarkReport, steps: Mapping[str, str], path: Path
) -> None:
    """What each stage cost in accuracy and calibration, and gained in size and latency, teacher to release.

    `steps` are the rows that it leads over, in their order, each with what is written under it.
    """
    names = list(steps.values())
    scores = [evaluation.scores(name) for name in steps]
    timings = [benchmark.timing(name) for name in steps]
    panels = (
        ("accuracy on test, points", [score.accuracy * 100 for score in scores], False),
        ("calibration error, points", [score.expected_calibration_error * 100 for score in scores], False),
        ("megabytes", [timing.size_bytes / 1e6 for timing in timings], True),
        ("p50, milliseconds", [timing.p50_ms for timing in timings], True),
    )
    with canvas(path, 9.6, 3.4, panels=len(panels)) as panes:
        for axes, (title, values, logarithmic) in zip(panes, panels, strict=True):
            _fall(axes, names, values, logarithmic)
            axes.set_title(title, fontsize=9)


def _fall(axes: Axes, names: Sequence[str], values: Sequence[float], logarithmic: bool) -> None:
    """The first bar stands on the axis; each later one spans what its stage changed."""
    axes.bar(0, values[0], color=MUTED, width=0.6)
    for place, (before, after) in enumerate(pairwise(values), start=1):
        axes.bar(place, abs(after - before), bottom=min(before, after), color=FRONT, width=0.6)
        change = f"{before / after:.1f}x less" if logarithmic else f"{after - before:+.2f}"
        axes.annotate(
            change, (place, max(before, after)), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=7,
            color=INK,
        )  # fmt: skip
    axes.annotate(
        f"{values[0]:.4g}", (0, values[0]), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=7
    )
    if logarithmic:
        axes.set_yscale("log")
    else:
        spread = max(values) - min(values)
        axes.set_ylim(max(0.0, min(values) - spread - 0.5), max(values) + 0.4 * spread + 0.5)
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.tick_params(axis="y", which="both", labelsize=7)


def _colour(row: TrialRow, outcome: Outcome) -> str:
    if outcome.winner is not None and row.number == outcome.winner.number:
        return WINNER
    return FRONT if row.number in outcome.front else TRIAL


def _limits(axes: Axes, measured: Sequence[Measured], lines: Iterable[float]) -> None:
    if not measured:
        return
    accuracies = [*lines, *(own.accuracy for own in measured)]
    lowest, highest = min(accuracies), max(accuracies)
    room = max(0.004, 0.15 * (highest - lowest))
    axes.set_ylim(lowest - room, highest + room)
    axes.set_xlim(0, 1.15 * max(own.latency_ms for own in measured))


def _shade(axes: Axes, budget: BudgetConfig, teacher_accuracy: float) -> None:
    """The part of the picture that latency and accuracy of the budget allow."""
    if budget.latency_ms is None and budget.max_accuracy_drop is None:
        return
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    right = right if budget.latency_ms is None else min(right, budget.latency_ms)
    if budget.max_accuracy_drop is not None:
        bottom = max(bottom, teacher_accuracy - budget.max_accuracy_drop)
    axes.add_patch(Rectangle((left, bottom), right - left, top - bottom, color=SHADE, zorder=0))
