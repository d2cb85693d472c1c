"""A 64-bit key of any run of tokens at the cost of two look-ups: sums of a polynomial over the text (Karp & Rabin 1987).

Modulo 2^64, where NumPy's integers wrap by themselves; the polynomial's point is odd, and so has an inverse. Two runs of one
key are to be compared: keys tell where to look, not what is the same.
"""

import numpy as np

from tasks.baselines.ngrams.windows import context_keys

POINT = 0x9E3779B97F4A7C15
LOW = 1 << 12  # powers of the point: of the low digits and of the high ones


class RunKeys:
    """Keys of the runs of a text, int [tokens]; 8 bytes a token are held."""

    def __init__(self, tokens: np.ndarray, piece: int = 1 << 20) -> None:
        self._sums = np.zeros(len(tokens) + 1, dtype=np.uint64)
        up = _Powers(POINT, len(tokens))
        self._down = _Powers(pow(POINT, -1, 1 << 64), len(tokens))
        for begin in range(0, len(tokens), piece):
            values = context_keys([tokens[begin : begin + piece]], len(tokens[begin : begin + piece]))
            values *= up.of(np.arange(begin, begin + len(values)))
            values[:1] += self._sums[begin]
            np.cumsum(values, out=self._sums[begin + 1 : begin + 1 + len(values)])

    def of(self, places: np.ndarray, length: int) -> np.ndarray:
        """Of the runs of `length` tokens from each of `places` on, int [runs]: uint64 [runs]."""
        found = self._sums[places + length] - self._sums[places]
        found *= self._down.of(places)
        return found


class _Powers:
    """Powers of a number modulo 2^64 with exponents from 0 to `most`."""

    def __init__(self, number: int, most: int) -> None:
        self._low = _series(number, LOW)
        self._high = _series(pow(number, LOW, 1 << 64), most // LOW + 1)

    def of(self, exponents: np.ndarray) -> np.ndarray:
        """Uint64 [n]."""
        return self._low[exponents % LOW] * self._high[exponents // LOW]


def _series(number: int, count: int) -> np.ndarray:
    factors = np.full(count, number, dtype=np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)
