"""A tokenizer as it goes to the Hub: what transformers opens, what it learned from, and a card."""

import shutil
from pathlib import Path

from infra.errors import ArtifactError
from tasks.formats.tokenizer_report import LEARNED_FILE
from tasks.tokenizers.code.publishing.card import TokenizerFacts, write_card
from tasks.tokenizers.files import SETTINGS_FILE, TOKENIZER_FILE


def assemble(facts: TokenizerFacts, tokenizer: Path, output: Path) -> Path:
    """Lay the tokenizer out in the new folder `output` and give it back; same inputs, same bytes.

    Raises ArtifactError when `tokenizer` is no folder of one that was learned from a corpus.
    """
    output.mkdir(parents=True)
    for name in (TOKENIZER_FILE, SETTINGS_FILE, LEARNED_FILE):
        if not (tokenizer / name).is_file():
            raise ArtifactError(
                f"{tokenizer} has no {name}: expected a tokenizer of code. Run the flow again."
            )
        shutil.copyfile(tokenizer / name, output / name)
    write_card(facts, output / "README.md")
    return output
