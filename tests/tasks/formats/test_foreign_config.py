"""A config that asks for nothing but its own model is read as before."""

from pathlib import Path

import pytest
from pydantic import JsonValue

from infra.errors import ArtifactError
from tasks.formats.foreign_config import LARGEST, check_asks_for_no_code, read_object

CONFIG = Path("config.json")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"attn_implementation": None, "quantization_config": None},
        {"attn_implementation": "eager", "_attn_implementation_autoset": True},
        {"_attn_implementation": "sdpa", "text_config": {"attn_implementation": "eager"}},
        {"attn_implementation": {"": "sdpa", "text_config": {"": "eager", "inner": None}}},
        {"experts_implementation": "grouped_mm", "use_cache": True, "id2label": {"0": "attn_implementation"}},
    ],
)
def test_what_transformers_has_itself_may_be_asked_for(config: JsonValue) -> None:
    check_asks_for_no_code(CONFIG, config)


def test_the_field_and_the_remedy_are_named() -> None:
    with pytest.raises(
        ArtifactError, match=r"config\.json asks for attn_implementation 'a/b'.*Delete the field"
    ):
        check_asks_for_no_code(CONFIG, {"parts": [{"text_config": {"attn_implementation": "a/b"}}]})


def test_a_field_is_found_however_deep_it_is() -> None:
    config: JsonValue = {"experts_implementation": {"": {"part": "a/b"}}}
    for _ in range(5000):
        config = {"text_config": [config]}
    with pytest.raises(ArtifactError, match="asks for experts_implementation 'a/b'"):
        check_asks_for_no_code(CONFIG, config)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[1]", b"3", b"[" * 100_000])
def test_what_is_no_object_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"config\.json cannot be read .* expected a JSON object"):
        read_object(tmp_path / "config.json")


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(ArtifactError, match="has 100,000,001 bytes: expected at most 100,000,000"):
        read_object(tmp_path / "config.json")
