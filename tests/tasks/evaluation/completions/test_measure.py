"""Completions of held-out functions, by models, by n-grams, and as they were written."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import ArtifactError, ConfigError, DataError
from tasks.evaluation.completions.config import CompletePromptsConfig
from tasks.evaluation.completions.functions import Reader
from tasks.evaluation.completions.measure import TRUE, complete_prompts, judged
from tasks.evaluation.completions.prompts import choose_functions
from tasks.evaluation.completions.stages import complete_prompts as stage
from tasks.formats.completion_report import read_completed_tokens, read_completions
from tasks.generation.completion.complete import Completed
from tests.tasks.baselines.causal_ngrams.documents import write_corpus
from tests.tasks.models.tiny_causal_lm import tiny_code_tokenizer, write_causal_lm
from tests.tasks.sections import shown

CONFIG = CompletePromptsConfig(prompts=6, max_tokens=24, temperature=0.1, prompt_characters=60)


def function(name: str, body: str = "    return f(x)") -> str:
    return f'def {name}(x):\n    """Do {name}."""\n{body}\n'


def write_files(folder: Path, texts: list[str]) -> Path:
    (folder / "data").mkdir(parents=True)
    pq.write_table(pa.table({"text": texts}), folder / "data" / "test-00000-of-00001.parquet")
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = ["".join(function(f"of_{file}_{number}") for number in range(5)) for file in range(4)]
    return write_files(tmp_path_factory.mktemp("dataset"), ["x = (", *texts])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its one function is all that n-grams can write."""
    inner = tiny_code_tokenizer().backend_tokenizer
    row = [3, *inner.encode('."""\n    return f(x)\nz' * 9).ids, 0]
    return write_corpus(tmp_path_factory.mktemp("tokens"), {"train": [row] * 3}, vocabulary=260)


def test_prompts_are_the_same_in_any_order_of_files_and_few_of_each(dataset: Path, tmp_path: Path) -> None:
    with Reader(2) as reader:
        first = choose_functions(CONFIG, dataset, reader)
        files = pq.read_table(dataset / "data" / "test-00000-of-00001.parquet")["text"].to_pylist()
        other = write_files(tmp_path / "other", [*files[::-1], *files])
        assert choose_functions(CONFIG, other, reader) == first
        names = [one.prompt.split("_")[1] for one in first]
        assert len(names) == 6 and max(map(names.count, names)) == CONFIG.per_file
        assert choose_functions(CONFIG.model_copy(update={"seed": 1}), dataset, reader) != first
        with pytest.raises(DataError, match=r"no file of the test split in .* has a function"):
            choose_functions(CONFIG, write_files(tmp_path / "none", ["x = 1"]), reader)


def test_each_writer_has_a_row_and_its_tokens(dataset: Path, corpus: Path, tmp_path: Path) -> None:
    models = {
        name: write_causal_lm(tmp_path / name, seed=seed) for seed, name in enumerate(("trained", "fresh"))
    }
    (tmp_path / "out").mkdir()
    metrics = complete_prompts(CONFIG, models, corpus, dataset, tmp_path / "out")
    found = read_completions(tmp_path / "out")
    rows = {row.name: row for row in found.rows}
    assert list(rows) == ["trained", "fresh", "5-grams", TRUE] and found.prompts == 6
    assert rows[TRUE].parsed == rows["5-grams"].parsed == 1.0 == metrics["5-grams_parsed"]
    assert rows[TRUE].distinct == rows["5-grams"].distinct == pytest.approx(1 / 6)
    assert rows["trained"].parsed == 0.0 == rows["trained"].distinct
    tokens = read_completed_tokens(tmp_path / "out").tokens
    assert tiny_code_tokenizer().decode(tokens["5-grams"][0]) == "\n    return f(x)"
    (table,), listings = (
        (section := shown(stage, tmp_path / "out", tmp_path / "copy")).tables,
        section.listings,
    )
    assert [row["name"] for row in table.rows] == list(rows)
    assert len(listings) == CONFIG.examples and "# 5-grams\ndef of_" in listings[0].text


def test_shares_are_of_all_prompts_and_of_real_bodies() -> None:
    made = ["\n    return f(x)", "\n    return  f( x )", "\n    y = x\n    return y", "\n    pass", "\n  x ="]
    with Reader(2) as reader:
        functions = [reader.functions(function("same"), 99)[0]] * 5
        row = judged("who", functions, [Completed(text, text != made[0]) for text in made], reader)
    assert (row.parsed, row.syntax, row.ended) == (0.6, 0.8, 0.8)
    assert row.distinct == pytest.approx(2 / 3)


def test_the_first_model_has_the_tokenizer_of_the_corpus(dataset: Path, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "tokens", {"train": [[3, 4, 0]]})
    with pytest.raises(
        ArtifactError, match="a tokenizer of 260 tokens and the corpus was packed with one of 9"
    ):
        complete_prompts(CONFIG, {"it": write_causal_lm(tmp_path / "it")}, corpus, dataset, tmp_path)
    with pytest.raises(ConfigError, match="there is no model to complete by"):
        complete_prompts(CONFIG, {}, corpus, dataset, tmp_path)
