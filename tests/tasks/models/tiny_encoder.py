"""A tiny encoder with a WordPiece tokenizer and a tiny curated data set, made in milliseconds."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from tasks.formats.checkpoint import CheckpointInfo
from tasks.models.model import SentenceClassifier

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = {
    "balance": ["balance", "money", "account", "savings"],
    "travel": ["flight", "ticket", "hotel", "paris"],
    "weather": ["rain", "sun", "storm", "cold"],
}
COMMON = ["what", "is", "my", "the", "show", "please", "about", "tell", "me"]
ODD = ["potato", "philosophy", "guitar", "seven"]
VOCABULARY = [*SPECIAL, *COMMON, *ODD, *(word for words in WORDS.values() for word in words), "##s", "##ly"]
OUT_OF_SCOPE = "oos"


def tiny_tokenizer(vocabulary: list[str] | None = None) -> PreTrainedTokenizerFast:
    """WordPiece over whole words."""
    ids = {token: i for i, token in enumerate(vocabulary or VOCABULARY)}
    inner = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    marks = [("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    inner.post_processor = processors.BertProcessing(marks[1], marks[0])
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=inner, mask_token="[MASK]", model_max_length=64, **names)


def tiny_config(**changed: object) -> BertConfig:
    sizes = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
    return BertConfig(**{"vocab_size": len(VOCABULARY), "max_position_embeddings": 64} | sizes | changed)


def write_base(folder: Path, seed: int = 0) -> Path:
    """A pretrained encoder as it comes from a Hub: random weights, pooler included."""
    torch.manual_seed(seed)
    BertModel(tiny_config()).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def write_teacher(
    folder: Path, labels: tuple[str, ...] = (*WORDS, OUT_OF_SCOPE), vocabulary: list[str] = VOCABULARY
) -> Path:
    """A checkpoint of random weights, large enough that texts differ in their vectors and logits."""
    torch.manual_seed(1)
    model = SentenceClassifier.from_config(
        tiny_config(vocab_size=len(vocabulary), initializer_range=0.2), len(labels)
    )
    torch.nn.init.normal_(model.head.weight, std=3.0)
    info = CheckpointInfo(
        labels=labels, out_of_scope=OUT_OF_SCOPE if OUT_OF_SCOPE in labels else None, max_length=32
    )
    model.save(folder, tiny_tokenizer(vocabulary), info)
    return folder


def write_dataset(folder: Path, rows: int = 60, out_of_scope: bool = True) -> Path:
    """Texts whose label is the kind of the one word that is not common."""
    random = np.random.default_rng(0)
    labels = [*sorted(WORDS), *([OUT_OF_SCOPE] if out_of_scope else [])]
    counts = {"train": rows, "validation": rows // 2, "test": rows // 2}
    (folder / "data").mkdir(parents=True)
    for split, count in counts.items():
        chosen = [labels[i % len(labels)] for i in range(count)]
        texts = [_text(random, WORDS.get(label, ODD)) for label in chosen]
        table = pa.table({"text": texts, "label": chosen})
        pq.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet")
    info = {"labels": labels, "out_of_scope": OUT_OF_SCOPE if out_of_scope else None, "rows": counts}
    (folder / "dataset.json").write_text(json.dumps(info | {"words_p50": 5, "words_p99": 8}))
    return folder


def _text(random: np.random.Generator, words: list[str]) -> str:
    common = [COMMON[i] for i in random.integers(len(COMMON), size=random.integers(2, 7))]
    common.insert(int(random.integers(len(common) + 1)), words[random.integers(len(words))])
    return " ".join(common)
