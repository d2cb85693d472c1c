"""A tiny real input for the whole flow: an encoder as it comes from a Hub, and a table that it can learn in seconds.

The student comes out a little worse than its teacher, by design: every third in-scope row is told by rare words only, which
the encoder knows and the student's small vocabulary cuts into letters. So the gate's margin alone decides whether the
verdict is *pass*, *needs more rows* or *fail*: its speed, a few calls on a machine that runs four tests at once, does not.
"""

import csv
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from flows.configs.end_to_end import EndToEndConfig

OUT_OF_SCOPE = "oos"
WORDS = {
    "balance": ["balance", "money", "account", "savings", "deposit", "card"],
    "music": ["song", "album", "guitar", "singer", "playlist", "concert"],
    "travel": ["flight", "ticket", "hotel", "paris", "luggage", "passport"],
    "weather": ["rain", "sun", "storm", "cold", "forecast", "snow"],
    OUT_OF_SCOPE: ["potato", "philosophy", "seven", "engine", "dinosaur", "marble"],
}
RARE = {
    "balance": ["escrow", "lien", "accrual", "ledger", "bond", "dividend", "annuity", "lira"],
    "music": ["oboe", "fugue", "libretto", "sonata", "viola", "ballad", "chorus", "drum"],
    "travel": ["ferry", "visa", "layover", "tram", "cruise", "hostel", "gate", "voucher"],
    "weather": ["sleet", "gale", "drizzle", "frost", "humid", "hail", "breeze", "thaw"],
}
RARE_EVERY = 3
COMMON = [
    "what",
    "is",
    "my",
    "the",
    "show",
    "please",
    "about",
    "tell",
    "me",
    "now",
    "today",
    "and",
    "can",
    "you",
    "next",
]

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CHARACTERS = [*string.ascii_lowercase, *string.digits, *string.punctuation]
PIECES = [*CHARACTERS, *(f"##{character}" for character in CHARACTERS if character.isalnum())]
KEPT = [*SPECIAL, *PIECES, *COMMON, *(word for words in WORDS.values() for word in words)]
VOCABULARY = [*KEPT, *(word for words in RARE.values() for word in words)]

ROWS, TEST_SHARE = 240, 0.25
LABELS = [*sorted(WORDS.keys() - {OUT_OF_SCOPE}), OUT_OF_SCOPE]
PASS, NEEDS_MORE_ROWS, FAIL = 0.5, 0.2, 0.001  # margins of the gate, and what comes of them
# The smallest sizes at which every stage still does its work. float32 alone: the same weights on every CPU family.
ASKED: dict[str, object] = {
    "dataset.test-share": TEST_SHARE, "tokenizer.vocabulary-size": len(KEPT),
    "train.epochs": 2, "train.max-length": 32, "train.mixed-precision": "no", "train.checkpoint-every": 4,
    "distill.epochs": 2, "distill.layers": 1, "distill.intermediate-size": 32, "distill.max-length": 32,
    "distill.mixed-precision": "no", "distill.checkpoint-every": 4,
    "distill.augment.copies": 1, "distill.augment.mixed-precision": "no",
    "benchmark.rounds": 6, "benchmark.timed": 2, "benchmark.warmups": 1, "benchmark.tried": 1, "benchmark.yardstick-layers": 1,
    "benchmark.throughput-rows": 4, "benchmark.texts": 6, "benchmark.batch-size": 4,
    "gate.resamples": 1000, "gate.margin": PASS, "gate.faster": False,
    "publish.name": "local/tiny-requests", "release.name": "local/tiny-classifier",
}  # fmt: skip


@dataclass(frozen=True)
class Tiny:
    """The tiny input as files."""

    base: Path
    table: Path

    def arguments(self, **changed: object) -> list[str]:
        """The command line that runs the flow on it; `section__field=value` changes or adds an option."""
        named = {name.replace("__", ".").replace("_", "-"): value for name, value in changed.items()}
        asked = {"extract.table": self.table, "base.source": self.base} | ASKED | named
        return [word for name, value in asked.items() for word in (f"--{name}", str(value))]

    def config(self) -> EndToEndConfig:
        """The same, as it is asked for from Python."""
        sections: dict[str, Any] = {"extract": {"table": (self.table,)}, "base": {"source": str(self.base)}}
        for name, value in ASKED.items():
            *path, field = name.replace("-", "_").split(".")
            section = sections
            for part in path:
                section = section.setdefault(part, {})
            section[field] = value
        return EndToEndConfig(**sections)


def write_tiny(folder: Path) -> Tiny:
    """Make encoder and table in `folder`."""
    return Tiny(base=write_encoder(folder / "encoder"), table=write_table(folder / "requests.csv", rows()))


def write_encoder(folder: Path) -> Path:
    """A BERT of two layers, its weights random but for the words: those of a kind lie together, as after pretraining."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    body = BertModel(config)
    with torch.no_grad():
        vectors = body.embeddings.word_embeddings.weight
        for label, words in WORDS.items():
            ids = [VOCABULARY.index(word) for word in [*words, *RARE.get(label, [])]]
            vectors[ids] += 0.3 * torch.randn(config.hidden_size)
    body.save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return folder


def rows(count: int = ROWS, labels: tuple[str, ...] = tuple(LABELS)) -> list[tuple[str, str]]:
    """Text and label of `count` rows, as many of each label; two words of a text are its label's alone."""
    random, made = np.random.default_rng(0), []
    for number in range(count):
        label = labels[number % len(labels)]
        rare = label in RARE and number // len(labels) % RARE_EVERY == 0
        made.append((_text(random, RARE[label] if rare else WORDS[label]), label))
    return made


def write_table(path: Path, rows: list[tuple[str, str]]) -> Path:
    """A CSV with the columns `text` and `label`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


def _text(random: np.random.Generator, own: list[str]) -> str:
    words = [COMMON[number] for number in random.integers(len(COMMON), size=random.integers(4, 9))]
    for number in random.choice(len(own), size=2, replace=False):
        words.insert(int(random.integers(len(words) + 1)), own[number])
    return " ".join(words)


def _tokenizer() -> PreTrainedTokenizerFast:
    ids = {token: number for number, token in enumerate(VOCABULARY)}
    inner = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=inner, mask_token="[MASK]", model_max_length=64, **names)
