"""A corpus of code as tokens: its parts, each file between its quality and its end, and no text lost."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from infra.errors import ArtifactError, DataError
from tasks.data.packing.config import PackCorpusConfig
from tasks.data.packing.corpus import pack_corpus
from tasks.data.packing.stages import pack_corpus as stage
from tasks.formats.code_tokens import END_OF_TEXT, QUALITIES, SPECIAL_TOKENS, quality_token
from tasks.formats.packed_corpus import PackedCorpus, open_part, read_packed_corpus
from tasks.formats.packed_tokens import PackedTokens
from tasks.tokenizers.files import read_tokenizer
from tests.tasks.data.packing.tiny_tokenizers import byte_level, saved
from tests.tasks.models.tiny_causal_lm import tiny_code_tokenizer
from tests.tasks.sections import shown
from tests.tasks.tokenizers.code.conftest import SOURCES, write_learned
from tests.tasks.tokenizers.code.corpora import Files, write_code_corpus

CONFIG = PackCorpusConfig()
UNSEEN, OTHER = "org/unseen", "org/other"
LITERAL = f"end = '{END_OF_TEXT}'  # {quality_token('high')}\n"
ODD = ("", LITERAL, "ü = '猫🙂'\r\n\tx\x00", " \n")
FILES: Files = {
    "train": [
        *(("org/read", text, QUALITIES[at % 3]) for at, text in enumerate(SOURCES)),
        *(("org/read", text, "low") for text in ODD),
    ],
    "validation": [("org/read", SOURCES[0] + "# more\n", "high")],
    "test": [
        ("org/read", "x = 1\n", "low"),
        *((name, f"def {name[4:]}():\n    return {LITERAL!r}\n", "high") for name in (UNSEEN, OTHER, UNSEEN)),
    ],
}


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tokenizer that is learned from SOURCES."""
    return write_learned(tmp_path_factory.mktemp("made") / "tokenizer")


def packed(
    folder: Path, tokenizer: Path, files: Files = FILES, held_out: tuple[str, ...] = (UNSEEN, OTHER)
) -> PackedCorpus:
    corpus = write_code_corpus(folder / "corpus", files, held_out)
    pack_corpus(CONFIG, tokenizer, corpus, folder / "tokens")
    return read_packed_corpus(folder / "tokens")


def texts_of(part: PackedTokens, tokenizer: Tokenizer, first: int) -> list[str]:
    """What stands between the `first` tokens of each document and its last."""
    rows = [part.documents[number] for number in range(len(part.documents))]
    return [tokenizer.decode(list(row[first:-1]), skip_special_tokens=False) for row in rows]


def test_each_repository_held_out_is_a_part_and_the_other_files_of_test_are_one(
    learned: Path, tmp_path: Path
) -> None:
    found = packed(tmp_path, learned)
    assert {name: part.documents for name, part in found.parts.items()} == {
        "train": len(FILES["train"]), "validation": 1, "files": 1, UNSEEN: 2, OTHER: 1,
    }  # fmt: skip
    assert found.measured == ("files", UNSEEN, OTHER) and found.repositories == (UNSEEN, OTHER)
    for name, part in found.parts.items():
        opened = open_part(tmp_path / "tokens", name)
        assert (opened.info.documents, opened.info.tokens) == (part.documents, part.tokens)
        assert opened.info.word_starts is None and opened.info.vocabulary.size <= 600
    (table,) = shown(stage, tmp_path / "tokens", tmp_path / "copy").tables
    assert [row["part"] for row in table.rows] == [*found.parts]
    assert found.metrics()["org-unseen_documents"] == 2.0


def test_what_is_read_is_what_was_written_with_its_quality_before_it_and_an_end_behind(
    learned: Path, tmp_path: Path
) -> None:
    found, tokenizer = packed(tmp_path, learned), read_tokenizer(learned)
    special = found.special
    assert [special[token] for token in SPECIAL_TOKENS] == [0, 1, 2, 3]
    for name, split in (("train", "train"), ("validation", "validation"), (UNSEEN, "test")):
        files = [file for file in FILES[split] if split != "test" or file[0] == name]
        part = open_part(tmp_path / "tokens", name)
        rows: Sequence[Sequence[int]] = [*part.documents]
        assert [row[0] for row in rows] == [special[quality_token(file[2])] for file in files]  # type: ignore[misc]
        assert {row[-1] for row in rows} == {special[END_OF_TEXT]}
        inside = np.concatenate([row[1:-1] for row in rows])
        assert not np.isin(
            inside, [*special.values()]
        ).any()  # a text that has their letters has no such token
        assert texts_of(part, tokenizer, first=1) == [file[1] for file in files]
        assert found.parts[name].bytes == sum(len(file[1].encode()) for file in files)


