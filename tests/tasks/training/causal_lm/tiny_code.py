"""A packed corpus of a few files of this project, and a tiny GPT-2 that has read nothing, as the stages before a training leave
them."""

from pathlib import Path

from tasks.data.packing.config import PackCorpusConfig
from tasks.data.packing.corpus import pack_corpus
from tasks.models.gpt.config import GptConfig
from tasks.models.gpt.fresh import fresh_gpt
from tests.tasks.tokenizers.code.conftest import SOURCES, write_learned
from tests.tasks.tokenizers.code.corpora import Files, write_code_corpus

CONTEXT = 32
MODEL = GptConfig(layers=2, width=32, heads=2, context=CONTEXT)
UNSEEN = ("org/unseen", "org/other")
FILES: Files = {
    "train": [("org/read", text, "high" if at % 2 else "low") for at, text in enumerate(SOURCES[:6])],
    "validation": [("org/read", SOURCES[6], "medium")],
    "test": [
        ("org/read", SOURCES[0][:700], "low"),
        (UNSEEN[0], SOURCES[7][:900], "high"),
        (UNSEEN[1], SOURCES[7][2_000:2_400], "low"),
        (UNSEEN[0], "x = 1\n", "low"),
    ],
}


def write_code(folder: Path, files: Files = FILES, model: GptConfig = MODEL) -> dict[str, Path]:
    """`model_dir` and `tokens_dir`, as `pretrain` takes them."""
    tokenizer = write_learned(folder / "tokenizer")
    corpus = write_code_corpus(folder / "corpus", files, UNSEEN if "test" in files else ())
    pack_corpus(PackCorpusConfig(), tokenizer, corpus, folder / "tokens")
    fresh_gpt(model, tokenizer, folder / "fresh")
    return {"model_dir": folder / "fresh", "tokens_dir": folder / "tokens"}
