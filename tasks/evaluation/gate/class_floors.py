"""Floors of single classes: which of them are shown to have lost more recall than is allowed?

A class has few test rows, and among 150 of them some lose much by chance alone. So a class fails only where
chance is no explanation: an exact one-sided test of "the fall is at most the floor" for each class, corrected
for looking at all of them (Holm 1979, "A simple sequentially rejective multiple test procedure",
Scandinavian Journal of Statistics 6). That a class did not fail says little where it is small, and how little
is said too: `visible_fall`.
"""

import numpy as np

from tasks.formats.gate_verdict import ClassFall
from tasks.metrics.paired import PairedCounts, count_pairs, null_share


def class_falls(
    names: tuple[str, ...], labels: np.ndarray, reference: np.ndarray, candidate: np.ndarray, floor: float
) -> tuple[ClassFall, ...]:
    """Every class with test rows, largest fall of recall first, with its p-value after Holm's correction.

    Args: names of the label ids; true label ids [n] and the ids that each model answers [n], n at least 1;
    the largest fall that is allowed, as a share of the class's rows.
    """
    rows = [(name, labels == i) for i, name in enumerate(names) if np.any(labels == i)]
    counts = [count_pairs(labels[own], reference[own], candidate[own]) for _, own in rows]
    adjusted = holm(np.array([fall_p(own, floor) for own in counts]))
    falls = (
        ClassFall(label=name, rows=own.rows, recall_difference=own.difference, p_value=float(p))
        for (name, _), own, p in zip(rows, counts, adjusted, strict=True)
    )
    return tuple(sorted(falls, key=lambda fall: (fall.recall_difference, fall.p_value, fall.label)))


def fall_p(counts: PairedCounts, floor: float) -> float:
    """P-value of "recall fell by at most `floor`", from the rows of one class.

    The exact tail of lost - gained, were the fall just the floor and the share of gained rows the one that
    fits best then: Lloyd's "estimated" p-value (2008, "A new exact and more powerful unconditional test of no
    treatment effect from binary matched pairs", Biometrics 64). By complete enumeration (5 to 400 rows,
    floors of 3 to 40 points, levels of 0.05 to 0.05 / 1000) it rejects at most 1.01 times as often as its level.
    A fall within the floor is 1: it cannot count against a class.
    """
    fall = counts.lost - counts.gained
    if fall <= floor * counts.rows:
        return 1.0
    lost = null_share(counts.gained / counts.rows, counts.lost / counts.rows, -floor)
    return float(
        np.clip(net_losses(counts.rows, max(lost - floor, 0.0), floor)[counts.rows + fall :].sum(), 0, 1)
    )


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values [n] corrected for looking at all n: the r-th smallest times n - r + 1, never falling.

    (statsmodels' `multipletests` gives the same and collects garbage on each call, which takes 0.1 s.)
    """
    order = np.argsort(p_values, kind="stable")
    adjusted = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1)).clip(max=1.0)
    return adjusted[np.argsort(order)]


def net_losses(rows: int, gained: float, floor: float) -> np.ndarray:
    """Chances [2 rows + 1] of -rows to rows net lost rows, when shares `gained` and `gained + floor` change."""
    # One row's chances of 0, 1, ..., and from the end -1: as the transform wraps.
    one = np.zeros(2 * rows + 1)
    one[[0, 1, -1]] = 1 - 2 * gained - floor, gained + floor, gained
    return np.fft.fftshift(np.fft.irfft(np.fft.rfft(one) ** rows, len(one)))


def visible_fall(rows: int, classes: int, floor: float, level: float) -> float | None:
    """Smallest fall of recall by which a class of `rows` rows among `classes` would fail; None if none would."""
    falls = (fall for fall in range(1, rows + 1) if fall > floor * rows)
    return next((fall / rows for fall in falls
                 if fall_p(PairedCounts(rows, 0, fall), floor) * classes <= level), None)  # fmt: skip
