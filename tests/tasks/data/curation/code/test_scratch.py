"""Texts on the disk are those that were put there, and nothing of them is left."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from tasks.data.curation.code.scratch import Scratch


@given(st.lists(st.lists(st.text()), max_size=5))
def test_each_text_comes_back_by_its_number(batches: list[list[str]]) -> None:
    with TemporaryDirectory() as folder:
        with Scratch(Path(folder) / "texts") as texts:
            for batch in batches:
                texts.extend([text.encode() for text in batch])
            every = [text for batch in batches for text in batch]
            assert len(texts) == len(every)
            assert [texts.text(i) for i in reversed(range(len(every)))] == every[::-1]
            assert texts.sizes().tolist() == [len(text.encode()) for text in every]
        assert not list(Path(folder).iterdir())
