"""What lies in a model's folder, looked at before anything of it is opened: plain files that lie where they are."""

from collections.abc import Iterator
from pathlib import Path

from infra.errors import ArtifactError

# Folders that transformers looks into.
INNER = ("[0-9]_*", "additional_chat_templates")
OTHER_MODEL = "adapter_config.json"


def check_entries(folder: Path) -> None:
    """Raise ArtifactError for a link that leads out of `folder`, for a pipe or device, and for an adapter.

    The Hub's own cache keeps a commit's files as links into the `blobs` of the same repository: these may stay.
    """
    inside = [folder.resolve()]
    if inside[0].parent.name == "snapshots":
        inside.append(inside[0].parents[1] / "blobs")
    for path in _entries(folder):
        target = path.resolve()
        if not any(target.is_relative_to(place) for place in inside):
            raise ArtifactError(
                f"{path} leads to {target}, outside of the model's folder: expected files that lie in it. Copy the "
                "file there, where you trust whoever made the folder."
            )
        if target.exists() and not (target.is_file() or target.is_dir()):
            raise ArtifactError(
                f"{path} is a pipe, a socket or a device: expected plain files in a model's folder. Delete it."
            )
    if (folder / OTHER_MODEL).exists():
        raise ArtifactError(
            f"{folder} holds {OTHER_MODEL}, an adapter that names another model to be read in its place: expected a "
            "whole model. Merge the adapter into its model and save that."
        )


def is_plain_name(name: object) -> bool:
    """Whether `name` is that of a file in the same folder."""
    return isinstance(name, str) and name not in ("", ".", "..") and not any(c in name for c in "/\\\0")


def _entries(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not path.is_dir() or any(path.match(pattern) for pattern in INNER):
            yield path
    for pattern in INNER:
        yield from sorted(folder.glob(f"{pattern}/*"))
