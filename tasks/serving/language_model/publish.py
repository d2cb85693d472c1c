"""An adapted language model as it goes to the Hub: what transformers opens, and a card.

Neither the text nor the milestones lie there: those are commits of their own.
"""

import shutil
from pathlib import Path

from tasks.models.loading import load_tokenizer
from tasks.models.pretrained.files import check_model_folder
from tasks.serving.language_model.card import write_card
from tasks.serving.language_model.facts import AdaptedFacts


def assemble(facts: AdaptedFacts, model: Path, output: Path) -> Path:
    """Lay the checkpoint in `model` out in the new folder `output` and give it back; same inputs, same bytes.

    Raises ArtifactError when the checkpoint is damaged, or one of the two models was not evaluated.
    """
    files = check_model_folder(model)
    mask_token = str(load_tokenizer(model).mask_token)
    output.mkdir(parents=True)
    for path in files:
        place = output / path.relative_to(model)
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, place)
    write_card(facts, mask_token, output / "README.md")
    return output
