"""Put the folder of a release together: the packaged model, its card, and the plots that the card shows."""

import shutil
from pathlib import Path

from tasks.deploy.card import CardFacts, write_card

PLOTS = "plots"
IMAGES = (".png", ".svg")


def assemble_release(package: Path, facts: CardFacts, plots: tuple[Path, ...], target: Path) -> Path:
    """Write the files of a release into `target`; the same inputs give the same bytes."""
    for source in sorted(
        path for path in package.rglob("*") if path.is_file() and path.name != "record.json"
    ):
        copy = target / source.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    (target / PLOTS).mkdir(parents=True, exist_ok=True)
    names = []
    for plot in plots:
        shutil.copyfile(plot, target / PLOTS / plot.name)
        names.append(f"{PLOTS}/{plot.name}")
    write_card(facts, tuple(names), target / "README.md")
    return target


def find_plots(*folders: Path) -> tuple[Path, ...]:
    """Images in report artifacts, by name; where two have one name, the first folder's is taken."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in IMAGES:
                found.setdefault(path.name, path)
    return tuple(found[name] for name in sorted(found))
