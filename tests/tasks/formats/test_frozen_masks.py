from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from infra.errors import ArtifactError, StoreError
from tasks.formats.frozen_masks import FROZEN_FILE, FrozenMasks, read_frozen, write_frozen

FROZEN = FrozenMasks(
    np.array([[2, 4, 7, 3, 0], [2, 0, 9, 0, 0], [0, 0, 0, 0, 0]]), np.full((3, 5), -100), pad_id=0
)


def test_frozen_masks_come_back_as_they_went_and_open_without_this_project(tmp_path: Path) -> None:
    write_frozen(tmp_path / "new", FROZEN)
    found = read_frozen(tmp_path / "new")
    assert found.pad_id == FROZEN.pad_id
    plain = load_file(tmp_path / "new" / FROZEN_FILE)
    for name in ("input_ids", "labels"):
        assert np.array_equal(getattr(found, name), getattr(FROZEN, name))
        assert np.array_equal(plain[name], getattr(FROZEN, name)) and plain[name].dtype == np.int64
    write_frozen(tmp_path / "again", found)
    assert (tmp_path / "again" / FROZEN_FILE).read_bytes() == (tmp_path / "new" / FROZEN_FILE).read_bytes()


def test_padding_is_what_stands_after_the_last_token_that_is_none() -> None:
    assert FROZEN.lengths.tolist() == [4, 3, 0]
    assert FROZEN.attention_mask.tolist() == [[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]]


@given(st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=9))
def test_lengths_are_those_of_the_rows_without_their_padding(rows: list[list[int]]) -> None:
    ids = np.array(rows)
    expected = [len("".join(map(str, row)).rstrip("0")) for row in rows]
    assert FrozenMasks(ids, ids, 0).lengths.tolist() == expected


@pytest.mark.parametrize(
    "content",
    [
        b"no tensors",
        {"input_ids": FROZEN.input_ids},
        {"input_ids": FROZEN.input_ids, "labels": FROZEN.labels},  # without pad_id
    ],
)
def test_what_is_no_file_of_frozen_masks_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(ArtifactError, match="Make it again"):
        read_frozen(tmp_path)
    path = tmp_path / FROZEN_FILE
    if isinstance(content, dict):
        save_file(content, path)
    else:
        path.write_bytes(b"no tensors")
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_frozen(tmp_path)


def test_arrays_of_unequal_shape_are_refused(tmp_path: Path) -> None:
    write_frozen(tmp_path, FROZEN._replace(labels=FROZEN.labels[:2]))
    with pytest.raises(ArtifactError, match="documents by length"):
        read_frozen(tmp_path)


def test_a_disk_that_does_not_take_them_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("where the folder should be")
    with pytest.raises(StoreError, match="Free some space"):
        write_frozen(tmp_path / "file", FROZEN)
