"""The stage's files: what other libraries read from them, and that they are the same each time."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer

from infra.errors import ArtifactError, ConfigError
from tasks.tokenizers.build import build
from tasks.tokenizers.config import TokenizerConfig
from tasks.tokenizers.measure import TokenizerMeasurements
from tests.conftest import ROOT
from tests.tasks.tokenizers.tables import write_dataset

TEXTS = [
    "What's my PIN number?",
    "Zürich – naïve café (3,000 €)",
    "",
    "unsubscribe me from hypoallergenic spam",
]
TRIM = TokenizerConfig(vocabulary_size=1_000)
TRAIN_BPE = TokenizerConfig(mode="train", vocabulary_size=300)
TRAIN_WORDPIECE = TokenizerConfig(mode="train", vocabulary_size=300, algorithm="wordpiece")


def built(config: TokenizerConfig, base: Path, dataset: Path, output: Path) -> dict[str, float]:
    output.mkdir()
    return dict(build(config, base, dataset, output))


@pytest.mark.parametrize("config", [TRIM, TRAIN_BPE, TRAIN_WORDPIECE, TokenizerConfig(mode="keep")])
@pytest.mark.parametrize("with_model_config", [False, True])
def test_autotokenizer_and_tokenizers_read_the_same_ids(
    config, with_model_config, base_folder, dataset, tmp_path
):
    built(config, base_folder, dataset, tmp_path / "out")
    if with_model_config:
        shutil.copy(base_folder / "config.json", tmp_path / "out")
    plain = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    loaded = AutoTokenizer.from_pretrained(tmp_path / "out", trust_remote_code=False)
    for text in TEXTS:
        assert loaded(text)["input_ids"] == plain.encode(text).ids
    assert loaded.pad_token_id == 0 and loaded.model_max_length == 512
    assert set(loaded("pay")) == {"input_ids", "attention_mask"}
    assert plain.padding is None and plain.truncation is None


def test_a_saved_copy_reads_the_same_ids(base_folder, dataset, tmp_path):
    built(TRIM, base_folder, dataset, tmp_path / "out")
    loaded = AutoTokenizer.from_pretrained(tmp_path / "out", trust_remote_code=False)
    loaded.save_pretrained(tmp_path / "copy")
    copy = AutoTokenizer.from_pretrained(tmp_path / "copy", trust_remote_code=False)
    assert [copy(text)["input_ids"] for text in TEXTS] == [loaded(text)["input_ids"] for text in TEXTS]


def test_kept_ids_name_the_base_tokens(base, base_folder, dataset, tmp_path):
    built(TRIM, base_folder, dataset, tmp_path / "out")
    kept = np.load(tmp_path / "out" / "kept_ids.npy")
    tokenizer = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    assert kept.dtype == np.int64 and kept.shape == (1_000,)
    assert [tokenizer.id_to_token(i) for i in range(1_000)] == [base.tokens[i] for i in kept.tolist()]


def test_keep_maps_each_id_to_itself_and_train_has_no_map(base_folder, dataset, tmp_path):
    figures = built(TokenizerConfig(mode="keep"), base_folder, dataset, tmp_path / "keep")
    assert np.load(tmp_path / "keep" / "kept_ids.npy").tolist() == list(range(30_522))
    assert figures["unchanged_texts"] == 1.0
    figures = built(TRAIN_BPE, base_folder, dataset, tmp_path / "train")
    assert not (tmp_path / "train" / "kept_ids.npy").exists() and "coverage" not in figures


@pytest.mark.parametrize("config", [TRIM, TRAIN_BPE, TRAIN_WORDPIECE])
def test_the_same_input_gives_the_same_bytes_without_a_path_in_them(config, base_folder, dataset, tmp_path):
    for name in ("one", "two"):
        built(config, base_folder, dataset, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    for name in files:
        content = (tmp_path / "one" / name).read_bytes()
        assert content == (tmp_path / "two" / name).read_bytes()
        assert str(tmp_path).encode() not in content and b"site-packages" not in content


def test_measurements_are_written_as_reported(base_folder, dataset, tmp_path):
    figures = built(TRIM, base_folder, dataset, tmp_path / "out")
    written = TokenizerMeasurements.model_validate_json((tmp_path / "out" / "measurements.json").read_text())
    assert written.metrics() == figures
    assert written.split == "validation" and written.texts == 2
    assert figures["unknown_rate"] == 0.0 and figures["vocabulary_size"] == 1_000
    assert figures["fertility"] > figures["fertility_before"]


def test_an_old_folder_with_a_vocabulary_file_alone_is_understood(base, base_folder, dataset, tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    for name in ("config.json", "vocab.txt", "tokenizer_config.json"):
        shutil.copy(base_folder / name, old)
    built(TRIM, old, dataset, tmp_path / "from_old")
    built(TRIM, base_folder, dataset, tmp_path / "from_new")
    np.testing.assert_array_equal(
        np.load(tmp_path / "from_old" / "kept_ids.npy"), np.load(tmp_path / "from_new" / "kept_ids.npy")
    )


def test_special_tokens_given_as_objects_are_read(base_folder, dataset, tmp_path):
    folder = shutil.copytree(base_folder, tmp_path / "base", ignore=shutil.ignore_patterns("*.safetensors"))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["pad_token"] = {"__type": "AddedToken", "content": "[PAD]", "lstrip": False}
    settings["model_max_length"] = 1e30
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    built(TRIM, folder, dataset, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert written["pad_token"] == "[PAD]" and written["model_max_length"] == 512


def test_a_size_is_needed_unless_everything_is_kept(base_folder, dataset, tmp_path):
    with pytest.raises(ConfigError, match=r"vocabulary_size is not set"):
        build(TokenizerConfig(), base_folder, dataset, tmp_path)


def test_a_base_without_wordpiece_can_be_kept_or_replaced(dataset, tmp_path):
    base = tmp_path / "unigram"
    base.mkdir()
    pieces = [("<unk>", 0.0), *((chr(c), -5.0) for c in range(33, 127)), (" ", -3.0)]
    Tokenizer(models.Unigram(pieces, 0)).save(str(base / "tokenizer.json"))
    with pytest.raises(ConfigError, match=r"Unigram.*mode keep"):
        build(TRIM, base, dataset, tmp_path)
    assert built(TokenizerConfig(mode="keep"), base, dataset, tmp_path / "keep")["vocabulary_size"] == len(
        pieces
    )
    assert built(TRAIN_BPE, base, dataset, tmp_path / "train")["vocabulary_size"] == 300


def test_unknown_text_is_said(base_folder, tmp_path, caplog):
    foreign = write_dataset(tmp_path / "table", ["pay the bill"] * 20, ["привет мир"])
    built(TRIM, base_folder, foreign, tmp_path / "out")
    assert "held-out tokens are unknown" in caplog.text and "characters=all" in caplog.text


def test_a_damaged_tokenizer_is_named(dataset, tmp_path):
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"no tokenizer that can be read.*Expected tokenizer\.json"):
        build(TRIM, tmp_path, dataset, tmp_path)


def test_sizes_and_modes_outside_their_bounds_are_refused():
    for wrong in ({"vocabulary_size": 3}, {"mode": "cut"}, {"minimum_frequency": 0}, {"vocab": 8_000}):
        with pytest.raises(ValidationError):
            TokenizerConfig(**wrong)


def test_the_table_of_sizes_has_a_line_for_each_and_for_the_whole(base_folder, dataset):
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.vocabulary_sizes",
        str(base_folder),
        str(dataset),
        "2000",
    ]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| 2,000", "| 2,000", "| 30,522"]
    assert lines[-1].endswith("| 100.0% | 100.0% |")
    failed = subprocess.run([*command[:-1], "20"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert failed.returncode == 2 and failed.stderr.startswith("tokenizer.vocabulary_size is 20")
