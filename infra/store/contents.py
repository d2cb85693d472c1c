"""The files of an artifact: measured when it is made, held against its record when it is found."""

from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from infra.errors import ArtifactError, StillhouseError
from infra.files import combined_digest, file_digest
from infra.store.record import BESIDE, FileRecord, Record

LONGEST_NAME = 255  # bytes of a part of a path, on any disk in use


def are_own(names: Collection[str]) -> bool:
    """Whether files of these names can be those of an artifact, each in its folder and none of them in another's way.

    A record that came from elsewhere may name anything: what lies outside, what lies beside an artifact's files, what no
    disk takes. `measure_files` gives no such name.
    """
    return all(map(_is_own, names)) and not any(
        parent.as_posix() in names for name in names for parent in PurePosixPath(name).parents
    )


def _is_own(name: str) -> bool:
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or path.as_posix() != name or "\0" in name:
        return False
    in_folder = ".." not in path.parts and path.parts[0] not in BESIDE
    return in_folder and all(len(part.encode()) <= LONGEST_NAME for part in path.parts)


def measure_files(folder: Path) -> dict[str, FileRecord]:
    """Size, mtime and sha256 of every file of an artifact (not of its record and metric history).

    Raises ArtifactError for a symbolic link: what it points to would be lost elsewhere, or change under the record.
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise ArtifactError(
                f"{path} is a symbolic link to {path.readlink()}: expected a stage's output to be files of its own. "
                "Copy there what the link points to. Correct the stage."
            )
        if path.is_file() and name not in BESIDE:
            status = path.stat()
            files[name] = FileRecord(
                sha256=file_digest(path), size=status.st_size, mtime_ns=status.st_mtime_ns
            )
    if not files:
        raise StillhouseError(
            f"{folder} is empty: expected the stage to write files there. Correct the stage."
        )
    return files


def times_here(folder: Path, record: Record) -> Record:
    """A record whose files have their mtimes on this disk, which the cheap check compares."""
    files = {
        name: file.model_copy(update={"mtime_ns": (folder / name).stat().st_mtime_ns})
        for name, file in record.files.items()
    }
    return record.model_copy(update={"files": files})


def content_digest(files: Mapping[str, FileRecord]) -> str:
    """Digest of an artifact from its files' digests."""
    return combined_digest((name, file.sha256) for name, file in files.items())


def damage(path: Path, file: FileRecord, full: bool) -> str | None:
    """What is wrong with a file, by size and mtime, by its bytes with `full` or where those changed; None: nothing."""
    try:
        status = path.stat()
    except OSError:
        return f"{path} is missing"
    if status.st_size != file.size:
        return f"{path} has {status.st_size} bytes, its record says {file.size}"
    untouched = status.st_mtime_ns == file.mtime_ns and not full
    if not untouched and file_digest(path) != file.sha256:
        return f"{path} does not have the bytes of its record"
    return None
