from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from infra.errors import ConfigError
from infra.files import file_digest, folder_digest
from infra.store.fingerprint import canonical, stage_key
from tasks.formats.kinds import DatasetRef


class Inner(BaseModel):
    model_config = ConfigDict(frozen=True)
    rate: float = 0.5


class Asked(BaseModel):
    model_config = ConfigDict(frozen=True)
    epochs: int = 3
    names: tuple[str, ...] = ("a", "b")
    inner: Inner = Inner()
    batch: int = Field(32, json_schema_extra={"key": "ignore"})
    query: Path | None = Field(None, json_schema_extra={"key": "content"})
    added: Inner = Field(Inner(rate=0.1), json_schema_extra={"key": "unless_default"})


REF = DatasetRef(uri="artifact:extract/1", digest="d1")


def key(config: BaseModel, **refs: DatasetRef) -> str:
    return stage_key("distill", 1, canonical(config), refs)


def test_the_same_question_has_the_same_key() -> None:
    assert key(Asked(), rows=REF) == key(Asked(), rows=REF)


@pytest.mark.parametrize("other", [Asked(epochs=4), Asked(names=("b", "a")), Asked(inner=Inner(rate=0.4))])
def test_every_field_that_is_asked_changes_the_key(other: Asked) -> None:
    assert key(Asked(), rows=REF) != key(other, rows=REF)


def test_a_field_marked_ignore_does_not_change_the_key() -> None:
    assert key(Asked(batch=1)) == key(Asked(batch=64))


def test_a_field_added_later_changes_the_key_only_when_it_is_set() -> None:
    assert canonical(Asked()) == canonical(Asked(added=Inner(rate=0.1)))
    assert "added" not in canonical(Asked())
    assert key(Asked()) != key(Asked(added=Inner(rate=0.2)))


def test_where_an_input_lies_does_not_change_the_key_and_its_digest_does() -> None:
    moved = DatasetRef(uri="file:///elsewhere", digest="d1")
    changed = DatasetRef(uri=REF.uri, digest="d2")
    assert key(Asked(), rows=REF) == key(Asked(), rows=moved)
    assert key(Asked(), rows=REF) != key(Asked(), rows=changed)


def test_the_name_of_an_input_counts() -> None:
    assert key(Asked(), teacher=REF) != key(Asked(), student=REF)


def test_stage_and_version_change_the_key() -> None:
    config = canonical(Asked())
    keys = {
        stage_key("distill", 1, config, {}),
        stage_key("distill", 2, config, {}),
        stage_key("train", 1, config, {}),
    }
    assert len(keys) == 3


def test_a_query_file_counts_by_its_content(tmp_path: Path) -> None:
    one, same, other = tmp_path / "one.sql", tmp_path / "same.sql", tmp_path / "other.sql"
    one.write_text("SELECT 1")
    same.write_text("SELECT 1")
    other.write_text("SELECT 2")
    assert key(Asked(query=one)) == key(Asked(query=same))
    assert key(Asked(query=one)) != key(Asked(query=other))


def test_a_missing_query_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^config\.query: .*absent\.sql cannot be read"):
        key(Asked(query=tmp_path / "absent.sql"))


@pytest.mark.parametrize(
    "value", [{1, 2}, print, object(), b"x", Path("x"), float("nan"), float("inf"), {1: "a"}]
)
def test_what_cannot_be_named_exactly_is_refused(value: object) -> None:
    with pytest.raises(ConfigError):
        canonical({"field": value})


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.integers() | st.text(max_size=5) | st.floats(allow_nan=False, allow_infinity=False),
    )
)
def test_order_of_a_mapping_does_not_matter(mapping: dict[str, object]) -> None:
    backwards = dict(reversed(list(mapping.items())))
    assert stage_key("s", 1, canonical(mapping), {}) == stage_key("s", 1, canonical(backwards), {})


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.binary(max_size=9)),
        min_size=1,
        unique_by=lambda item: item[0],
    )
)
def test_folder_digest_depends_on_names_and_bytes_alone(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, bytes]]
) -> None:
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    for name, content in files:
        (one / name).write_bytes(content)
    for name, content in reversed(files):
        (two / name).write_bytes(content)
    assert folder_digest(one) == folder_digest(two)
    (two / files[0][0]).write_bytes(files[0][1] + b"!")
    assert folder_digest(one) != folder_digest(two)


def test_file_digest_is_sha256(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert file_digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
