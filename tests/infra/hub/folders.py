"""Folders to publish, and what came back."""

from pathlib import Path

REPO = "local/intents"
TOKEN = "hf_canary0token0never0shown"


def folder_of(path: Path, **files: str) -> Path:
    """A folder with these files; `__` in a name is a slash."""
    for name, text in files.items():
        place = path / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return path


def files_in(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


def shards(path: Path, word: str = "row", count: int = 3) -> Path:
    """A data set: a card, and parquet shards that the Hub keeps as large files."""
    names = {f"data__train-{number:05}.parquet": f"{word} {number} " * 5_000 for number in range(count)}
    return folder_of(path, **{"README.md": f"---\nlicense: mit\n---\n# {word}\n"}, **names)