def test_an_empty_file_is_its_quality_and_its_end(learned: Path, tmp_path: Path) -> None:
    files = {**FILES, "train": [("org/read", "", "high"), ("org/read", "", "low")]}
    packed(tmp_path, learned, files)
    part = open_part(tmp_path / "tokens", "train")
    assert part.ids[:].tolist() == [3, 0, 1, 0] and part.offsets.tolist() == [0, 2, 4]


def test_without_quality_a_file_is_its_text_and_its_end(learned: Path, tmp_path: Path) -> None:
    corpus = write_code_corpus(tmp_path / "corpus", FILES, (UNSEEN, OTHER))
    pack_corpus(PackCorpusConfig(quality=False), learned, corpus, tmp_path / "tokens")
    part = open_part(tmp_path / "tokens", "train")
    assert not np.isin(part.ids[:], [1, 2, 3]).any()
    assert texts_of(part, read_tokenizer(learned), first=0) == [text for _, text, *_ in FILES["train"]]


def test_however_much_is_tokenized_at_once_the_bytes_are_the_same(learned: Path, tmp_path: Path) -> None:
    corpus = write_code_corpus(tmp_path / "corpus", FILES, (UNSEEN, OTHER))
    for characters in (1, 5_000):
        config = PackCorpusConfig(batch_characters=characters)
        pack_corpus(config, learned, corpus, tmp_path / str(characters))
    one, many = (
        {path.relative_to(of): path.read_bytes() for path in of.rglob("*") if path.is_file()}
        for of in (tmp_path / "1", tmp_path / "5000")
    )
    assert one == many and Path("org--unseen/tokens.bin") in one


def test_windows_lose_less_than_one_of_them_and_a_thousandth_of_a_corpus(
    learned: Path, tmp_path: Path
) -> None:
    packed(tmp_path, learned)
    part, length = open_part(tmp_path / "tokens", "train"), 8
    windows = part.windows(length)
    assert windows.dropped < length and windows.dropped / len(part.tokens) <= 0.001
    assert len(windows) * length + windows.dropped + 1 == len(part.tokens)


def test_where_no_repository_is_held_out_the_test_split_is_one_part(learned: Path, tmp_path: Path) -> None:
    found = packed(tmp_path, learned, held_out=())
    assert [*found.parts] == ["train", "validation", "files"] and found.parts["files"].documents == 4
    assert found.repositories == ()


def test_where_only_repositories_are_held_out_there_is_no_part_of_files(
    learned: Path, tmp_path: Path
) -> None:
    found = packed(tmp_path, learned, {**FILES, "test": FILES["test"][1:]})
    assert found.measured == (UNSEEN, OTHER)


def test_a_tokenizer_that_was_not_trained_for_code_is_refused(tmp_path: Path) -> None:
    corpus = write_code_corpus(tmp_path / "corpus", FILES, (UNSEEN, OTHER))
    model = saved(byte_level(), tmp_path / "other")
    with pytest.raises(
        ArtifactError, match=r"lacks <\|endoftext\|>, .* expected one that was trained for code"
    ):
        pack_corpus(CONFIG, model, corpus, tmp_path / "tokens")
    tiny_code_tokenizer(SPECIAL_TOKENS[:2]).save_pretrained(tmp_path / "some")
    with pytest.raises(ArtifactError, match=r"lacks <\|quality_medium\|>, <\|quality_high\|>:"):
        pack_corpus(CONFIG, tmp_path / "some", corpus, tmp_path / "tokens")
    assert not (tmp_path / "tokens").exists()


def test_a_part_without_a_file_is_refused(learned: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="org/nobody has no file in the corpus"):
        packed(tmp_path, learned, held_out=(UNSEEN, OTHER, "org/nobody"))
    assert not (tmp_path / "tokens" / "report.json").exists()


def test_a_repository_that_is_called_as_a_part_is_refused(learned: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a repository is called files, as a part of the corpus is"):
        packed(tmp_path, learned, held_out=("files",))
