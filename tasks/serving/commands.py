"""`stillhouse predict OWNER/NAME "text"`: what a released model answers."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from infra.hub.connect import open_hub
from infra.hub.protocol import MAIN
from infra.machine.terminal import Terminal, one_line
from infra.settings import get_settings


def predict(
    model: Annotated[str, Parameter(help="owner/name on the Hub, or the folder of a release")],
    /,
    *texts: Annotated[str, Parameter(help="what to answer; none: each line of stdin")],
    revision: Annotated[
        str, Parameter(help="a tag, or 7 digits or more of a revision; default: the champion")
    ] = MAIN,
    top_k: Annotated[int, Parameter(validator=Number(gte=1), help="so many of the best labels")] = 1,
) -> None:
    """Answer texts by a released model: a line a text, its labels with their confidence."""
    from tasks.inference.classifier import Classifier

    folder = (
        Path(model) if Path(model).is_dir() else open_hub(get_settings()).resolve("model", model, revision)
    )
    classifier, console = Classifier(folder), Terminal()
    for text in texts or (line.rstrip("\n") for line in sys.stdin):
        [answer] = classifier.predict([text], top_k)
        ranked = "  ".join(f"{label} {confidence:.3f}" for label, confidence in answer.ranked)
        console.print(one_line((ranked, "yellow" if answer.out_of_scope else "green"), (f"  {text}", "dim")))
