"""An object into a file, range by range: what is there of it already is not fetched again."""

from collections.abc import Callable
from pathlib import Path

from infra.store.shared.object_store import ObjectStore


def download(
    objects: ObjectStore, name: str, path: Path, size: int, part_bytes: int, whole: Callable[[Path], bool]
) -> bool:
    """Download what is missing of a file of `size` bytes; once more from its start when it is not `whole`.

    False when it is not then either. Raises StoreError where the place refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        _append(objects, name, path, size, part_bytes)
        if whole(path):
            return True
        path.unlink()
    return False


def _append(objects: ObjectStore, name: str, path: Path, size: int, part_bytes: int) -> None:
    start = path.stat().st_size if path.is_file() else 0
    with path.open("ab") as file:
        while start < size:
            data = objects.read_range(name, start, min(size, start + part_bytes))
            if not data:
                return
            file.write(data)
            file.flush()
            start += len(data)
