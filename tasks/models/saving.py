"""Writing a model with its tokenizer, as transformers opens both."""

from pathlib import Path

from safetensors import SafetensorError
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from infra.errors import StoreError
from tasks.models.loading import quiet_transformers


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write both to `folder`, in safetensors. Raises StoreError when the disk does not take them."""
    try:
        # Where a file is in the way, transformers writes nothing and raises nothing.
        folder.mkdir(parents=True, exist_ok=True)
        with quiet_transformers():
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except (OSError, SafetensorError) as error:
        raise StoreError(
            f"the model could not be written to {folder} ({error}). Free some space or make the folder writable, "
            "then run again."
        ) from error
