"""A corpus becomes a tokenizer, measured, published and read back the same; the second time everything is there."""

from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from pydantic import BaseModel, ConfigDict
from transformers import AutoTokenizer

from infra.engine.run import current_run, open_run
from infra.files import path_digest
from tasks.formats.kinds import DatasetRef
from tasks.formats.published_model import PublishedModel
from tasks.tokenizers.code.config import MeasureCodeTokenizerConfig
from tasks.tokenizers.code.publishing.config import PublishTokenizerConfig
from tasks.tokenizers.code.publishing.stages import publish_tokenizer
from tasks.tokenizers.code.reference.config import ReferenceTokenizerConfig
from tasks.tokenizers.code.reference.stages import pin_reference_tokenizer
from tasks.tokenizers.code.stages import measure_code_tokenizer, train_code_tokenizer
from tests.fakes.hub_cards import faults_of_card
from tests.tasks.sections import facts_of, shown
from tests.tasks.tokenizers.code.conftest import SMALL, SOURCES
from tests.tasks.tokenizers.code.corpora import write_code_corpus

from prefect import flow  # isort: skip


class Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    corpus: str
    reference: str


class Made(BaseModel):
    published: PublishedModel
    folder: Path


@flow(name="tokenizer_of_code")
def tokenizer_of_code(config: Asked) -> Made:
    with open_run("tokenizer_of_code", config):
        dataset = DatasetRef(uri=Path(config.corpus).as_uri(), digest=path_digest(Path(config.corpus)))
        ours = train_code_tokenizer(SMALL, dataset)
        reference = pin_reference_tokenizer(ReferenceTokenizerConfig(source=config.reference))
        tokenizers = {"ours": ours, "gpt2": reference}
        measured = measure_code_tokenizer(MeasureCodeTokenizerConfig(), tokenizers, dataset)
        published = publish_tokenizer(PublishTokenizerConfig(title="Of code & more"), ours, measured, dataset)
        return Made(published=published, folder=current_run().store.path(ours))


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_a_corpus_becomes_a_tokenizer_in_a_repository_of_its_own(folder: Path, tmp_path: Path) -> None:
    files = {
        "train": [("a/b", text) for text in SOURCES],
        "test": [("new/one", text) for text in SOURCES[:2]],
    }
    corpus = write_code_corpus(tmp_path / "corpus", files, ("new/one",))
    asked = Asked(corpus=str(corpus), reference=str(folder))
    made = tokenizer_of_code(asked)
    place = Path(made.published.path)
    for name in ("tokenizer.json", "tokenizer_config.json", "learned.json"):
        assert (place / name).read_bytes() == (made.folder / name).read_bytes()
    opened = AutoTokenizer.from_pretrained(place, trust_remote_code=False)
    text = "def größe(x):\n    return '🙂'\n"
    assert opened.decode(opened(text)["input_ids"]) == text
    card = ModelCard.load(place / "README.md", ignore_metadata_errors=False)
    assert list(faults_of_card((place / "README.md").read_text(), "model")) == []
    assert "# Of code &amp; more" in card.text and "| new/one |" in card.text
    assert f"| mit | {len(SOURCES) + 2} |" in card.text
    assert "it has 1.000 tokens for each of gpt2." in card.text
    section = shown(train_code_tokenizer, made.folder, tmp_path / "copy")
    assert facts_of(section)["vocabulary"] == "600 tokens" and facts_of(section)["files"] == str(len(SOURCES))
    again = tokenizer_of_code(asked)
    assert again == made
