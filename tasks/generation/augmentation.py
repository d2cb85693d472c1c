"""More text for the teacher to answer: words left out, words replaced, two texts joined. Seeded and
deterministic.

The teacher's answers are all that the student learns from such a text, so it needs no label and need not make
sense; it has to look like what the student is going to be asked, and to lie between what it was shown.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from tasks.generation.config import AugmentConfig


class MadeText(NamedTuple):
    """A text and how it was made: `dropped`, `substituted` or `joined`."""

    text: str
    origin: str


def augment(
    texts: Sequence[str], foreign: Sequence[str], count: int, config: AugmentConfig
) -> list[MadeText]:
    """Make up to `count` new texts out of `texts`: none is empty, none is there twice or was there before.

    `foreign` are words that replace some of the texts' own: the student has to know what the teacher makes of words
    that no training row has, for its users bring such words, most of all in what is out of scope.

    Short rows may give nothing new; after 20 attempts for each text asked for, what there is comes back.
    """
    rows = [text.split() for text in texts]
    rows = [words for words in rows if words]
    seen = {" ".join(words) for words in rows}
    made: list[MadeText] = []
    if not rows:
        return made
    attempts = _attempts(rows, foreign, config)
    with tqdm(total=count, desc="augment", unit="text", leave=False, disable=None) as bar:
        for _ in range(20 * count):
            if len(made) == count:
                break
            new = next(attempts)
            if new.text and new.text not in seen:
                seen.add(new.text)
                made.append(new)
                bar.update()
    return made


def drop_words(words: Sequence[str], rate: float, random: np.random.Generator) -> list[str]:
    """Leave out each word with probability `rate`, at least one word and never all of them."""
    gone = random.random(len(words)) < rate
    gone[random.integers(len(words))] = True
    return [word for word, drop in zip(words, gone, strict=True) if not drop]


def substitute_words(
    words: Sequence[str], rate: float, pool: Sequence[str], random: np.random.Generator
) -> list[str]:
    """Replace each word with probability `rate`, at least one word, by one drawn from `pool`."""
    changed = random.random(len(words)) < rate
    changed[random.integers(len(words))] = True
    drawn = random.integers(len(pool), size=len(words))
    return [pool[i] if change else word for word, change, i in zip(words, changed, drawn, strict=True)]


def join_texts(first: Sequence[str], second: Sequence[str], random: np.random.Generator) -> list[str]:
    """The beginning of one text and the end of the other.

    They are cut at a word that both have, which mostly reads well; without one, anywhere. One time in four
    both are kept whole: a user who asks two things at once.
    """
    if random.random() < 0.25:
        return [*first, *second]
    shared = [i for i, word in enumerate(first) if word in second]
    if shared:
        cut = shared[_index(shared, random)]
        return [*first[:cut], *second[second.index(first[cut]) :]]
    return [*first[: 1 + _index(first, random)], *second[_index(second, random) :]]


def _attempts(
    rows: Sequence[Sequence[str]], foreign: Sequence[str], config: AugmentConfig
) -> Iterator[MadeText]:
    """Endless made texts; the training words among the substitutes are as common as in the rows."""
    random = np.random.default_rng(config.seed)
    own = [word for words in rows for word in words]
    foreign_share = config.foreign_share if foreign else 0.0
    weights = np.array([config.dropped, config.substituted, config.joined])
    bounds = np.cumsum(weights / weights.sum())
    while True:
        words = rows[_index(rows, random)]
        kind = int(np.searchsorted(bounds, random.random(), side="right"))
        if kind == 0:
            yield MadeText(" ".join(drop_words(words, config.word_rate, random)), "dropped")
        elif kind == 1:
            pool = foreign if random.random() < foreign_share else own
            yield MadeText(" ".join(substitute_words(words, config.word_rate, pool, random)), "substituted")
        else:
            other = rows[_index(rows, random)]
            yield MadeText(" ".join(join_texts(words, other, random)), "joined")


def _index(of: Sequence[object], random: np.random.Generator) -> int:
    return int(random.integers(len(of)))
