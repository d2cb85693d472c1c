"""`bigquery-public-data.github_repos` without BigQuery: the Python distributions installed here, as its tables.

`files` has a row for each file of each distribution, `contents` one for each content, `licenses` one for each
distribution, with the public tables' columns. As there, `content` is NULL for a binary file and above 1 MiB.
"""

import hashlib
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from tqdm import tqdm

from infra.files import disk_errors, file_lock
from infra.warehouse.installed import Installed, InstalledFile, installed_digest

LAYOUT = 2  # raise it when the tables change for the same distributions
LARGEST = 1 << 20  # bytes of a content that is kept
BATCH_BYTES, BATCH_ROWS = 4 << 20, 5_000
PIECE = 1 << 20
FILE_MODE, EXECUTABLE_MODE = 0o100644, 0o100755
FILES = pa.schema([("repo_name", pa.string()), ("ref", pa.string()), ("path", pa.string()), ("mode", pa.int64()),
                   ("id", pa.string()), ("symlink_target", pa.string())])  # fmt: skip
CONTENTS = pa.schema([("id", pa.string()), ("size", pa.int64()), ("content", pa.string()), ("binary", pa.bool_()),
                      ("copies", pa.int64())])  # fmt: skip
LICENSES = pa.schema([("repo_name", pa.string()), ("license", pa.string())])
logger = logging.getLogger(__name__)


@dataclass
class _Content:
    """A content that was met: where to read it again, and how often it was."""

    place: Path
    size: int
    binary: bool
    copies: int = 1


def tables_folder(root: Path, installed: Sequence[Installed]) -> Path:
    """Where the tables of these distributions lie, or would lie, under the warehouse's folder."""
    return root / "github_repos" / f"{LAYOUT}-{installed_digest(installed)[:20]}"


def tables_lock(folder: Path) -> FileLock:
    """The lock of whoever makes or frees the tables of a folder."""
    return file_lock(folder.parent / f".{folder.name}.lock")


def build_tables(root: Path, installed: Sequence[Installed]) -> Path:
    """The folder with files, contents and licenses as parquet: made once, whole or not at all, in constant memory.

    A file that is not as its RECORD says is left out with a warning. Raises StoreError when the disk refuses.
    """
    folder = tables_folder(root, installed)
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tables_lock(folder):
            if not folder.is_dir():
                partial = folder.with_name(f".{folder.name}.partial")
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir()
                try:
                    _write(partial, installed)
                    partial.rename(folder)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
    return folder


def _write(folder: Path, installed: Sequence[Installed]) -> None:
    contents: dict[str, _Content] = {}
    _write_rows(folder / "files.parquet", FILES, _file_rows(installed, contents))
    _write_rows(folder / "contents.parquet", CONTENTS, _content_rows(contents))
    licenses = ({"repo_name": one.name, "license": one.license} for one in installed)
    _write_rows(folder / "licenses.parquet", LICENSES, licenses)


def _file_rows(installed: Sequence[Installed], contents: dict[str, _Content]) -> Iterator[dict[str, object]]:
    changed = 0
    total = sum(len(one.files) for one in installed)
    with tqdm(total=total, desc="github_repos", unit=" files", unit_scale=True, disable=None) as bar:
        for one in installed:
            for file in one.files:
                bar.update()
                blob = _blob(file)
                if blob is None:
                    changed += 1
                    continue
                identity, size, binary = blob
                if identity in contents:
                    contents[identity].copies += 1
                else:
                    contents[identity] = _Content(file.place, size, binary)
                mode = EXECUTABLE_MODE if file.place.stat().st_mode & 0o100 else FILE_MODE
                yield {"repo_name": one.name, "ref": f"refs/tags/{one.version}", "path": file.path, "mode": mode,
                       "id": identity, "symlink_target": None}  # fmt: skip
    if changed:
        logger.warning(
            "%d installed files are missing or not as their RECORD says: they are left out of github_repos.",
            changed,
        )


def _blob(file: InstalledFile) -> tuple[str, int, bool] | None:
    """(git's id, bytes, whether it is binary) of a file; None for one that is not as recorded.

    Git's id is the sha1 of `blob <size>\\0` and the bytes. Binary is what is not UTF-8 or has NUL bytes.
    """
    try:
        size = file.place.stat().st_size
        blob = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
        recorded, head = hashlib.sha256(), b""
        with file.place.open("rb") as stream:
            while piece := stream.read(PIECE):
                blob.update(piece)
                recorded.update(piece)
                head = head or piece
    except OSError:
        return None
    if recorded.hexdigest() != file.sha256:
        return None
    return blob.hexdigest(), size, _is_binary(head, whole=size <= LARGEST)


def _is_binary(piece: bytes, whole: bool) -> bool:
    """A piece may end within a character: up to three bytes at the end of one that is not whole say nothing."""
    if b"\0" in piece:
        return True
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError as error:
        return whole or error.start < len(piece) - 3
    return False


def _content_rows(contents: dict[str, _Content]) -> Iterator[dict[str, object]]:
    for identity, content in contents.items():
        kept = not content.binary and content.size <= LARGEST
        text = content.place.read_bytes().decode("utf-8") if kept else None
        yield {"id": identity, "size": content.size, "content": text, "binary": content.binary,
               "copies": content.copies}  # fmt: skip


def _write_rows(path: Path, schema: pa.Schema, rows: Iterable[Mapping[str, object]]) -> None:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        batch: list[Mapping[str, object]] = []
        size = 0
        for row in rows:
            batch.append(row)
            size += len(str(row.get("content") or ""))
            if size >= BATCH_BYTES or len(batch) >= BATCH_ROWS:
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
                batch, size = [], 0
        if batch:
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
