"""Where a label stands: beside what it names, and where possible over nothing else."""

from collections.abc import Sequence

Box = tuple[float, float, float, float]  # from the lesser to the greater: x, y, x, y


def freest(places: Sequence[Box], taken: Sequence[Box], frame: Box) -> int:
    """Which of the places covers least of what is taken, the first of equals; outside of the frame is the last resort."""

    def cost(box: Box) -> tuple[bool, float]:
        inside = frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] and box[3] <= frame[3]
        return not inside, sum(_shared(box, other) for other in taken)

    return min(range(len(places)), key=lambda place: cost(places[place]))


def _shared(a: Box, b: Box) -> float:
    """Area that two boxes have in common."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
