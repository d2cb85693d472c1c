"""What a checkpoint says of itself, beside its weights (`tasks/models/checkpoint.py`)."""

from pathlib import Path

from pydantic import Field, ValidationError

from infra.errors import ArtifactError
from tasks.formats.out_of_scope import Labels

CLASSIFIER_FILE = "classifier.json"


class CheckpointInfo(Labels):
    """`classifier.json`: what the head's rows mean (a label's id is its row) and how long a text may be."""

    max_length: int = Field(ge=2, description="tokens a text is cut to, special tokens included")


def load_info(folder: Path) -> CheckpointInfo:
    """Read `classifier.json`; raises ArtifactError when the folder is no checkpoint of this project."""
    path = folder / CLASSIFIER_FILE
    try:
        return CheckpointInfo.model_validate_json(path.read_text())
    except (OSError, ValidationError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}): expected labels, out_of_scope and max_length of a classifier. "
            "Train the model again."
        ) from error
