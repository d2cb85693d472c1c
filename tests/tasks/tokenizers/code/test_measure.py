"""Tokenizers on unseen code: counts by hand on short texts, and groups that are the held out repositories."""

import keyword
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from infra.errors import DataError
from tasks.formats.tokenizer_report import read_tokenizer_report
from tasks.tokenizers.code.config import MeasureCodeTokenizerConfig
from tasks.tokenizers.code.cutting import LONGEST, Cutting
from tasks.tokenizers.code.measure import EXAMPLE, indentation_tokens, measure_on_corpus, read_groups
from tasks.tokenizers.code.stages import measure_code_tokenizer
from tasks.tokenizers.code.tokens import LETTERS, byte_lengths, shown_tokens, token_bytes, walk
from tasks.tokenizers.code.train import untrained
from tasks.tokenizers.files import read_tokenizer
from tests.tasks.sections import shown
from tests.tasks.tokenizers.code.conftest import SOURCES
from tests.tasks.tokenizers.code.corpora import write_code_corpus

HELD_OUT = ("org/unseen", "org/other")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    files = [("org/read", text) for text in SOURCES[:4]]
    unseen = [(name, text) for name in HELD_OUT for text in SOURCES[4:6]]
    return write_code_corpus(
        tmp_path / "corpus", {"train": files[2:], "test": [*files[:2], *unseen]}, HELD_OUT
    )


def test_letters_stand_for_all_bytes_as_the_library_has_them() -> None:
    assert sorted(LETTERS.values()) == list(range(256))
    text = "a ü🙂\x00\n"
    pre = untrained("gpt2").pre_tokenizer.pre_tokenize_str(text)
    assert b"".join(token_bytes(word) for word, _ in pre) == text.encode()
    assert token_bytes("<|endoftext|> ü") == "<|endoftext|> ü".encode()


def test_figures_are_what_one_counts(folder: Path) -> None:
    tokenizer = read_tokenizer(folder)
    text = "import numpy\n"
    found = tokenizer.encode(text).tokens
    cutting = Cutting(tokenizer)
    cut = cutting.cut([text])
    assert cut.tokens == len(found) and cut.tokens_per_byte == len(found) / len(text)
    assert cut.fertility == len(found) / 2
    assert found[0] == "import" and cut.continued_words == 0.5
    single = sum(len(token) == 1 for token in found)
    assert cut.coverage == pytest.approx(1 - single / len(text))
    assert cut.vocabulary_used == len(set(found)) / tokenizer.get_vocab_size()
    assert len(cutting.lengths) == LONGEST and cutting.lengths[0] == pytest.approx(single / len(text))
    assert cutting.not_given_back == 0


def test_bytes_of_tokens_add_up_to_those_of_the_text(tokenizer: Tokenizer) -> None:
    text = "".join(SOURCES) + EXAMPLE
    assert byte_lengths(tokenizer)[tokenizer.encode(text).ids].sum() == len(text.encode())


def test_indentations_are_counted_without_the_word_behind_them(tokenizer: Tokenizer) -> None:
    assert [indentation_tokens(tokenizer, blanks) for blanks in (4, 8)] == [1, 1]
    assert indentation_tokens(tokenizer, 63) > 1


def test_a_tokenizer_that_loses_something_is_found_out(folder: Path) -> None:
    from tokenizers import normalizers

    tokenizer = read_tokenizer(folder)
    tokenizer.normalizer = normalizers.Lowercase()
    cutting = Cutting(tokenizer)
    cutting.cut(["lower", "Upper", "UPPER"])
    assert cutting.not_given_back == 2


def test_the_example_is_shown_step_by_step(folder: Path) -> None:
    tokenizer = read_tokenizer(folder)
    example = walk(tokenizer, EXAMPLE)
    assert example.normalized == EXAMPLE and "".join(example.words) == EXAMPLE
    assert bytes.fromhex("".join(token.bytes for token in example.tokens)).decode() == EXAMPLE
    parts = [token for token in example.tokens if EXAMPLE[token.start : token.end] == "🙂"]
    assert len(parts) > 1 and all(token.end - token.start == 1 for token in parts)


def test_special_tokens_and_single_bytes_are_not_shown(tokenizer: Tokenizer) -> None:
    tokens = shown_tokens(tokenizer)
    assert all(len(some) == 12 and not any("<|" in token for token in some) for some in tokens.values())
    assert len(tokens["longest"][0]) >= len(tokens["longest"][-1])


def test_groups_are_the_held_out_repositories_and_the_other_files(corpus: Path) -> None:
    groups = read_groups(corpus, HELD_OUT, 10**9)
    assert [*groups] == ["files", *HELD_OUT] and groups["files"] == SOURCES[:2]
    assert read_groups(corpus, ("org/other",), 10**9)["files"] == [*SOURCES[:2], *SOURCES[4:6]]
    assert read_groups(corpus, HELD_OUT, 1)["files"] == SOURCES[:1]


def test_a_test_split_without_words_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no words"):
        read_groups(write_code_corpus(tmp_path, {"test": [("a/b", " \n")]}), (), 100)


def test_tokenizers_stand_side_by_side_ours_first(corpus: Path, folder: Path, tmp_path: Path) -> None:
    folders = {"gpt2": folder, "12500": folder, "ours": folder}
    (tmp_path / "out").mkdir()
    metrics = measure_on_corpus(MeasureCodeTokenizerConfig(), folders, corpus, tmp_path / "out")
    report = read_tokenizer_report(tmp_path / "out")
    assert [one.name for one in report.tokenizers] == ["ours", "12500", "gpt2"]
    assert report.unseen == HELD_OUT and metrics["tokens_against_reference"] == 1
    ours = report.tokenizers[0]
    assert ours.typos["org/unseen"].fertility > ours.groups["org/unseen"].fertility
    assert (
        set(ours.keywords_missing)
        == set(ours.keywords_bare) & set(ours.keywords_in_line)
        < set(keyword.kwlist)
    )
    assert ours.not_given_back == 0 and "return" not in ours.keywords_in_line
    section = shown(measure_code_tokenizer, tmp_path / "out", tmp_path / "copy")
    assert "1.000 tokens for each of gpt2" in section.lines[-1] and len(section.figures) == 2
    by_group = section.tables[0].rows
    assert [row["of"] for row in by_group] == ["files", *HELD_OUT] and by_group[1]["for gpt2"] == 1
    assert [piece.text for piece in section.passages[0].pieces][:2] == ["def", "·"]


def test_one_tokenizer_alone_is_measured_without_a_reference(
    corpus: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    metrics = measure_on_corpus(
        MeasureCodeTokenizerConfig(typo_rate=0), {"ours": folder}, corpus, tmp_path / "out"
    )
    assert [*metrics] == ["tokens_per_byte_ours", "keywords_missing_ours", "not_given_back_ours"]
    report = read_tokenizer_report(tmp_path / "out")
    assert report.tokenizers[0].typos == report.tokenizers[0].groups
    assert shown(measure_code_tokenizer, tmp_path / "out", tmp_path / "copy").lines == ()
