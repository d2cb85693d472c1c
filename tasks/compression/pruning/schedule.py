"""How sparse a model is at each step: slowly at first not at all, then quickly, then ever more slowly.

Zhu & Gupta 2017, To Prune, or Not to Prune, section 3, equation 1:

    s_t = s_f + (s_i - s_f) (1 - (t - t0) / (N dt))^3   for t in {t0, t0 + dt, ..., t0 + N dt}

Most weights go while most are superfluous; before t0 (warm-up) the sparsity is s_i, after t0 + N dt (cool-down) s_f.
"""

from typing import NamedTuple


class CubicSchedule(NamedTuple):
    """Sparsity from `initial` (s_i) to `final` (s_f), changed every `every` steps (dt), `changes` times (N), from step
    `begin` (t0) on.
    """

    initial: float
    final: float
    begin: int
    every: int
    changes: int

    @property
    def end(self) -> int:
        """The step from which on the sparsity is final."""
        return self.begin + self.changes * self.every

    def at(self, step: int) -> float:
        """Sparsity in [0, 1] at `step`, counted from 0; between two changes it stays."""
        if step >= self.end:
            return self.final
        if step < self.begin:
            return self.initial
        done = (step - self.begin) // self.every / self.changes
        return self.final + (self.initial - self.final) * (1 - done) ** 3

    def changes_at(self, step: int) -> bool:
        """Whether masks are chosen anew at `step`."""
        return self.begin <= step <= self.end and (step - self.begin) % self.every == 0


def plan(
    initial: float, final: float, total: int, ramp_begin: float, cool_down: float, every: int
) -> CubicSchedule:
    """The schedule over `total` steps of which the shares `ramp_begin` and `cool_down` are before and after the ramp.

    The ramp ends before the last step, so that the last weights were trained at the final sparsity; a ramp shorter than
    `every` steps is one change.
    """
    begin = min(round(total * ramp_begin), max(0, total - 2))
    last = max(begin + 1, min(total - round(total * cool_down), total - 1))
    every = min(every, last - begin)
    return CubicSchedule(initial, final, begin, every, (last - begin) // every)
