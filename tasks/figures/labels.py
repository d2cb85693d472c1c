"""Where a label stands: beside what it names, and where possible over nothing else."""

from collections.abc import Sequence

Box = tuple[float, float, float, float]  # from the lesser to the greater: x, y, x, y


def freest(places: Sequence[Box], taken: Sequence[Box], frame: Box) -> int:
    """Which of the places covers least of what is taken, the first of equals; outside of the frame is the last resort."""

    def cost(box: Box) -> tuple[bool, float]:
        inside = frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] and box[3] <= frame[3]
        return not inside, sum(_shared(box, other) for other in taken)

    return min(range(len(places)), key=lambda place: cost(places[place]))


def apart(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places of labels in one column, each at least `gap` from the next and all from `low` to `high`, in the order they had.

    Moved as little as can be (least squares), which is an isotonic regression once the gaps are taken off; where the column
    is too short for so many, they stand closer.
    """
    from scipy.optimize import isotonic_regression  # not above: few pages need it, and SciPy takes a while

    gap = min(gap, (high - low) / max(1, len(places) - 1))
    order = sorted(range(len(places)), key=lambda one: places[one])
    rising = isotonic_regression([places[one] - gap * rank for rank, one in enumerate(order)]).x
    found = dict.fromkeys(order, 0.0)
    for rank, one in enumerate(order):
        found[one] = round(min(max(float(rising[rank]), low), high - gap * (len(order) - 1)) + gap * rank, 1)
    return [found[one] for one in range(len(places))]


def _shared(a: Box, b: Box) -> float:
    """Area that two boxes have in common."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
