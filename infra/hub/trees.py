"""The files of a commit beside those of a folder: what is the same, and which operations make one of the other.

A commit's listing has the sha256 of a large file (LFS) and git's own hash of a small one, so bytes are compared without
being fetched.
"""

from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils.sha import git_hash

from infra.errors import HubError
from infra.files import file_digest
from infra.hub.protocol import JOURNAL

# The Hub's own, and our journal: on `main` beside what was published, and no part of it.
RESERVED = frozenset({".gitattributes", JOURNAL})
Tree = Mapping[str, RepoFile]
Operation = CommitOperationAdd | CommitOperationCopy | CommitOperationDelete


def published(tree: Tree) -> dict[str, str]:
    """Name and content of each file that was published: a hash that is equal for equal bytes."""
    return {name: _content(file) for name, file in tree.items() if name not in RESERVED}


def check_reserved(files: Mapping[str, Path]) -> None:
    """Raises HubError for files that a repository on the Hub needs for itself."""
    if wrong := sorted(RESERVED & files.keys()):
        raise HubError(
            f"{', '.join(wrong)} cannot be published: expected other names, the Hub keeps its own under these. "
            "Take the file out of the folder, or rename it."
        )


def is_same(file: RepoFile, path: Path) -> bool:
    """Whether a file of a commit has the bytes of one here."""
    if file.lfs is not None:
        return bool(file.lfs.sha256 == file_digest(path))
    return bool(file.size == path.stat().st_size and file.blob_id == git_hash(path.read_bytes()))


def to_publish(tree: Tree, files: Mapping[str, Path]) -> list[Operation]:
    """What makes a commit's published files those of a folder; empty when they are."""
    changed: list[Operation] = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(path))
        for name, path in files.items()
        if name not in tree or not is_same(tree[name], path)
    ]
    return changed + _gone(tree, files)


def to_restore(tree: Tree, wanted: Tree, revision: str) -> list[Operation]:
    """What makes a commit's published files those of the commit `revision`, without sending them; empty when they are."""
    have, want = published(tree), published(wanted)
    changed: list[Operation] = [
        CommitOperationCopy(src_path_in_repo=name, path_in_repo=name, src_revision=revision)
        for name, content in want.items()
        if have.get(name) != content
    ]
    return changed + _gone(tree, want)


def _gone(tree: Tree, wanted: Mapping[str, object]) -> list[Operation]:
    names = sorted(tree.keys() - wanted.keys() - RESERVED)
    return [CommitOperationDelete(path_in_repo=name, is_folder=False) for name in names]


def _content(file: RepoFile) -> str:
    return str(file.lfs.sha256 if file.lfs is not None else file.blob_id)
