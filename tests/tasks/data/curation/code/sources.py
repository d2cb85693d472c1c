"""Files of code made by the tests, and an extract of them."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from tests.tasks.data.curation.extracts import sentence, write_extract

File = tuple[str, str, str, str]  # text, repository, path, licence


def source(seed: str, lines: int = 20) -> str:
    """A module whose words are like no other one's."""
    body = "".join(f"    {sentence(f'{seed}{i}').replace(' ', ' = ')}\n" for i in range(lines))
    return f"def {sentence(seed).split(' ')[0]}():\n{body}"


def repository(name: str, files: int, license: str = "mit") -> list[File]:
    """A repository of unlike files."""
    return [(source(f"{name}{i}"), name, f"{name}/{i}.py", license) for i in range(files)]


def write_code(folder: Path, files: Sequence[File]) -> Path:
    """An extract of code with these files."""
    texts, repositories, paths, licenses = zip(*files, strict=True)
    return write_extract(folder, text=texts, repo_name=repositories, path=paths, license=licenses)


def read_corpus(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Rows of each split of a corpus."""
    splits: dict[str, list[dict[str, str]]] = {}
    for path in sorted((folder / "data").glob("*.parquet")):
        splits.setdefault(path.name.split("-")[0], []).extend(pq.read_table(path).to_pylist())
    return splits
