"""Prune: a trained checkpoint loses weights while it goes on learning the teacher's answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tasks.compression.distillation.config import PruneConfig
from tasks.compression.distillation.objective import DistillationObjective
from tasks.compression.distillation.outputs import read_teacher_outputs
from tasks.compression.distillation.student import require_outputs_of
from tasks.compression.pruning.sparsity import sparsity_of
from tasks.compression.pruning.train import prune_in_training
from tasks.formats import dataset
from tasks.formats.checkpoint import load_info
from tasks.models.batching import encode_to_disk
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tasks.training.loop.loop import Observe
from tasks.training.text_objective import TextRows
from tasks.training.validation import validation


class PruneSources(NamedTuple):
    """The folders that a pruned model is made from."""

    checkpoint: Path  # a student, or the teacher itself
    outputs: Path  # the teacher's answers, as `write_teacher_outputs` writes them
    dataset: Path  # curated; its validation split picks the best epoch


def prune_checkpoint(
    config: PruneConfig, sources: PruneSources, output_dir: Path, work_dir: Path, log: Observe
) -> Mapping[str, float]:
    """Prune a trained model and write it, with the zeros baked in, to `output_dir`.

    Embeddings stay as they are: pruning is of the layers' matrices. `work_dir` keeps the loop's checkpoints: called again
    after a kill, it goes on and writes the same bytes.

    Returns:
        The validation metrics of the best epoch at the final sparsity, `sparsity`, `best_epoch` and `steps`.

    Raises:
        ConfigError: `epochs` is unset, or blocks do not fill the matrices.
        ArtifactError: an input is damaged, or the outputs are of another shape than the checkpoint's.
    """
    info, held_out = dataset.load_info(sources.dataset), dataset.load_split(sources.dataset, "validation")
    outputs, written = read_teacher_outputs(sources.outputs), load_info(sources.checkpoint)
    model, tokenizer = SentenceClassifier.load(sources.checkpoint), load_tokenizer(sources.checkpoint)
    require_outputs_of(model, outputs, sources.outputs)
    model.body.get_submodule("embeddings").requires_grad_(False)
    model.body.set_attn_implementation("eager")  # as for the student: quicker on short text
    rows = encode_to_disk(tokenizer, outputs.texts, written.max_length, work_dir)
    validate = validation(held_out, info, tokenizer, written.max_length, config.mixed_precision)
    texts = TextRows.asked(rows, tokenizer.pad_token_id, config)
    objective = DistillationObjective(texts, outputs, config)
    progress = prune_in_training(model, objective, config, validate, work_dir, log)
    model.save(output_dir, tokenizer, written)
    counts = {"best_epoch": progress.best_epoch, "steps": progress.step}
    return progress.best_metrics | counts | {"sparsity": sparsity_of(model.body)}
