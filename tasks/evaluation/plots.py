"""Plots of answers: what is mixed up, how well classes are told apart, whether to believe a confidence."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from sklearn.metrics import auc, roc_curve

from tasks.figures.style import INK, MUTED, RIGHT, WRONG, bubble, canvas, colours, light_grid, title_of
from tasks.formats.roles import CANDIDATE
from tasks.metrics.scores import Answers, calibrate, risk_coverage, scope_margin

RATES = np.logspace(-3, 0, 301)  # false positive rates at which curves of classes are averaged


def plot_confusion(path: Path, answers: Answers, labels: tuple[str, ...], most: int) -> None:
    """Heat map: of each actual class, the percentage of its rows answered as each class.

    With more than `most` classes it shows those with the most mistakes; the last column is every other class.
    """
    shares, shown = confusion_shares(answers, len(labels), most)
    rows, columns = shares.shape
    side = max(3.2, 0.30 * rows)
    with canvas(path, side + 2.6, side + 2.0) as (axes,):
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
        names = [_short(labels[i]) for i in shown]
        others = ["any other"] if columns > rows else []
        # A label between two $ is a label, and no formula.
        plain: dict[str, Any] = {"fontsize": 8, "parse_math": False}
        axes.set_xticks(
            range(columns), names + others, rotation=55, ha="right", rotation_mode="anchor", **plain
        )
        axes.set_yticks(range(rows), names, **plain)
        axes.tick_params(length=0, colors=INK)
        axes.spines[:].set_visible(False)
        for row, column in np.argwhere(np.round(100 * shares) >= 1):
            share = shares[row, column]
            ink = "white" if share > 0.5 else INK
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color=ink)
        axes.set_xlabel("answered")
        axes.set_ylabel("actual")
        some = f"the {rows} of {len(labels)} classes with the most mistakes"
        every = some if others else f"all {len(labels)} classes"
        axes.set_title(f"Released model, % of each actual class\n({every})", fontsize=10)


def confusion_shares(answers: Answers, classes: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Shares float [shown, shown (+ 1 for any other)] of each actual class's rows, and the ids shown.

    A class without rows has a row of zeros.
    """
    counts = np.zeros((classes, classes))
    np.add.at(counts, (answers.labels, answers.predicted), 1)
    mistakes = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    shown = np.sort(np.argsort(-mistakes, kind="stable")[:most])
    totals = np.maximum(counts[shown].sum(axis=1, keepdims=True), 1)
    shares = counts[np.ix_(shown, shown)] / totals
    if len(shown) == classes:
        return shares, shown
    other = (counts[shown].sum(axis=1, keepdims=True) / totals) - shares.sum(axis=1, keepdims=True)
    return np.hstack([shares, np.maximum(other, 0)]), shown


def plot_roc(path: Path, models: Mapping[str, Answers], out_of_scope: int | None) -> None:
    """ROC of `models`: each class against the rest (logarithmic false positive rate), and in scope or not."""
    panels = 1 if out_of_scope is None else 2
    with canvas(path, 5.2 * panels, 4.4, panels) as panes:
        _draw_classes(panes[0], models)
        if out_of_scope is not None:
            _draw_scope(panes[1], models, out_of_scope)


def _draw_classes(axes: Axes, models: Mapping[str, Answers]) -> None:
    lowest, colour = 1.0, colours(models)
    for name, average, style in [(name, "macro", "-") for name in models] + [(CANDIDATE, "micro", ":")]:
        hits, area = averaged_roc(models[name], average)
        label = f"{title_of(name)}, {average} average, AUC {area:.4f}"
        axes.plot(RATES, hits, style, color=colour[name], label=label)
        lowest = min(lowest, hits[0])
    axes.set_xscale("log")
    axes.set_title("Each class against the rest")
    _finish_roc(axes)
    axes.set_ylim(max(0.0, np.floor(10 * lowest - 3) / 10), 1.01)  # room for the legend under the curves


def _draw_scope(axes: Axes, models: Mapping[str, Answers], out_of_scope: int) -> None:
    colour = colours(models)
    for name, answers in models.items():
        alarms, hits, _ = roc_curve(
            answers.labels != out_of_scope, scope_margin(answers.logits, out_of_scope)
        )
        label = f"{title_of(name)}, AUC {auc(alarms, hits):.4f}"
        axes.plot(alarms, hits, color=colour[name], label=label)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle="--")
    axes.set_title("In scope against out of scope")
    _finish_roc(axes)


