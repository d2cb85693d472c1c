"""Put the folder of a release together: the packaged model, its card, and the plots that the card shows."""

import shutil
from pathlib import Path

from tasks.deploy.card import CardFacts, write_card
from tasks.deploy.package import FILES

PLOTS = "plots"


def assemble_release(package: Path, facts: CardFacts, plots: tuple[Path, ...], target: Path) -> Path:
    """Write the files of a release into `target`; the same inputs give the same bytes."""
    for name in FILES.values():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package / name, target / name)
    (target / PLOTS).mkdir(parents=True, exist_ok=True)
    names = []
    for plot in plots:
        shutil.copyfile(plot, target / PLOTS / plot.name)
        names.append(f"{PLOTS}/{plot.name}")
    write_card(facts, tuple(names), target / "README.md")
    return target
