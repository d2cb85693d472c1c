"""The plots that measurement stages leave beside their reports."""

from pathlib import Path

IMAGES = (".png", ".svg")


def find_plots(*folders: Path) -> tuple[Path, ...]:
    """Images in report artifacts, by name; where two have one name, the first folder's is taken."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in IMAGES:
                found.setdefault(path.name, path)
    return tuple(found[name] for name in sorted(found))