def _finish_roc(axes: Axes) -> None:
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")
    axes.set_ylim(0, 1.01)
    axes.legend(loc="lower right", fontsize=8)
    light_grid(axes)


def averaged_roc(answers: Answers, average: str) -> tuple[np.ndarray, float]:
    """True positive rate at `RATES`, and the area, over the classes present.

    `micro` pools every (row, class) pair; `macro` averages the classes' curves, each class alike.
    """
    present = np.unique(answers.labels)
    probabilities = answers.probabilities[:, present]
    truth = answers.labels[:, None] == present[None, :]
    if average == "micro":
        alarms, hits, _ = roc_curve(truth.ravel(), probabilities.ravel())
        return np.interp(RATES, alarms, hits), float(auc(alarms, hits))
    curves = [
        roc_curve(truth[:, i], probabilities[:, i], drop_intermediate=False)[:2] for i in range(len(present))
    ]
    hits = np.mean([np.interp(RATES, alarms, rate) for alarms, rate in curves], axis=0)
    return hits, float(np.mean([auc(alarms, rate) for alarms, rate in curves]))


def plot_reliability(path: Path, models: Mapping[str, Answers], bins: int) -> None:
    """Accuracy against confidence in bins, one panel a model; a bubble's area is its share of the rows."""
    colour = colours(models)
    with canvas(path, 4.4 * len(models), 4.7, len(models)) as panes:
        for axes, (name, answers) in zip(panes, models.items(), strict=True):
            calibration = calibrate(answers, bins)
            filled = calibration.rows > 0
            confidence, accuracy = calibration.confidence[filled], calibration.accuracy[filled]
            axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle="--")
            axes.text(
                0.58,
                0.52,
                "as confident as right",
                fontsize=8,
                color=MUTED,
                rotation=45,
                rotation_mode="anchor",
            )
            axes.vlines(confidence, accuracy, confidence, color=colour[name], alpha=0.35, linewidth=2)
            areas = 12 + 700 * calibration.rows[filled] / calibration.rows.sum()
            bubble(axes, confidence, accuracy, areas, colour[name])
            axes.set_title(f"{title_of(name).capitalize()}: calibration error {calibration.error:.3f}")
            axes.set(xlim=(0, 1.06), ylim=(0, 1.06), xlabel="confidence", ylabel="accuracy", aspect="equal")
            light_grid(axes)


def plot_confidence(path: Path, answers: Answers) -> None:
    """Histogram of the released model's confidence in right and in wrong answers, each adding up to 100%."""
    edges = np.linspace(0, 1, 26).tolist()
    with canvas(path, 6.4, 3.8) as (axes,):
        for chosen, word, colour in ((answers.right, "right", RIGHT), (~answers.right, "wrong", WRONG)):
            if not chosen.any():
                continue
            values = answers.confidence[chosen]
            weights = np.full(len(values), 1 / len(values))
            label = f"{word} answers ({len(values):,}), median {np.median(values):.2f}"
            axes.hist(values, edges, weights=weights, color=colour, alpha=0.30)
            axes.hist(
                values, edges, weights=weights, color=colour, histtype="step", linewidth=1.8, label=label
            )
        axes.set(xlim=(0, 1), xlabel="confidence of the answer", ylabel="share of these answers")
        axes.yaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.legend(loc="upper left", fontsize=9)
        axes.set_title("Released model: does it know when it is wrong?")
        light_grid(axes)


def plot_risk_coverage(path: Path, models: Mapping[str, Answers]) -> None:
    """Share of wrong answers when only the most confident are given, against the share that is given."""
    colour = colours(models)
    with canvas(path, 6.4, 4.2) as (axes,):
        for name, answers in models.items():
            coverage, risk = risk_coverage(answers)
            label = f"{title_of(name)}, mean {risk.mean():.3f}"
            axes.plot(coverage, risk, color=colour[name], label=label)
        axes.set(xlim=(0, 1), xlabel="share of texts answered, the most confident first")
        axes.set_ylabel("wrong answers among them")
        axes.set_ylim(bottom=0)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.legend(loc="upper left", fontsize=9)
        axes.set_title("What it costs to answer more")
        light_grid(axes)


def _short(label: str) -> str:
    return label if len(label) <= 28 else label[:27] + "…"
