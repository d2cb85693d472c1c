"""How many of an adapted model's likeliest fills are words that its domain has far more of than books have.

    python -m flows.adapt --preset imdb --report adapt.json
    python -m tests.benchmarks.domain_words --report adapt.json --data ../shared/data

The 200 words of IMDb's training reviews whose log-odds against the books of Project Gutenberg are the surest to be above zero
(Monroe, Colaresi & Quinn 2008, Fightin' Words, section 3.5.1: a Dirichlet prior of both texts together, log-odds over their
standard deviation), and which of the fills before and after adapting are among them.
"""

import argparse
import gzip
import json
import sys
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from infra.errors import DataError

MOST = 200
DOMAIN, GENERAL = Path("imdb/train.jsonl.gz"), Path("gutenberg/train-00.jsonl.gz")
PRIOR = 0.01  # pseudo-words for each word of both texts


def read_texts(file: Path) -> list[str]:
    """Raises DataError when it is not there."""
    if not file.is_file():
        raise DataError(f"{file} is not there: expected texts as JSON lines. Give the shared data's folder.")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def over_represented(domain: list[str], general: list[str], most: int = MOST) -> list[str]:
    """The words of `domain`, lower-cased, that it has more of than `general` for the surest, the surest first."""
    counter = CountVectorizer(token_pattern=r"(?u)\b[^\W\d_]{2,}\b")
    counts = counter.fit_transform([*domain, *general])
    own = np.asarray(counts[: len(domain)].sum(axis=0)).ravel().astype(float)
    other = np.asarray(counts[len(domain) :].sum(axis=0)).ravel().astype(float)
    prior = PRIOR * (own + other)
    log_odds = [
        np.log((own_count + prior) / (own_count.sum() + prior.sum() - own_count - prior))
        for own_count in (own, other)
    ]
    deviation = np.sqrt(1 / (own + prior) + 1 / (other + prior))
    sure = (log_odds[0] - log_odds[1]) / deviation
    return [str(word) for word in counter.get_feature_names_out()[np.argsort(-sure, kind="stable")[:most]]]


def main(arguments: list[str]) -> None:
    """Print the fills of each text, those among the words in brackets, and how many they are."""
    parser = argparse.ArgumentParser(
        prog="tests.benchmarks.domain_words", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--report", type=Path, required=True, help="JSON of a run of flows.adapt")
    parser.add_argument("--data", type=Path, required=True, help="folder of the shared real data")
    asked = parser.parse_args(arguments)
    words = over_represented(read_texts(asked.data / DOMAIN), read_texts(asked.data / GENERAL))
    print(f"the first of {len(words)}: {', '.join(words[:20])}")
    fills = json.loads(asked.report.read_text(encoding="utf-8"))["adapt"]["fills"]
    for when, texts in fills.items():
        for text in texts:
            tokens = [fill["token"] for fill in text["fills"]]
            told = ", ".join(f"[{token}]" if token in words else token for token in tokens)
            print(
                f"{when}, {text['text']} {told}: {sum(token in words for token in tokens)} of {len(tokens)}"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
